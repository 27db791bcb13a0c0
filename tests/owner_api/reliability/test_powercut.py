"""A short run of the power cuts, and proof that a disk that forgets is noticed."""

import pytest

from script.reliability_lib.powercut.command import cut_power


@pytest.mark.slow
def test_promise_5_no_power_cut_loses_or_doubles_what_was_answered() -> None:
    found = cut_power(15, "FULL", seed=5, offers=40)
    assert found["acknowledged"] > 0
    assert found["disk"]["dropped"] > 0
    assert [found[name] for name in ("lost", "doubled", "invalid", "changed")] == [0] * 4, found


@pytest.mark.slow
def test_without_a_sync_for_each_commit_power_cuts_lose_what_was_answered() -> None:
    assert cut_power(5, "NORMAL", seed=6, offers=40)["lost"] > 0
