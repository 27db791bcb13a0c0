"""What the tests of the owner's agent share: a clock that stands still and a real store."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from owner_api.store import Store
from tests.fresh_database import lay


class StillClock:
    """A clock that moves only when told; waiting on it moves it."""

    def __init__(self) -> None:
        self.instant = datetime(2026, 12, 1, 5, 30, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the instant it stands at."""
        return self.instant

    def move(self, seconds: float) -> None:
        """Step by ``seconds``, backwards too."""
        self.instant += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        """Step instead of waiting."""
        self.move(seconds)


@pytest.fixture
def clock() -> StillClock:
    """Return a clock at 2026-12-01 05:30 UTC."""
    return StillClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """Return an open store on a real file."""
    opened = await Store.open(lay(tmp_path / "owner.db"))
    yield opened
    await opened.close()
