"""What holds for every test: it leaves the process as it has found it."""

from collections.abc import Iterator
import logging

import pytest

_LOGGERS = ("custom_components", "custom_components.v2g_owner", "homeassistant", "owner_api")


@pytest.fixture(autouse=True)
def log_levels_are_left_as_found() -> Iterator[None]:
    """Fail a test that leaves a logger's level changed: a later one would wait for a lost line."""
    before = {name: logging.getLogger(name).level for name in _LOGGERS}
    yield
    assert {name: logging.getLogger(name).level for name in _LOGGERS} == before
