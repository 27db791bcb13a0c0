"""How the harnesses speak: one line per count, columns that line up."""

from collections.abc import Iterable, Sequence


def counts(title: str, rows: Iterable[tuple[str, object]]) -> None:
    """Print a title and its counts."""
    print(title)
    for name, value in rows:
        shown = f"{value:,}" if isinstance(value, int) else str(value)
        print(f"  {name:<52} {shown:>14}", flush=True)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile of at least one value."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
