"""The result of a run as a table a person can read."""

from .tally import CarTally, Result

_HEAD = ("car", "deals", "energy", "leaves", "gross", "refill", "losses", "wear", "net")
_UNITS = ("", "done", "kWh", "SoC %", "CNY", "CNY", "CNY", "CNY", "CNY")


def table(result: Result, scene: str) -> str:
    """Return one scene's table: a row per car and the totals; money in CNY with 2 decimals."""
    rows = [row for row in result.cars if row.scene == scene]
    total = CarTally(car="total", scene=scene)
    for row in rows:
        for key in ("delivered", "accepted", "offers", "delivered_wh"):
            setattr(total, key, getattr(total, key) + getattr(row, key))
        for key in _MONEY:
            setattr(total, key, getattr(total, key) + getattr(row, key))
    shown = [_HEAD, _UNITS, *(_cells(row) for row in rows), _cells(total)]
    widths = [max(len(line[n]) for line in shown) for n in range(len(_HEAD))]
    notes = ["", "", *(row.note for row in rows), ""]
    lines = [
        f"{_line(cells, widths)}  {note}".rstrip() for cells, note in zip(shown, notes, strict=True)
    ]
    rule = "-" * max(len(line) for line in lines)
    return "\n".join([*lines[:2], rule, *lines[2:-1], rule, lines[-1]])


def summary(result: Result) -> str:
    """Return the sentences under the tables: counts, notes, and every broken promise."""
    counts = ", ".join(f"promise {n}: {result.violations[n]}" for n in (1, 2, 3, 4))
    lines = [
        (
            f"Seed {result.seed}. {result.sessions} sessions, {result.total('offers')} offers, "
            f"{result.total('accepted')} accepted, {result.total('delivered')} delivered, "
            f"{result.total('delivered_wh') / 1000:.1f} kWh, "
            f"owners' net {result.total('net_minor') / 100:.2f} CNY."
        ),
    ]
    if result.skipped:
        left_out = ", ".join(f"{count} {reason}" for reason, count in result.skipped.items())
        lines.append(f"Left out: {left_out}.")
    lines += result.notes
    lines.append(f"Broken promises, counted inside the cars: {counts}.")
    lines += [f"  BROKEN {detail}" for detail in result.details[:20]]
    lines += [f"  BOOKS DISAGREE {each}" for each in result.disagreements[:20]]
    return "\n".join(lines)


_MONEY = ("gross_minor", "refill_minor", "losses_minor", "wear_minor", "net_minor")


def _cells(row: CarTally) -> tuple[str, ...]:
    soc = "" if row.soc_leaving_pct is None else f"{row.soc_leaving_pct:.1f}"
    deals = f"{row.delivered}/{row.accepted}/{row.offers}"
    money = (f"{getattr(row, key) / 100:.2f}" for key in _MONEY)
    return (row.car, deals, f"{row.delivered_wh / 1000:.2f}", soc, *money)


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    first = cells[0].ljust(widths[0])
    return "  ".join([first, *(c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True))])
