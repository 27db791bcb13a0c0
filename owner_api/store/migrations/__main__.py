"""Write the next migration step: ``python -m owner_api.store.migrations "add receipts"``.

Compares the declared tables with what the existing steps make. Until the first release
``--first`` writes step 0001 anew instead, because no database has to be kept yet.
"""

from pathlib import Path
import shutil
import sys
import tempfile
from typing import Final

from alembic import command
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from owner_api.store import migrating, upgrading

_VERSIONS: Final = Path(__file__).parent / "versions"
_USAGE: Final = 'usage: python -m owner_api.store.migrations ("what changes" | --first)'


def write_step(message: str, *, first: bool) -> Path:
    """Write one step from the difference and return its file; raises AlembicError."""
    upgrading.import_tables()
    old = sorted(_VERSIONS.glob("[0-9]*.py"))
    number = 1 if first else len(old) + 1
    config = migrating.config()
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    with tempfile.TemporaryDirectory() as folder:
        if first:
            config.set_main_option("version_locations", folder)
        engine = create_engine(f"sqlite:///{folder}/now.db", poolclass=NullPool)
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            if not first:
                command.upgrade(config, "head")
            command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")
        if first:
            (written,) = Path(folder).glob("*.py")
            for step in old:
                step.unlink()
            shutil.copy(written, _VERSIONS)
    return next(_VERSIONS.glob(f"{number:04}_*.py"))


def main(arguments: list[str]) -> int:
    """Run the command line; 0 when a step was written, 2 on bad arguments."""
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        sys.stderr.write(f"{_USAGE}\n")
        return 2
    first = arguments[0] == "--first"
    step = write_step("first schema" if first else arguments[0], first=first)
    sys.stdout.write(f"{step}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
