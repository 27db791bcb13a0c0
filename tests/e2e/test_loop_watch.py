"""What the bench's watch on the event loop counts as held, and what it takes off."""

import json
from pathlib import Path
import subprocess
import sys
from typing import Any

ROOT = Path(__file__).parents[2]
WATCH = """
import asyncio, dataclasses, gc, json, sys, threading, time
from script.bench_lib.home.loop_watch import LoopWatch

def collect_elsewhere():
    thread = threading.Thread(target=gc.collect)
    thread.start()
    thread.join()

def doze():
    time.sleep(0.3)

def work():
    until = time.thread_time() + 0.3
    while time.thread_time() < until:
        pass

async def main(callback):
    heap = [[each] for each in range(1_000_000)] if callback is collect_elsewhere else []
    gc.disable()
    watch = LoopWatch()
    watch.start()
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_soon(callback)
    loop.call_soon(done.set_result, None)
    await done
    told = watch.reset().told()
    print(json.dumps(max(told["others"], key=lambda block: block["wall_ms"])))

asyncio.run(main(globals()[sys.argv[1]]))
"""


def watched(callback: str) -> dict[str, Any]:
    """Return what was noted of one callback, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", WATCH, callback], cwd=ROOT, check=True, capture_output=True
    )
    block: dict[str, Any] = json.loads(done.stdout)
    return block


def test_collecting_garbage_in_another_thread_is_no_block_of_the_callback_that_waits() -> None:
    """Whoever collects holds Python's lock, and a whole heap takes long."""
    block = watched("collect_elsewhere")
    assert block["gc_ms"] > block["wall_ms"] / 2
    assert block["held_ms"] < block["wall_ms"] / 2


def test_sleeping_in_a_callback_is_a_block_though_it_is_no_work() -> None:
    block = watched("doze")
    assert block["wall_ms"] >= 300
    assert block["gc_ms"] == 0
    assert block["worked_ms"] < 100


def test_work_in_a_callback_is_a_block_however_busy_the_machine_is() -> None:
    block = watched("work")
    assert block["held_ms"] >= 290
    assert block["worked_ms"] >= 290
