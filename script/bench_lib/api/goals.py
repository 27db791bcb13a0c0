"""The figures as lines, each judged by its goal."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure with its unit; `goal` is the least, or with `at_most` the most."""

    name: str
    value: float
    goal: float
    unit: str
    detail: str
    at_most: bool = False

    @property
    def reached(self) -> bool:
        """Whether the goal is reached."""
        return self.value <= self.goal if self.at_most else self.value >= self.goal

    def line(self) -> str:
        """Return the figure as people read it."""
        sign = "<=" if self.at_most else ">="
        verdict = "passed" if self.reached else "MISSED"
        value = f"{self.value:.2f}{self.unit} (goal {sign} {self.goal:g}{self.unit})"
        return f"{self.name}: {value} {verdict}\n    {self.detail}"
