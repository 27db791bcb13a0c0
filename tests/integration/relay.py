"""The network between a home and its API, which can be cut: what was sent waits, nobody is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Relay:
    """Passes bytes on between one address and another, until it is cut."""

    def __init__(self, upstream_port: int) -> None:
        self._upstream_port = upstream_port
        self._open = asyncio.Event()
        self._open.set()
        # The connections whose last word was the home's: the API owes an answer.
        self._asked: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Where the home finds the API."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def busy(self) -> bool:
        """Tell whether an answer is on its way; over a cut network none is."""
        return self._open.is_set() and bool(self._asked)

    def cut(self) -> None:
        """Lose the network: neither side hears anything, not even that it is lost."""
        self._open.clear()

    def mend(self) -> None:
        """Let the network carry again, what was waiting first."""
        self._open.set()

    async def start(self) -> None:
        """Listen on a free loopback port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def stop(self) -> None:
        """Close every connection."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, home: asyncio.StreamReader, to_home: asyncio.StreamWriter) -> None:
        """Carry one connection in a task that can be ended."""
        task = asyncio.create_task(self._carry(home, to_home))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, home: asyncio.StreamReader, to_home: asyncio.StreamWriter) -> None:
        key = id(to_home)
        to_api: asyncio.StreamWriter | None = None
        try:
            await self._open.wait()
            with suppress(OSError):
                api, to_api = await asyncio.open_connection("127.0.0.1", self._upstream_port)
                ways = (
                    asyncio.create_task(self._pump(home, to_api, key, asks=True)),
                    asyncio.create_task(self._pump(api, to_home, key, asks=False)),
                )
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
                    await asyncio.gather(*ways, return_exceptions=True)
        finally:
            self._asked.discard(key)
            to_home.close()
            if to_api is not None:
                to_api.close()

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        key: int,
        *,
        asks: bool,
    ) -> None:
        """Pass on one direction."""
        while data := await source.read(65_536):
            await self._open.wait()
            (self._asked.add if asks else self._asked.discard)(key)
            sink.write(data)
            await sink.drain()


@asynccontextmanager
async def relaying(upstream_port: int) -> AsyncIterator[Relay]:
    """Stand between a home and an API on this machine."""
    relay = Relay(upstream_port)
    await relay.start()
    try:
        yield relay
    finally:
        relay.mend()
        await relay.stop()
