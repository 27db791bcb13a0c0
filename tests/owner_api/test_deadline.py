"""A shared deadline ends each wait as one of its own would."""

import asyncio

import pytest

from owner_api.config import Config
from owner_api.server.deadline import Deadline
from owner_api.store import Store
from tests.owner_api.conftest import StillClock
from tests.owner_api.http_bench import bench


async def wait(deadline: Deadline, seconds: float) -> str:
    """Wait inside the deadline and say how it ended."""
    try:
        with deadline:
            await asyncio.sleep(seconds)
    except TimeoutError:
        return "late"
    return "done"


async def test_each_wait_ends_when_it_is_due_whoever_else_waits() -> None:
    deadline, loop = Deadline(0.2), asyncio.get_running_loop()
    began = loop.time()

    async def one(number: int) -> tuple[str, float]:
        await asyncio.sleep(number * 0.02)
        started = loop.time()
        return await wait(deadline, 5 if number % 2 else 0.05), loop.time() - started

    ended = await asyncio.gather(*(one(number) for number in range(20)))
    assert [how for how, _ in ended] == ["done", "late"] * 10
    assert all(lasted > 0.19 for how, lasted in ended if how == "late")
    assert loop.time() - began < 4
    # Nothing is left behind, and the next wait has a deadline again.
    assert not deadline._waits
    assert not deadline._late
    assert await wait(deadline, 5) == "late"


async def test_a_task_that_was_late_goes_on_and_is_not_cancelled_any_more() -> None:
    deadline = Deadline(0.05)
    assert await wait(deadline, 5) == "late"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_who_is_cancelled_by_somebody_else_is_cancelled() -> None:
    deadline = Deadline(30)
    task = asyncio.create_task(wait(deadline, 5))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not deadline._waits


async def test_cancelled_by_both_at_once_is_cancelled() -> None:
    deadline = Deadline(0.01)
    task = asyncio.create_task(wait(deadline, 5))
    await asyncio.sleep(0)
    deadline._look(_Later(asyncio.get_running_loop()))  # type: ignore[arg-type]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_another_error_passes_as_it_is() -> None:
    deadline = Deadline(30)
    with pytest.raises(KeyError), deadline:
        raise KeyError("x")
    assert not deadline._waits


class _Later:
    """A loop whose clock is past every deadline."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def time(self) -> float:
        return self._loop.time() + 3_600


async def test_an_answer_that_takes_too_long_is_503_and_the_next_one_is_not(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock, Config(answer_timeout_s=0.2)) as api:
        late = await api.post("/v1/slow-things", {"name": "one"})
        assert (late.status, late.code) == (503, "unavailable")
        assert int(late.headers["Retry-After"]) > 0
        api.gate.open.set()
        # It may still be done: a repeat tells.
        assert (await api.post("/v1/slow-things", {"name": "one"})).status == 201
        assert await api.things() == 1
