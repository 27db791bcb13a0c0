"""A short run of bad messages, and proof that what it looks for is noticed."""

import pytest

from script.reliability_lib.messages.command import deliver, forgetful, good, obeys_the_old


@pytest.mark.slow
def test_promise_10_messages_twice_late_and_crossed_act_once_and_never_too_late() -> None:
    found = deliver(24, seed=3)
    assert found.rows["settlement"] > 0
    assert found.rows["stop"] > 0
    assert good(found), found


@pytest.mark.slow
def test_a_server_without_its_idempotency_row_doubles_what_comes_twice() -> None:
    with forgetful():
        found = deliver(8, seed=4)
    assert found.doubled > 0
    assert found.changed > 0


@pytest.mark.slow
def test_a_server_that_obeys_overtaken_setpoints_is_noticed() -> None:
    with obeys_the_old():
        assert deliver(8, seed=5).taken > 0
