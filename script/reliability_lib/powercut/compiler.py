"""Compile the shim with whatever C compiler there is; without one there is no harness."""

from importlib.util import find_spec
from pathlib import Path
import shutil
import subprocess
import sys
from typing import Final

SOURCE: Final = Path(__file__).with_name("shim.c")
_FLAGS: Final = ("-O2", "-Wall", "-Wextra", "-shared", "-fPIC")


class NoCompilerError(RuntimeError):
    """There is no C compiler, so power cuts cannot be simulated here."""


def compiler() -> list[str]:
    """Return the words that start a C compiler: cc, gcc, clang, or ziglang from PyPI."""
    for name in ("cc", "gcc", "clang"):
        if found := shutil.which(name):
            return [found]
    if find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc"]
    raise NoCompilerError(
        "no cc, gcc or clang; install one, or: uv pip install --python .venv/bin/python ziglang"
    )


def compile_shim(folder: Path) -> Path:
    """Compile the shim into ``folder``; raises NoCompilerError or CalledProcessError."""
    library = folder / "powercut.so"
    words = [*compiler(), *_FLAGS, "-o", str(library), str(SOURCE), "-ldl", "-lpthread"]
    subprocess.run(words, check=True)
    return library
