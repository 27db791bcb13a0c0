"""A short run of the failing disk, and proof that loss would be noticed."""

import pytest

from script.reliability_lib.iofail.command import fail_disk


@pytest.mark.slow
def test_promise_5_a_failing_disk_loses_no_answer_and_keeps_no_half_write() -> None:
    found, faults = fail_disk(10, seed=5, offers=60)
    assert found.decisions > 0
    assert faults.refused > 0
    assert [found.lost, found.doubled, found.changed, found.invalid] == [0] * 4, found.first


@pytest.mark.slow
def test_a_disk_that_lies_about_failed_syncs_loses_what_was_answered() -> None:
    found, _ = fail_disk(4, seed=6, offers=60, lie=True)
    assert found.lost > 0


@pytest.mark.slow
def test_promise_5_a_full_disk_loses_no_answer_and_service_goes_on_when_there_is_room() -> None:
    found, faults = fail_disk(8, seed=7, offers=60, full=True)
    assert found.decisions > 0
    assert faults.refused > 0
    assert faults.disk["failed_writes"] > 0
    assert faults.recovered > 0
    assert [found.lost, found.doubled, found.changed, found.invalid] == [0] * 4, found.first


@pytest.mark.slow
def test_a_full_disk_that_lies_about_what_it_wrote_loses_what_was_answered() -> None:
    found, _ = fail_disk(4, seed=8, offers=60, full=True, lie=True)
    assert found.lost > 0
