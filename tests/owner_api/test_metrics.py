"""Figures on a port of their own, without a word about anybody."""

from dataclasses import replace
from pathlib import Path
import re
from typing import IO

from prometheus_client import process_collector
import pytest

from owner_api.config import Config

from .deal_world import open_world, scheduled

ROOT = Path(__file__).parents[2]
_LIMITS = Config(rate_per_s=1e6, rate_burst=10**7, public_rate_burst=10**6)


async def test_requests_refusals_commits_and_streams_are_counted_without_naming_anybody(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path, replace(_LIMITS, metrics_port=0)) as world:
        deal = await scheduled(world)
        refused = await world.instruct(deal.park, deal.commitment_id)
        async with world.http.get(f"http://127.0.0.1:{world.agent.metrics_port}/metrics") as answer:
            assert answer.status == 200
            text = await answer.text()
    path = "/v1/park/commitments/{commitment_id}/instructions"
    counted = f'method="POST",route="{path}",status="{refused.status}"'
    assert f"owner_api_requests_total{{{counted}}} 1.0" in text
    reason = refused.body["code"]
    assert f'owner_api_refused_discharges_total{{reason="{reason}"}} 1.0' in text
    assert "owner_api_streams 0.0" in text
    commits = re.search(r"owner_api_commit_seconds_count (\d+)", text)
    assert commits is not None
    assert int(commits[1]) > 0
    assert "owner_api_outbox_oldest_seconds 0.0" in text
    # Ids of ours are a short word and 32 hex digits; names are the harness's.
    assert not re.search(r"[a-z]{3}_[0-9a-f]{32}|Li Wei|East Gate|Blue car", text)


async def test_nothing_listens_for_scrapes_unless_asked_to(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        assert world.agent.metrics_port is None
        async with world.http.get(f"{world.url}/metrics") as answer:
            assert answer.status == 404


@pytest.mark.parametrize("whole", [True, False])
async def test_the_process_that_writes_has_figures_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, whole: bool
) -> None:
    """Also where /proc shows processes alone, as the shipped unit has it: two alerts need them."""
    assert "ProcSubset=pid" in (ROOT / "packaging/owner-api.service").read_text(encoding="utf-8")

    def opened(path: str, mode: str) -> IO[bytes]:
        assert mode == "rb"
        if path == "/proc/stat":
            raise FileNotFoundError(path)
        return Path(path).open("rb")

    if not whole:
        monkeypatch.setattr(process_collector, "open", opened, raising=False)
    async with open_world(tmp_path, replace(_LIMITS, metrics_port=0), apart=True) as world:
        await world.add_owner()
        async with world.http.get(f"http://127.0.0.1:{world.agent.metrics_port}/metrics") as answer:
            text = await answer.text()
    for name in ("owner_api_process", "owner_api_writer_process"):
        found = re.search(rf"^{name}_resident_memory_bytes (\S+)$", text, re.MULTILINE)
        assert found is not None
        assert float(found[1]) > 1e6
