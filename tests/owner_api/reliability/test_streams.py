"""A short run of cut streams, and proof that what it looks for is noticed."""

import pytest

from script.reliability_lib.streams.command import cut


@pytest.mark.slow
def test_promise_10_streams_cut_at_any_moment_miss_and_repeat_nothing() -> None:
    found = cut(6, each=3, seed=5)
    assert found.heard > 0
    assert found.links.resumed > 0
    assert found.links.inside > 0
    assert found.links.refused == 0
    wrong = (found.missed, found.repeated, found.disordered, found.differ)
    assert wrong == (0, 0, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("slip", "kind"), [(1, "missed"), (-1, "repeated")])
def test_a_client_that_resumes_elsewhere_than_it_was_is_noticed(slip: int, kind: str) -> None:
    assert getattr(cut(2, each=2, seed=6, slip=slip), kind) > 0
