"""One running server: store, streams, timers and socket, wired and stopped together."""

import asyncio
import logging
from pathlib import Path
from ssl import SSLContext
from typing import Final, Self

from aiohttp import web

from owner_api.access.services import open_access
from owner_api.clock import Clock
from owner_api.config import Config, ConfigError, is_loopback
from owner_api.relay import Hub
from owner_api.store import Store

from .app import BACKLOG, create_app, make_runner
from .auth import Authenticator
from .desk import Desk
from .furnish import open_desk
from .headers import LEAVING
from .ledger import log_gate
from .metrics import Metrics
from .timers import Timers
from .tls import certificate_ends_at, server_context
from .tls_site import TlsSite

_LOG: Final = logging.getLogger("owner_api.server")


class Agent:
    """The owner's agent as one object; make it with ``build_agent``."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        config: Config,
        desk: Desk,
        run_timers: bool = True,
    ) -> None:
        self.store = store
        self.clock = clock
        self.config = config
        self.desk = desk
        self.access = access = desk.access
        self.notary = notary = desk.notary
        self.hub = Hub(store, config, clock)
        self.app = create_app(
            store=store,
            clock=clock,
            config=config,
            routes=desk.operations,
            authenticate=Authenticator(access.tokens),
            hub=self.hub,
            gate=log_gate(notary),
        )
        self._timers = Timers(store, clock, config)
        self.metrics = Metrics(
            store=store, clock=clock, hub=self.hub, notary=notary, timers=self._timers
        )
        self.app[LEAVING].append(self.metrics.count)
        self.metrics_port: int | None = None
        self._run_timers = run_timers
        self._runner: web.AppRunner | None = None

    async def start(
        self,
        host: str | None = None,
        port: int | None = None,
        ssl: SSLContext | None = None,
    ) -> int:
        """Listen and return the bound port; host and port default to the configuration's.

        Raises ConfigError for plain HTTP beyond loopback without a declared proxy.
        """
        host = self.config.listen_host if host is None else host
        port = self.config.listen_port if port is None else port
        context = ssl or await asyncio.to_thread(_tls, self.config)
        if context is None and not is_loopback(host) and not self.config.trusted_proxies:
            raise ConfigError(
                f"{host}: plain HTTP is for loopback only; set tls_certificate and tls_key,"
                " or trusted_proxies when a proxy speaks TLS"
            )
        runner = make_runner(self.app, self.config)
        await runner.setup()
        self._runner = runner
        site: web.BaseSite = web.TCPSite(runner, host, port, backlog=BACKLOG)
        if context is not None:
            wait_s = self.config.keepalive_s
            site = TlsSite(runner, host, port, context, backlog=BACKLOG, deadline_s=wait_s)
        await site.start()
        await self._watch_certificate()
        if self.config.metrics_port is not None:
            self.metrics_port = await self._start_metrics(self.config.metrics_port, context)
        if self._run_timers:
            self._timers.start()
        return int(runner.addresses[0][1])

    async def _watch_certificate(self) -> None:
        """Say when our certificate ends: nobody comes in after that, a stop neither."""
        file = self.config.tls_certificate
        ends_at = await asyncio.to_thread(certificate_ends_at, file) if file else None
        if ends_at is None:
            return
        self.metrics.watch_certificate(ends_at)
        if ends_at <= self.clock.now():
            _LOG.warning("the certificate %s ended at %s; renew it, then restart", file, ends_at)

    async def _start_metrics(self, port: int, context: SSLContext | None) -> int:
        host = self.config.metrics_host
        if is_loopback(host):
            return await self.metrics.start(host, port)
        if context is None and not self.config.trusted_proxies:
            raise ConfigError(
                f"metrics_host {host}: figures leave this machine under TLS only; set"
                " tls_certificate and tls_key, or 127.0.0.1 and a scraper on this machine"
            )
        return await self.metrics.start(host, port, context)

    async def tick(self) -> None:
        """Do once what is due now; for a clock that is moved by hand."""
        await self._timers.tick()

    async def stop(self) -> None:
        """Take no more, end the streams, answer what is running, then close the store."""
        await self._timers.stop()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self.metrics.stop()
        self.hub.close()
        await self.store.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()


async def build_agent(
    database: Path,
    clock: Clock,
    config: Config,
    *,
    run_timers: bool = True,
    synchronous: str = "FULL",
    apart: bool = False,
    packages: tuple[str, ...] = (),
) -> Agent:
    """Open (or make) a database and its keys and wire a server on it, not yet listening.

    With ``apart`` the writer is a process of its own, and commands may be functions of this package
    and of ``packages``.
    ``synchronous`` other than FULL breaks promise 5 and is for throw-away simulations only.
    Raises StoreError, KeyFileError or ConfigError.
    """
    if apart:
        store = await Store.open_apart(database, synchronous=synchronous, packages=packages)
    else:
        store = await Store.open(database, synchronous=synchronous)
    try:
        access = await open_access(store, database, clock.now())
        desk = await open_desk(store, database, access, config, clock.now())
        return Agent(
            store=store,
            clock=clock,
            config=config,
            desk=desk,
            run_timers=run_timers,
        )
    except BaseException:
        await store.close()
        raise


def _tls(config: Config) -> SSLContext | None:
    if config.tls_certificate is None or config.tls_key is None:
        return None
    try:
        return server_context(config.tls_certificate, config.tls_key)
    except OSError as error:
        raise ConfigError(f"tls_certificate or tls_key cannot be used: {error}") from error
