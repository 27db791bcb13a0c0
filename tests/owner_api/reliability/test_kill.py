"""A short run of kill -9 under sixteen clients, and proof that doubling is noticed."""

import asyncio

import pytest

from script.reliability_lib.kill.command import kill


@pytest.mark.slow
def test_promises_5_and_10_kill_9_loses_no_answer_and_a_repeat_acts_once() -> None:
    found = asyncio.run(kill(5, seed=7, offers=40))
    assert found.decisions >= 20 * (found.cycles - found.while_starting - 1)
    assert found.retries > 0
    assert [found.lost, found.doubled, found.changed, found.invalid] == [0] * 4, found.first


@pytest.mark.slow
def test_a_server_that_forgets_its_keys_doubles_effects_under_kill_9() -> None:
    assert asyncio.run(kill(60, seed=8, offers=40, forget=True)).doubled > 0
