"""Commands that are made again, where they run, from the plain words that tell them."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final

# What a command is made of, in an order that both ends know.
type Words = tuple[Any, ...]


class Worded(ABC):
    """A command that is made again, where it runs, from what it consists of."""

    __slots__ = ()

    @abstractmethod
    def __call__(self, tx: Any) -> Any:  # noqa: ANN401 - any transaction, any outcome
        """Do it."""

    @abstractmethod
    def words(self) -> Words:
        """Return plain values, lists and dicts that can be pickled, and told in JSON if possible.

        Tuples may arrive as lists, and infinity as None.
        """

    def __reduce__(self) -> tuple[Callable[[Words], Any], tuple[Words]]:
        """Say how it is made again from its words that no JSON can tell."""
        return made, (self.words(),)


_MAKERS: Final[list[Callable[[Words], Any]]] = []


def understand(make: Callable[[Words], Any]) -> None:
    """Make commands of words with this function from now on, in this process."""
    _MAKERS[:] = [make]


def made(words: Words) -> Any:  # noqa: ANN401 - whatever the maker makes
    """Return the command of these words; raises LookupError where nobody makes any."""
    if not _MAKERS:
        raise LookupError("nobody here makes commands of words")
    return _MAKERS[0](words)
