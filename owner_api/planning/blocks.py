"""Charging in blocks a charger and its contactor like: none too short, none below the dead band.

The exact course is full power with a few partial pieces. Where that leaves a block shorter than
wanted, it is either dropped or lengthened, whichever costs less; both are exact re-solves, and
what they cost beyond the unrestricted optimum is the bound that the schedule prints.
"""

from dataclasses import dataclass, replace

from .horizon import Ahead, Course, course_cost, course_without, look_ahead
from .pieces import Pieces


@dataclass(frozen=True, kw_only=True, slots=True)
class Blocks:
    """A course and where in time it charges.

    `spans` is per piece the seconds (from, to) at full power, None where nothing is charged;
    `cost` is J (see `horizon`); `forced` what a lengthened block must store per piece.
    """

    pieces: Pieces
    ahead: Ahead
    course: Course
    forced: list[int]
    spans: list[tuple[int, int] | None]
    cost: int

    def runs(self) -> list[tuple[int, int]]:
        """Return the uninterrupted charging times (from, to) in seconds."""
        runs: list[tuple[int, int]] = []
        for span in self.spans:
            if span is None:
                continue
            if runs and runs[-1][1] == span[0]:
                runs[-1] = (runs[-1][0], span[1])
            else:
                runs.append(span)
        return runs


def solve(pieces: Pieces, forced: list[int] | None = None) -> Blocks | None:
    """Return the cheapest blocks that store at least `forced` per piece; None without any."""
    must = forced or [0] * len(pieces.charge)
    # A forced charge is a drain the other way, paid for apart.
    rest = replace(
        pieces,
        charge=[most - least for most, least in zip(pieces.charge, must, strict=True)],
        drain=[taken - least for taken, least in zip(pieces.drain, must, strict=True)],
    )
    ahead = look_ahead(rest)
    start = ahead.costs[0]
    if start is None or not start.left <= pieces.start <= start.right:
        return None
    free = course_without(rest, ahead)
    charged = [added + least for added, least in zip(free.charged, must, strict=True)]
    course = replace(free, charged=charged)
    return Blocks(
        pieces=pieces,
        ahead=ahead,
        course=course,
        forced=must,
        spans=_spans(pieces, charged),
        cost=course_cost(pieces, course),
    )


def without_dead_band(pieces: Pieces, min_power_w: int) -> Pieces:
    """Return the pieces without the charging that the charger cannot do at so little power."""
    usable = [power >= min_power_w for power in pieces.charge_w]
    return replace(
        pieces,
        charge_w=[power if on else 0 for power, on in zip(pieces.charge_w, usable, strict=True)],
        charge=[energy if on else 0 for energy, on in zip(pieces.charge, usable, strict=True)],
    )


def repair(blocks: Blocks, min_block_s: int) -> Blocks:
    """Drop or lengthen blocks shorter than `min_block_s`; one that can be neither stays.

    Taking the cheaper of the two block by block may end in a dear hour when a little charge is
    dropped again and again, and lengthening always may hold on to a short cheap hour: both are
    carried through, and the better end is taken.
    """
    ends = [_repaired(blocks, min_block_s, drop=drop) for drop in (True, False)]
    return min(ends, key=lambda end: (len(_short(end, min_block_s)), end.cost))


def _repaired(blocks: Blocks, min_block_s: int, *, drop: bool) -> Blocks:
    """Repair block by block; without `drop` only what cannot be lengthened is dropped."""
    kept: set[tuple[int, int]] = set()
    for _ in range(2 * len(blocks.pieces.charge)):
        short = [run for run in _short(blocks, min_block_s) if run not in kept]
        if not short:
            break
        longer = [choice for choice in _lengthened(blocks, short[0], min_block_s) if choice]
        none = _dropped(blocks, short[0]) if drop or not longer else None
        choices = longer if none is None else [*longer, none]
        if choices:
            blocks = min(choices, key=lambda choice: choice.cost)
        else:
            kept.add(short[0])
    return blocks


def _short(blocks: Blocks, min_block_s: int) -> list[tuple[int, int]]:
    return [run for run in blocks.runs() if run[1] - run[0] < min_block_s]


def _dropped(blocks: Blocks, run: tuple[int, int]) -> Blocks | None:
    """Solve again with no charging in the pieces of a block."""
    inside = [span is not None and run[0] <= span[0] < run[1] for span in blocks.spans]
    if any(least for least, on in zip(blocks.forced, inside, strict=True) if on):
        return None
    pieces = blocks.pieces
    charge = [0 if on else most for most, on in zip(pieces.charge, inside, strict=True)]
    return solve(replace(pieces, charge=charge), blocks.forced)


def _lengthened(blocks: Blocks, run: tuple[int, int], length: int) -> list[Blocks | None]:
    """Solve again with a block made `length` seconds long, forwards and backwards."""
    pieces = blocks.pieces
    tries = []
    for begin, end in ((run[0], run[0] + length), (run[1] - length, run[1])):
        forced = blocks.forced[:]
        whole = begin >= 0 and end <= pieces.end
        for index, power in enumerate(pieces.charge_w):
            overlap = min(end, pieces.edges[index + 1]) - max(begin, pieces.edges[index])
            if overlap <= 0:
                continue
            energy = overlap * power * pieces.scale.per_charged_ws
            whole = whole and 0 < energy <= pieces.charge[index]
            forced[index] = max(forced[index], energy)
        tries.append(solve(pieces, forced) if whole else None)
    return tries


def _spans(pieces: Pieces, charged: list[int]) -> list[tuple[int, int] | None]:
    """Place each piece's charging at its start, or at its end where that joins the next block."""
    spans: list[tuple[int, int] | None] = []
    joined = -1
    for index, energy in enumerate(charged):
        if not energy:
            spans.append(None)
            continue
        begin, end = pieces.edges[index : index + 2]
        lasts = -(-energy // (pieces.charge_w[index] * pieces.scale.per_charged_ws))
        follows = index + 1 < len(charged) and charged[index + 1] > 0
        late = follows and begin != joined
        spans.append((end - lasts, end) if late else (begin, begin + lasts))
        joined = end if late else begin + lasts
    return spans
