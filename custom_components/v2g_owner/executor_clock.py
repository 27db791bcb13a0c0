"""A clock that was set back: what is known grows no younger, what was given lasts no longer.

The plan alone keeps its times: it is about true time, and the clock is taken to be right now.
"""

from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from .control_watch import Watch
from .executor_store import Memory


def memory_dated_back(memory: Memory, by: timedelta) -> Memory:
    """Return a memory as if it had been made with the clock that much earlier."""
    dated: Memory = _dated_back(memory, by)
    return replace(dated, orders=replace(dated.orders, plan=memory.orders.plan))


def watch_dated_back(watch: Watch, by: timedelta) -> Watch:
    """Return the commands given lately as if the clock had been that much earlier."""
    dated: Watch = _dated_back(watch, by)
    return dated


def _dated_back(value: Any, by: timedelta) -> Any:  # noqa: ANN401 - any part of a dataclass
    """Return a value with every instant in it that much earlier."""
    if isinstance(value, datetime):
        return value - by
    if is_dataclass(value) and not isinstance(value, type):
        known = {field.name: getattr(value, field.name) for field in fields(value)}
        return replace(value, **{key: _dated_back(item, by) for key, item in known.items()})
    if isinstance(value, dict):
        return {key: _dated_back(item, by) for key, item in value.items()}
    return tuple(_dated_back(item, by) for item in value) if isinstance(value, tuple) else value
