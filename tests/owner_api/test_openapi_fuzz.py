"""The contract under fire: thousands of generated requests, none answered off the contract."""

import asyncio
from pathlib import Path
import subprocess
import sys

import pytest

from owner_api.clock import SystemClock
from owner_api.commands import owners, parks
from owner_api.config import Config
from owner_api.ids import new_id
from owner_api.server.agent import Agent, build_agent
from script.reliability_lib.contract.command import SETTINGS

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,response_headers_conformance,negative_data_rejection"
)
# The fuzzer would be rate limited, and it would wait for streams that never end.
FREE = Config(
    rate_per_s=1_000_000,
    rate_burst=10_000_000,
    public_rate_per_s=1_000_000,
    public_rate_burst=10_000_000,
    failure_rate_per_s=1_000_000,
    failure_burst=10_000_000,
)
EXCEPT = "^/v1/events$|^/v1/devices/"


async def tokens(agent: Agent) -> dict[str, str]:
    """Add an owner with a device and a park, and return an access token for each."""
    now = agent.clock.now()
    owner = await agent.store.write(
        lambda tx: owners.add_owner(tx, now=now, new_id=new_id, display_name="A")
    )
    park = await agent.store.write(
        lambda tx: parks.add_park(tx, now=now, new_id=new_id, display_name="P")
    )
    device_id = new_id("dev")
    await agent.store.write(
        lambda tx: tx.insert(
            "device",
            device_id=device_id,
            owner_id=owner["owner_id"],
            display_name="fuzzer",
            kind="phone",
            token_epoch=0,
            paired_at=now,
        )
    )
    issue = agent.access.tokens.issue
    return {
        "owner": issue(
            role="owner",
            party_id=owner["owner_id"],
            client_id=device_id,
            epoch=0,
            now=now,
            life_s=3_600,
        ),
        "park": issue(
            role="park",
            party_id=park.park_id,
            client_id=park.park_id,
            epoch=0,
            now=now,
            life_s=3_600,
        ),
    }


@pytest.mark.slow
@pytest.mark.parametrize("role", ["owner", "park"])
async def test_no_generated_request_is_answered_off_the_contract(tmp_path: Path, role: str) -> None:
    async with await build_agent(tmp_path / "owner.db", SystemClock(), FREE) as agent:
        port = await agent.start("127.0.0.1", 0)
        token = (await tokens(agent))[role]
        (tmp_path / "schemathesis.toml").write_text(SETTINGS)
        run = await asyncio.to_thread(
            subprocess.run,
            [
                *(sys.executable, "-m", "schemathesis.cli", "run"),
                f"http://127.0.0.1:{port}/openapi.json",
                *("-H", f"Authorization: Bearer {token}"),
                *("--exclude-path-regex", EXCEPT),
                *("--include-tag", role, "--include-tag", "public", "--include-tag", "any"),
                *("--phases", "coverage,fuzzing", "--max-examples", "5", "--max-time", "25"),
                *("--checks", CHECKS, "--continue-on-failure", "--request-timeout", "20"),
                *("--seed", "5", "--warnings", "off"),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
    assert run.returncode == 0, run.stdout[-6_000:]
    assert "generated" in run.stdout
