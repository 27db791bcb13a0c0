"""Inside Home Assistant: how long each callback of the event loop held it, and whose it was.

Every callback is timed by replacing ``asyncio.Handle._run``. From its wall time goes what the
kernel says the thread waited for a processor that other processes had, that the recorder waited
while it held Python's lock, and that the machine itself waited while another machine had its
processors: a busy machine is no block of ours. Collecting garbage of the whole heap goes too, in
whichever thread, as the loop waits for any, and is shown beside. A thread looks at the stack of
what takes long. Nothing here imports from the repository: it runs in Home Assistant's own
environment.
"""

import asyncio
from collections import Counter
from dataclasses import asdict, dataclass, field
import gc
import os
from pathlib import Path
import sys
import threading
import time
from types import FrameType
from typing import Any, Final

OURS: Final = "/v2g_owner/"
# Callbacks shorter than this are only counted.
NOTED_S: Final = 0.005
_LOOK_EVERY_S: Final = 0.002
_KEPT: Final = 40
_MS: Final = 1e3
_STEAL_FIELD: Final = 8
_STEAL_UNIT_S: Final = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Block:
    """One callback that took long; times in ms."""

    wall_ms: float
    stolen_ms: float
    gc_ms: float
    worked_ms: float
    what: str
    ours: bool
    seen: list[str]

    @property
    def held_ms(self) -> float:
        """How long the code held the loop: without what other processes and collecting took."""
        return self.wall_ms - self.stolen_ms - self.gc_ms


@dataclass(frozen=True, slots=True)
class _Spent:
    """On what the time of one callback went; the parts may leave a rest that it only waited."""

    wall_s: float
    stolen_s: float
    gc_s: float
    worked_s: float


@dataclass(slots=True)
class Watched:
    """What was seen since the last reset."""

    callbacks: int = 0
    held_s: float = 0.0
    stolen_s: float = 0.0
    blocks: list[Block] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """Return it as JSON, the longest blocks first."""
        longest = sorted(self.blocks, key=lambda each: -each.held_ms)
        ours = [each for each in longest if each.ours]
        return {
            "callbacks": self.callbacks,
            "held_s": self.held_s,
            "ours": [asdict(each) | {"held_ms": each.held_ms} for each in ours[:_KEPT]],
            "others": [
                asdict(each) | {"held_ms": each.held_ms} for each in longest if not each.ours
            ][:_KEPT],
        }


class LoopWatch:
    """Times the callbacks of the loop of the thread that makes it."""

    def __init__(self) -> None:
        self.watched = Watched()
        self._thread = threading.get_ident()
        self._began: float | None = None
        self._seen: Counter[str] = Counter()
        self._ours = False
        self._gc_s = self._gc_elsewhere_s = 0.0
        self._gc_began = (0.0, 0.0)
        self._machine = os.open("/proc/stat", os.O_RDONLY)
        self._paused_s, self._paused_at = 0.0, 0.0
        self._schedstat = _schedstat(threading.get_native_id())
        self._recorder: int | None = None

    def start(self) -> None:
        """Begin; there is no end but the process's."""
        gc.callbacks.append(self._collecting)
        threading.Thread(target=self._look, name="bench looks", daemon=True).start()
        run = asyncio.Handle._run  # noqa: SLF001 - there is no public place to stand

        def timed(handle: asyncio.Handle) -> None:
            self._seen.clear()
            self._ours, self._gc_s, self._gc_elsewhere_s = False, 0.0, 0.0
            paused, waited, worked = self._paused(), self._waited(), time.thread_time()
            self._began = began = time.perf_counter()
            run(handle)
            wall_s = time.perf_counter() - began
            self._began = None
            worked_s = time.thread_time() - worked
            idle_s = wall_s - worked_s
            elsewhere_s = min(self._gc_elsewhere_s, idle_s)
            stolen_s = self._waited() - waited
            if wall_s > NOTED_S:
                stolen_s += self._paused(anew=True) - paused
            stolen_s = max(0.0, min(stolen_s, idle_s - elsewhere_s))
            self.watched.callbacks += 1
            self.watched.held_s += wall_s
            self.watched.stolen_s += stolen_s
            if wall_s > NOTED_S:
                gc_s = self._gc_s + elsewhere_s
                self._note(handle, _Spent(wall_s, stolen_s, gc_s, worked_s - self._gc_s))

        asyncio.Handle._run = timed  # type: ignore[assignment, method-assign]  # noqa: SLF001

    def reset(self) -> Watched:
        """Return what was seen, and begin anew."""
        seen, self.watched = self.watched, Watched()
        return seen

    def _waited(self) -> float:
        """Return how long the loop and the recorder have waited for a processor, in s."""
        return sum(
            int(os.pread(file, 64, 0).split()[1]) / 1e9
            for file in (self._schedstat, self._recorder)
            if file is not None
        )

    def _paused(self, *, anew: bool = False) -> float:
        """Return how long the machine has waited for its processors, in s.

        It is asked seldom, as that takes long: what came shortly before a callback counts as in it.
        """
        now = time.perf_counter()
        if anew or now - self._paused_at > NOTED_S:
            line = os.pread(self._machine, 256, 0).split(b"\n", 1)[0]
            self._paused_s = int(line.split()[_STEAL_FIELD]) * _STEAL_UNIT_S
            self._paused_at = now
        return self._paused_s

    def _find_recorder(self) -> None:
        """Find the one thread of Home Assistant that works a lot beside the loop."""
        for thread in threading.enumerate():
            if thread.name == "Recorder" and thread.native_id is not None:
                self._recorder = _schedstat(thread.native_id)

    def _note(self, handle: asyncio.Handle, spent: _Spent) -> None:
        what, path = _name(handle)
        self.watched.blocks.append(
            Block(
                wall_ms=spent.wall_s * _MS,
                stolen_ms=spent.stolen_s * _MS,
                gc_ms=spent.gc_s * _MS,
                worked_ms=spent.worked_s * _MS,
                what=what,
                ours=self._ours or OURS in path,
                seen=[f"{count}x {where}" for where, count in self._seen.most_common(3)],
            )
        )

    def _collecting(self, phase: str, _info: dict[str, Any]) -> None:
        if phase == "start":
            self._gc_began = time.thread_time(), time.perf_counter()
        elif threading.get_ident() == self._thread:
            self._gc_s += time.thread_time() - self._gc_began[0]
        elif (began := self._began) is not None:
            self._gc_elsewhere_s += time.perf_counter() - max(self._gc_began[1], began)

    def _look(self) -> None:
        """Look at the loop's stack while a callback takes long."""
        while True:
            time.sleep(_LOOK_EVERY_S)
            if self._recorder is None:
                self._find_recorder()
            began = self._began
            if began is None or time.perf_counter() - began < _LOOK_EVERY_S:
                continue
            frame = sys._current_frames().get(self._thread)  # noqa: SLF001
            if frame is not None and self._began == began:
                where, ours = _where(frame)
                self._seen[where] += 1
                self._ours |= ours


def _schedstat(thread_id: int) -> int:
    """Open what the kernel counts of a thread."""
    return os.open(f"/proc/self/task/{thread_id}/schedstat", os.O_RDONLY)


def _where(frame: FrameType | None) -> tuple[str, bool]:
    """Return the innermost places of a stack, ours among them, and whether we are on it."""
    places: list[str] = []
    mine: str | None = None
    while frame is not None and frame.f_code.co_qualname != "LoopWatch.start.<locals>.timed":
        place = _place(frame.f_code.co_filename, frame.f_code.co_qualname)
        if OURS in frame.f_code.co_filename and mine is None:
            mine = place
        places.append(place)
        frame = frame.f_back
    named = places[:1] if mine is None or mine == places[0] else [places[0], mine]
    return " < ".join(named), mine is not None


def _place(path: str, name: str) -> str:
    return f"{'/'.join(Path(path).parts[-2:])}:{name}"


def _name(handle: asyncio.Handle) -> tuple[str, str]:
    """Return what a callback is, for people, and the file its code is from."""
    callback: Any = handle._callback  # type: ignore[attr-defined]  # noqa: SLF001
    task = getattr(callback, "__self__", None)
    if isinstance(task, asyncio.Task):
        code = getattr(task.get_coro(), "cr_code", None)
        name = task.get_name()
    else:
        code = getattr(getattr(callback, "func", callback), "__code__", None)
        name = getattr(callback, "__qualname__", type(callback).__name__)
    path = code.co_filename if code is not None else ""
    return (f"{name[:60]} ({_place(path, code.co_qualname)})" if code else name), path
