"""Processes of the demo: started with a log, stopped by their own id."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
import os
from pathlib import Path
import signal
import socket
from typing import Self

_TERM_PATIENCE_S = 20.0


class ProcessEndedError(Exception):
    """A process ended that should still run; the message ends with the last lines of its log."""


@dataclass(slots=True, kw_only=True)
class Process:
    """One process that this program started."""

    name: str
    log: Path
    process: asyncio.subprocess.Process

    @classmethod
    async def start(
        cls,
        name: str,
        *command: str | Path,
        log: Path,
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """Start a command in ``folder``; everything it says goes to ``log``."""
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *map(str, command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=folder,
                env=os.environ | (environment or {}),
                # Ctrl-C is for us; we stop the others in order.
                start_new_session=True,
            )
        return cls(name=name, log=log, process=process)

    def check(self) -> None:
        """Raise ProcessEndedError when it no longer runs."""
        if (code := self.process.returncode) is not None:
            raise ProcessEndedError(f"{self.name} ended with exit code {code}:\n{self.tail()}")

    def tail(self, lines: int = 12) -> str:
        """Return the last lines of the log."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)

    async def stop(self) -> None:
        """Ask it to end, and insist after a while."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.terminate()
            try:
                async with asyncio.timeout(_TERM_PATIENCE_S):
                    await self.process.wait()
            except TimeoutError:
                self.kill()
        await self.process.wait()


def free_port(wanted: int = 0) -> int:
    """Return a port of 127.0.0.1 nobody listens on: the wanted one when it is free."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")
