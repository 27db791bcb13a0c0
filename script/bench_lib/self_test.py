"""Prove that the bench notices a wrong or a slow planner: bend our side, expect a miss."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from .cases import Case, Instance
from .measure import measure

BENT_BY = 1e-6
FEW = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Bend:
    """One way to make our side worse, and a word that the miss must then hold."""

    name: str
    word: str
    of: Callable[[Instance], Instance]


def _wrong(instance: Instance) -> Instance:
    honest = instance.ours_objective
    return replace(instance, ours_objective=lambda: honest() * (1 + BENT_BY))


def _slow(instance: Instance) -> Instance:
    def both() -> object:
        return instance.ours(), instance.theirs()

    return replace(instance, ours=both)


BENDS = (
    Bend(name=f"objective off by {BENT_BY:.0e}", word="differ", of=_wrong),
    Bend(name="planner as slow as both sides together", word="goal", of=_slow),
)


def self_test(cases: list[Case]) -> list[tuple[str, bool]]:
    """Return per case and bend whether the bent case is judged as missed."""
    results = []
    for case in cases:
        for bend in BENDS:
            bent = replace(case, instances=tuple(map(bend.of, case.instances)))
            missed = measure(bent, FEW).missed()
            red = any(bend.word in line for line in missed)
            results.append((f"{case.name}, {bend.name}", red))
    return results
