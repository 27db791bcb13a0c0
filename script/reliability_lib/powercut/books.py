"""What the owners remember, held against what a disk still knows after a cut."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
import sqlite3

from owner_api.audit.check import audit
from script.reliability_lib.stage import Plan

from .answering import Asked


@dataclass
class Books:
    """One database's answered requests, those nobody knows about, and where each owner stands."""

    plan: Plan
    answers: dict[str, str] = field(default_factory=dict)
    unsure: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    offers: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin every owner at the first request."""
        self.numbers = [0] * len(self.plan.answerers)
        self.offers = [0] * len(self.plan.answerers)

    def next_of(self, owner: int, amount: int) -> list[Asked]:
        """Return an owner's next requests: four answers, then a stop, and so on."""
        made = []
        for _ in range(amount):
            number = self.numbers[owner]
            self.numbers[owner] += 1
            offer = -1
            if number % 5 != 4:
                offer, self.offers[owner] = self.offers[owner], self.offers[owner] + 1
            made.append(Asked(owner, number, offer))
        return made

    def left(self) -> int:
        """Return how many offers the owner with the fewest has left."""
        return min(self.left_of(owner) for owner in range(len(self.offers)))

    def left_of(self, owner: int) -> int:
        """Return how many offers an owner has left."""
        return len(self.plan.answerers[owner].offers) - self.offers[owner]


@dataclass
class Verdict:
    """What one look at the disk found."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    unreadable: bool = False


def examine(path: Path, books: Books, *, whole: bool, file: bool = True) -> Verdict:
    """Hold a database against the books; ``whole`` also audits every column of the log.

    ``file`` also has SQLite check its pages.

    A request is lost when it was answered and its effect is gone, doubled when its effect is
    there twice. Stops have no content of their own, so an owner's are counted: there must be as
    many as keys that the disk knows.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        invalid = list(unsound(connection, whole=whole, file=file))
        return Verdict(*_effects(connection, books), invalid)
    except sqlite3.DatabaseError as error:
        return Verdict(lost=sorted(books.answers), invalid=[str(error)], unreadable=True)
    finally:
        connection.close()


def _effects(connection: sqlite3.Connection, books: Books) -> tuple[list[str], list[str]]:
    counted = (
        "SELECT content ->> '$.body.offer_id', COUNT(*) FROM ledger_entry"
        " JOIN ledger_leaf USING (position) WHERE kind = 'decision' GROUP BY 1"
    )
    decided: dict[str, int] = dict(connection.execute(counted))
    stops: dict[str, int] = dict(
        connection.execute(
            "SELECT party_id, COUNT(*) FROM receipt WHERE kind = 'stop' GROUP BY party_id"
        )
    )
    lost, doubled = [], []
    said = dict.fromkeys(range(len(books.plan.answerers)), 0)
    for key in books.answers:
        asked = Asked.named(key)
        if asked.offer < 0:
            said[asked.owner] += 1
            continue
        offer_id = books.plan.answerers[asked.owner].offers[asked.offer][0]
        if decided.get(offer_id, 0) == 0:
            lost.append(key)
    doubled += [offer_id for offer_id, times in decided.items() if times > 1]
    for number, person in enumerate(books.plan.answerers):
        made = stops.get(person.owner_id, 0)
        open_stops = sum(1 for key in books.unsure if _is_stop_of(key, number))
        if made < said[number]:
            lost += [f"{number}: {said[number] - made} stops"] * (said[number] - made)
        if made > said[number] + open_stops:
            doubled += [f"{number}: a stop"] * (made - said[number] - open_stops)
    return lost, doubled


def _is_stop_of(key: str, owner: int) -> bool:
    asked = Asked.named(key)
    return asked.owner == owner and asked.offer < 0


def unsound(connection: sqlite3.Connection, *, whole: bool, file: bool) -> Iterator[str]:
    """Yield what does not hold in the file, the sums and the log."""
    if file:
        found = connection.execute("PRAGMA quick_check").fetchall()
        yield from (row[0] for row in found if row[0] != "ok")
    unbalanced = connection.execute(
        "SELECT txn_id FROM posting GROUP BY txn_id, currency HAVING SUM(amount_minor) != 0"
    ).fetchall()
    yield from (f"posting {row[0]}" for row in unbalanced)
    leaves, size = connection.execute(
        "SELECT (SELECT COUNT(*) FROM ledger_leaf), (SELECT MAX(size) FROM ledger_checkpoint)"
    ).fetchone()
    if leaves != size:
        yield f"{leaves} leaves under a checkpoint of {size}"
    if whole:
        yield from (f"{found.table}/{found.row}: {found.what}" for found in audit(connection))
