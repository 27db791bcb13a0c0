"""A connection of ours."""

import sqlite3
from typing import Any


class Connection(sqlite3.Connection):
    """A connection that remembers each query's column names; its schema does not change."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - sqlite3's
        super().__init__(*args, **kwargs)
        self.columns: dict[str, tuple[str, ...]] = {}
