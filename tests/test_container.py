"""The container's own question to its server: well under TLS, well without, and not well."""

import asyncio
import json
from pathlib import Path
import re
import sys

import pytest

from owner_api.config import Config
from owner_api.server.running import running_server

ROOT = Path(__file__).parent.parent
FILE = (ROOT / "packaging" / "Containerfile").read_text(encoding="utf-8")


async def asked(port: int) -> int | None:
    """Return the exit code of the health check, run as the container would."""
    found = re.search(r"^HEALTHCHECK .*CMD (\[.*\])$", FILE, re.MULTILINE)
    assert found is not None
    _, script, address = json.loads(found[1])
    assert f"COPY packaging/{Path(script).name} {script}\n" in FILE
    assert address == "127.0.0.1:8477"
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "packaging" / Path(script).name), f"127.0.0.1:{port}"
    )
    return await process.wait()


@pytest.mark.parametrize("self_signed", [False, True])
async def test_a_server_is_well_in_the_container_with_and_without_tls_and_not_once_it_ended(
    tmp_path: Path, *, self_signed: bool
) -> None:
    config = Config(database=str(tmp_path / "owner.db"), listen_port=0, writer_process=False)
    async with running_server(config, self_signed=self_signed) as server:
        assert await asked(server.port) == 0
    assert await asked(server.port) == 1


def test_the_configuration_shown_for_the_container_can_be_served(tmp_path: Path) -> None:
    shown = re.findall(r"^#   (\w+ = .+)$", FILE, re.MULTILINE)
    file = tmp_path / "owner-api.toml"
    file.write_text("\n".join(shown), encoding="utf-8")
    assert Config.load(file).listen_host == "0.0.0.0"  # noqa: S104 - as data
