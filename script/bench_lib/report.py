"""The figures of a run as text: what was compared, on what, and how it came out."""

from importlib.metadata import version
import os
from pathlib import Path
import platform
import statistics

from .measure import Measurement, Times

NAME_WIDTH = 28


def machine() -> list[str]:
    """Return the lines that say what the figures were measured with."""
    return [
        f"python {platform.python_version()}, {platform.system()} {platform.machine()}",
        f"numpy {version('numpy')}, highspy {version('highspy')}",
        f"{_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
    ]


def case_lines(measured: Measurement) -> list[str]:
    """Return one case's times, ratios and verdict."""
    wall, busy = measured.ratios()
    case = measured.case
    count, goal, seeds = len(measured.ours.wall), case.goal, len(case.instances)
    lines = [
        f"{case.name} ({count} runs each over {seeds} seeds)",
        f"  {'':{NAME_WIDTH}}  wall ms: min  median     max   processor ms: median",
        _times("ours", measured.ours),
        _times(case.peer, measured.theirs),
        *(_times(name, times) for name, times in measured.others.items()),
        f"  objectives differ by at most {measured.gap:.1e} relatively (goal {case.max_gap:.0e})",
        f"  ratio of medians: wall {wall:.1f}x, processor {busy:.1f}x (goal {goal:g}x)",
    ]
    if not measured.quiet:
        lines.append("  the machine is busy: processor time is judged, wall time only printed")
    for name, times in measured.others.items():
        wall, busy = measured.ratios(times)
        lines.append(f"  beside {name} (no goal): wall {wall:.1f}x, processor {busy:.1f}x")
    missed = measured.missed()
    lines += [f"  MISSED {line}" for line in missed] or ["  passed"]
    return lines


def _times(name: str, times: Times) -> str:
    low, middle, high = min(times.wall), statistics.median(times.wall), max(times.wall)
    busy = statistics.median(times.busy)
    return f"  {name:{NAME_WIDTH}}  {low:12.3f} {middle:7.3f} {high:7.1f} {busy:22.3f}"


def _processor() -> str:
    """Return the processor's name, as far as this system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown processor"
