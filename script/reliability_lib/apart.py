"""Work in several processes, so that every core of the machine plays."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
import logging
import multiprocessing


def apart[S, T](work: Callable[[int, S], T], amount: int, seeds: Iterable[S]) -> Iterator[T]:
    """Share ``amount`` among as many processes as there are seeds; yield what each returns."""
    named = list(seeds)
    shares = [amount // len(named) + (at < amount % len(named)) for at in range(len(named))]
    if len(named) == 1:
        yield work(amount, named[0])
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(named), mp_context=context, initializer=_quietly) as pool:
        yield from pool.map(work, shares, named)


def _quietly() -> None:
    """Keep what the servers log out of the report, as the command does in its own process."""
    logging.getLogger("owner_api").addHandler(logging.NullHandler())
