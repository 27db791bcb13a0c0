"""Counts, inside the server, which status every operation answered."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

from aiohttp import web

from owner_api.server.metrics import Metrics

type Operation = tuple[str, str]

FUZZER: Final = "schemathesis"
_VERBS: Final = ("get", "post", "put", "patch", "delete")


class Seen:
    """Statuses by operation, and how many of the requests the fuzzer generated."""

    def __init__(self) -> None:
        self.statuses: Counter[tuple[Operation, int]] = Counter()
        self.cases = 0

    def see(self, request: web.Request, response: web.StreamResponse) -> None:
        """Count one answer as it leaves."""
        self.cases += FUZZER in request.headers.get("User-Agent", "")
        resource = request.match_info.route.resource
        if resource is not None:
            self.statuses[(request.method, resource.canonical), response.status] += 1

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count in every server that is made inside the block, beside its own figures."""
        count = Metrics.count

        def both(metrics: Metrics, request: web.Request, response: web.StreamResponse) -> None:
            self.see(request, response)
            count(metrics, request, response)

        with patch.object(Metrics, "count", both):
            yield

    def of(self, operation: Operation) -> dict[int, int]:
        """Return an operation's statuses and how often each was answered."""
        return {
            status: times for (each, status), times in self.statuses.items() if each == operation
        }


def documented(contract: Mapping[str, Any]) -> dict[Operation, list[int]]:
    """Return each operation's documented statuses that a caller can bring about: 2xx and 4xx."""
    return {
        (verb.upper(), path): sorted(
            int(status) for status in item[verb]["responses"] if status[0] in "24"
        )
        for path, item in contract["paths"].items()
        for verb in _VERBS
        if verb in item
    }
