"""What a machine may watch, on a port of its own: counts and times, never who or what for."""

from datetime import datetime
from math import inf
from ssl import SSLContext
import time
from typing import Final

from aiohttp import web
import orjson
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from owner_api.clock import Clock
from owner_api.commands.notary import Notary
from owner_api.relay import Hub
from owner_api.store import Store, outbox

from .timers import Timers

_DISCHARGE: Final = "/v1/park/commitments/{commitment_id}/instructions"
_STOP: Final = "/v1/stops"
_COMMIT_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_REFUSED: Final = 400


class _Process(ProcessCollector):
    """A process's figures, also where /proc shows processes and nothing else.

    As under the unit we ship: the collector's own gives none at all without /proc/stat.
    """

    def _boot_time(self) -> float:
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


class Metrics:
    """The figures of one server; labels hold route patterns, statuses and problem codes only."""

    def __init__(
        self, *, store: Store, clock: Clock, hub: Hub, notary: Notary, timers: Timers
    ) -> None:
        self._store = store
        self._clock = clock
        self._runner: web.AppRunner | None = None
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "owner_api_requests",
            "Requests answered",
            ("method", "route", "status"),
            registry=self._registry,
        )
        # Finding a counter by its labels costs more than counting.
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._refused = Counter(
            "owner_api_refused_discharges",
            "Setpoints that were not allowed, by problem code",
            ("reason",),
            registry=self._registry,
        )
        # A counter that first appears at one has not increased for Prometheus: alerts need a zero.
        for status in ("500", "503"):
            self._requests.labels("POST", _STOP, status)
        self._refused.labels("stop_in_force")
        commits = Histogram(
            "owner_api_commit_seconds",
            "Time of a batch's COMMIT, the flush to disk included",
            buckets=_COMMIT_S,
            registry=self._registry,
        )
        self._outbox_age = Gauge(
            "owner_api_outbox_oldest_seconds",
            "Age of the oldest event that is kept for replay",
            registry=self._registry,
        )
        streams = Gauge("owner_api_streams", "Streams that are open", registry=self._registry)
        streams.set_function(lambda: hub.streams)
        late = Gauge(
            "owner_api_deadlines_late_seconds",
            "Time since the deadlines of deals were last looked at",
            registry=self._registry,
        )
        late.set_function(lambda: timers.late_s)
        refuses = Gauge(
            "owner_api_log_refuses_service",
            "1 while the log is not the one that was signed, else 0",
            registry=self._registry,
        )
        refuses.set_function(lambda: notary.refusing is not None)
        self._certificate_left = Gauge(
            "owner_api_certificate_left_seconds",
            "Time until the certificate that was read at the start ends; +Inf where there is none",
            registry=self._registry,
        )
        self._certificate_left.set(inf)
        _Process(namespace="owner_api", registry=self._registry)
        if (apart := store.apart) is not None:
            # Half of what the server takes is taken there.
            _Process(
                namespace="owner_api_writer",
                pid=lambda: apart.process_id,
                registry=self._registry,
            )
        store.time_commits(commits.observe)

    def count(self, request: web.Request, response: web.StreamResponse) -> None:
        """Count an answer as it leaves."""
        resource = request.match_info.route.resource
        route = "unknown" if resource is None else resource.canonical
        # A method is the caller's word; one that no route has is not kept as a label.
        method = "unknown" if resource is None else request.method
        counted = (method, route, response.status)
        if (counter := self._counters.get(counted)) is None:
            counter = self._requests.labels(method, route, str(response.status))
            self._counters[counted] = counter
        counter.inc()
        if route == _DISCHARGE and response.status >= _REFUSED:
            body = response.body if isinstance(response, web.Response) else None
            reason = orjson.loads(body)["code"] if isinstance(body, bytes) else "unknown"
            self._refused.labels(reason).inc()

    def watch_certificate(self, ends_at: datetime) -> None:
        """Tell from now on how long the certificate that is served still lasts."""

        def left_s() -> float:
            return (ends_at - self._clock.now()).total_seconds()

        self._certificate_left.set_function(left_s)

    async def start(self, host: str, port: int, ssl: SSLContext | None = None) -> int:
        """Listen for scrapes and return the bound port."""
        app = web.Application()
        app.router.add_get("/metrics", self._scrape)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, ssl_context=ssl).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Answer no more scrapes."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _scrape(self, _request: web.Request) -> web.Response:
        oldest = await self._store.read(outbox.oldest_at)
        age = (self._clock.now() - oldest).total_seconds() if oldest else 0.0
        self._outbox_age.set(age)
        body = generate_latest(self._registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
