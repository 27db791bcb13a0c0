"""How the harnesses start the product's own command line: this checkout's, from nothing."""

from pathlib import Path
import sys
from typing import Final

ROOT: Final = Path(__file__).parents[2]
# What the installed `owner-api` does; started in ROOT, so that it is this checkout's.
OWNER_API: Final = (sys.executable, "-c", "from owner_api.cli import main; main()")
