"""Inside Home Assistant: how long each callback of the event loop held it, and whose it was.

Every callback is timed by replacing ``asyncio.Handle._run``. From its wall time goes what the
kernel says the thread waited for a processor that other processes had, or that the recorder waited
while it held Python's lock: a busy machine is no block of ours. Collecting garbage of the whole
heap goes too, and is shown beside. A thread looks at the stack of what takes long. Nothing here
imports from the repository: it runs in Home Assistant's own environment.
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


@dataclass(slots=True)
class Block:
    """One callback that took long; times in ms."""

    wall_ms: float
    stolen_ms: float
    gc_ms: float
    what: str
    ours: bool
    seen: list[str]

    @property
    def held_ms(self) -> float:
        """How long the code held the loop: without what other processes and collecting took."""
        return self.wall_ms - self.stolen_ms - self.gc_ms


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
        self._gc_s = self._gc_began = 0.0
        self._schedstat = _schedstat(threading.get_native_id())
        self._recorder: int | None = None

    def start(self) -> None:
        """Begin; there is no end but the process's."""
        gc.callbacks.append(self._collecting)
        threading.Thread(target=self._look, name="bench looks", daemon=True).start()
        run = asyncio.Handle._run  # noqa: SLF001 - there is no public place to stand

        def timed(handle: asyncio.Handle) -> None:
            self._seen.clear()
            self._ours, self._gc_s = False, 0.0
            waited, worked = self._waited(), time.thread_time()
            self._began = began = time.perf_counter()
            run(handle)
            wall_s = time.perf_counter() - began
            self._began = None
            self.watched.callbacks += 1
            self.watched.held_s += wall_s
            idle_s = wall_s - (time.thread_time() - worked)
            stolen_s = max(0.0, min(sum(self._waited()) - sum(waited), idle_s))
            self.watched.stolen_s += stolen_s
            if wall_s > NOTED_S:
                self._note(handle, wall_s, stolen_s)

        asyncio.Handle._run = timed  # type: ignore[assignment, method-assign]  # noqa: SLF001

    def reset(self) -> Watched:
        """Return what was seen, and begin anew."""
        seen, self.watched = self.watched, Watched()
        return seen

    def _waited(self) -> tuple[float, ...]:
        """Return how long the loop and the recorder have waited for a processor, in s."""
        return tuple(
            0.0 if file is None else int(os.pread(file, 64, 0).split()[1]) / 1e9
            for file in (self._schedstat, self._recorder)
        )

    def _find_recorder(self) -> None:
        """Find the one thread of Home Assistant that works a lot beside the loop."""
        for thread in threading.enumerate():
            if thread.name == "Recorder" and thread.native_id is not None:
                self._recorder = _schedstat(thread.native_id)

    def _note(self, handle: asyncio.Handle, wall_s: float, stolen_s: float) -> None:
        what, path = _name(handle)
        self.watched.blocks.append(
            Block(
                wall_ms=wall_s * _MS,
                stolen_ms=stolen_s * _MS,
                gc_ms=self._gc_s * _MS,
                what=what,
                ours=self._ours or OURS in path,
                seen=[f"{count}x {where}" for where, count in self._seen.most_common(3)],
            )
        )

    def _collecting(self, phase: str, _info: dict[str, Any]) -> None:
        if threading.get_ident() != self._thread:
            return
        if phase == "start":
            self._gc_began = time.thread_time()
        else:
            self._gc_s += time.thread_time() - self._gc_began

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
