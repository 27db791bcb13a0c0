"""How the harnesses speak: one line per count, columns that line up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

_FIRST: Final = 3


@dataclass(kw_only=True)
class Faults:
    """What did not hold: a harness adds a count of its own for each kind."""

    first: list[str] = field(default_factory=list)

    def note(self, kind: str, what: str) -> None:
        """Count something that did not hold and keep the first few."""
        setattr(self, kind, getattr(self, kind) + 1)
        self.first = [*self.first, f"{kind}: {what}"][:_FIRST]


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
