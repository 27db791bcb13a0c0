"""The contract under fire: thousands of generated requests, none answered off the contract."""

from pathlib import Path

import pytest

from script.reliability_lib.contract.command import fuzz
from script.reliability_lib.contract.counting import Seen
from script.reliability_lib.contract.tour import FREE, tokens

from .deal_world import open_world

# Bounded by what is asked: a time let a busy machine end before it had asked of everything.
BRIEF = ["--max-examples", "2"]


@pytest.mark.slow
@pytest.mark.parametrize(("role", "at_least"), [("owner", 25), ("park", 12)])
async def test_no_generated_request_is_answered_off_the_contract(
    tmp_path: Path, role: str, at_least: int
) -> None:
    seen = Seen()
    with seen.watching():
        async with open_world(tmp_path, FREE) as world:
            caller = (await tokens(world))[role]
            told = await fuzz(world.url, role, caller.token, 5, BRIEF, tmp_path / "fuzz")
            mine = {"Authorization": f"Bearer {caller.token}"}
            async with world.http.get(world.url + "/v1/me", headers=mine) as still:
                # A run that shuts itself out sees little but 401, and would be content with it.
                assert still.status == 200, await still.text()
    assert told is None, told
    answered = {operation for operation, status in seen.statuses if 200 <= status < 300}
    assert len(answered) >= at_least, sorted(answered)
