"""`script/reliability`: one subcommand per way to break the server."""

import argparse
from collections.abc import Mapping
from importlib import import_module
import logging
import sys
from typing import Final, Protocol, cast


class Harness(Protocol):
    """What the module of a subcommand offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the subcommand's options."""

    def run(self, options: argparse.Namespace) -> bool:
        """Run, print the counts, and return whether everything held."""


_HARNESSES: Final[Mapping[str, str]] = {
    "model": "model.command",
    "powercut": "powercut.command",
    "iofail": "iofail.command",
    "kill": "kill.command",
    "messages": "messages.command",
    "streams": "streams.command",
    "clock": "clock.command",
    "contract": "contract.command",
    "doors": "doors.command",
    "stop": "stop.command",
}


def main(words: list[str]) -> int:
    """Run the named harness; 0 when all held, 1 when something did not, 2 for bad options."""
    parser = argparse.ArgumentParser(prog="script/reliability", description=__doc__)
    parser.add_argument("harness", choices=_HARNESSES)
    named = parser.parse_args(words[:1])
    module = import_module(f"script.reliability_lib.{_HARNESSES[named.harness]}")
    harness = cast("Harness", module)
    own = argparse.ArgumentParser(
        prog=f"script/reliability {named.harness}", description=module.__doc__
    )
    own.add_argument("--no-proof", action="store_true", help="do not prove that it can fail")
    harness.add_arguments(own)
    # What the servers in this process log is not the report.
    logging.getLogger("owner_api").addHandler(logging.NullHandler())
    held = harness.run(own.parse_args(words[1:]))
    print(f"{named.harness}: {'held' if held else 'FAILED'}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
