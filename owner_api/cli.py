"""The command line: one group, whose larger commands are imported only when asked for."""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
import os
from typing import Final

import click

from owner_api import __version__

# Command: the module that holds it and its name there. A build without the module has no command.
_COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "serve": ("owner_api.cli_serve", "serve"),
    "db": ("owner_api.cli_database", "db"),
    "backup": ("owner_api.cli_database", "backup"),
    "restore": ("owner_api.cli_database", "restore"),
    "owner": ("owner_api.cli_parties", "owner"),
    "park": ("owner_api.cli_parties", "park"),
    "pair": ("owner_api.cli_parties", "pair"),
    "device": ("owner_api.cli_parties", "device"),
    "quote": ("owner_api.quote_command", "quote_command"),
    "schedule": ("owner_api.schedule_command", "schedule_command"),
    "wear": ("owner_api.wear_command", "wear"),
    "dwell": ("owner_api.dwell_command", "dwell"),
    "ledger": ("owner_api.ledger_command", "ledger"),
    "receipt": ("owner_api.receipt_command", "receipt"),
    "simulate": ("owner_api.simulation.command", "simulate"),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands this build has, in the order above."""
        return [name for name in _COMMANDS if _exists(name)]

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        """Import and return a command, or None when there is none of that name."""
        if cmd_name not in _COMMANDS or not _exists(cmd_name):
            return None
        module, name = _COMMANDS[cmd_name]
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command


def _exists(name: str) -> bool:
    return find_spec(_COMMANDS[name][0]) is not None


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="owner-api")
def main() -> None:
    """V2G Owner's agent: takes discharge offers, judges them, keeps promises and the ledger.

    Exit codes: 0 good, 1 a check failed, 2 bad input, 3 cannot run.
    """
    # Databases, copies and exports hold what only this user should read.
    os.umask(0o077)
