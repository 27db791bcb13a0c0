"""Cut streams at any moment while events flow; each event is heard once and in order."""

import argparse
import asyncio
from pathlib import Path
import tempfile
from time import monotonic
from typing import Final

from script.reliability_lib.report import counts

from .run import Found, follow

_PROOF_S: Final = 3.0
_PROOF_STREAMS: Final = 2
_RESUMES: Final = 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--streams", type=int, default=6, help="for each of eight parties")
    parser.add_argument("--seed", type=int, default=1)


def cut(seconds: float, *, each: int, seed: int, slip: int = 0) -> Found:
    """Cut for so long; ``slip`` lets every client resume so many events too late.

    Goes on until enough clients have resumed for a slip to be seen.
    """
    with tempfile.TemporaryDirectory(prefix="streams-") as made:
        folder = Path(made) / "served"
        following = follow(folder, seconds, each=each, seed=seed, slip=slip, resumes=_RESUMES)
        return asyncio.run(following)[0]


def run(options: argparse.Namespace) -> bool:
    """Cut and resume, then with clients that resume one too late and one too early."""
    began = monotonic()
    found = cut(options.seconds, each=options.streams, seed=options.seed)
    _print(found, monotonic() - began)
    held = good(found)
    if options.no_proof:
        return held
    late = cut(_PROOF_S, each=_PROOF_STREAMS, seed=options.seed, slip=1)
    early = cut(_PROOF_S, each=_PROOF_STREAMS, seed=options.seed, slip=-1)
    counts(
        "proof: resumed one event too late, and one too early",
        (
            ("missed when too late", late.missed),
            ("repeated when too early", early.repeated),
        ),
    )
    return held and late.missed > 0 and early.repeated > 0


def good(found: Found) -> bool:
    """Return whether all held and every kind of cut came about."""
    links = found.links
    busy = links.hung_up and links.inside and links.dropped and links.with_server
    wrong = found.missed or found.repeated or found.disordered or found.differ or links.refused
    return bool(busy and found.heard) and not wrong


def _print(found: Found, seconds: float) -> None:
    links = found.links
    ended = links.hung_up + links.dropped + links.with_server
    counts(
        "streams: owners and a park, cut at any moment while events flow",
        (
            ("streams", found.streams),
            ("servers killed with -9", found.killed),
            ("servers stopped in order", found.ended),
            ("disconnects", ended),
            ("of these hung up by the client", links.hung_up),
            ("of these in the middle of a frame", links.inside),
            ("of these dropped by the server as too slow", links.dropped),
            ("of these lost with the server", links.with_server),
            ("resumes under the last number", links.resumed),
            ("resumes refused", links.refused),
            ("events in the outbox", found.outbox),
            ("events received, all streams together", found.heard),
            ("missed", found.missed),
            ("repeated", found.repeated),
            ("out of order", found.disordered),
            ("other than in the outbox", found.differ),
            ("seconds", round(seconds)),
        ),
    )
