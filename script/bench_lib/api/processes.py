"""The processes of the bench: servers and C programs, each ended by closing its input."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
import shutil
import subprocess
import sys

END_S = 30


class BenchError(Exception):
    """A part of the bench did not do what the figures need."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running process that is spoken to line by line."""

    process: asyncio.subprocess.Process

    async def line(self) -> str:
        """Return its next line; raises BenchError when it has ended instead."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if not line:
            raise BenchError(f"a process ended with {await self.process.wait()}")
        return line.decode().strip()

    def say(self, text: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n".encode())

    def resident_bytes(self) -> int:
        """Return how much memory it occupies now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024


@asynccontextmanager
async def child(*command: str | Path) -> AsyncIterator[Child]:
    """Run a process for the time of the block."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    try:
        yield Child(process)
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), END_S)
        except TimeoutError:
            process.kill()
            await process.wait()


def module(name: str) -> tuple[str, ...]:
    """Return the command that runs a module beside this one."""
    return (sys.executable, "-m", f"{__package__}.{name}")


def compile_c(name: str, folder: Path) -> Path:
    """Compile a C program beside this module; raises BenchError where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise BenchError("the load and the fan-out's floor are C: there is no cc here")
    target = folder / name
    source = Path(__file__).with_name(f"{name}.c")
    subprocess.run([compiler, "-O2", "-o", target, source], check=True)
    return target
