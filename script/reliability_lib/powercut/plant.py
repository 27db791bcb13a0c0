"""The power plant: a process under the shim that forks one victim for each cut.

Everything is imported once; each victim arms the shim on its own database, works, and is gone at a
random operation on it. Prints one JSON line with the counts.
"""

import asyncio
from collections import Counter
import ctypes
from dataclasses import dataclass, field
import hashlib
import os
from pathlib import Path
import random
import shutil
import sqlite3
import sys
from typing import Final

import orjson

from script.reliability_lib.stage import DATABASE, Plan, copy, prepare

from .answering import Asked, answer
from .books import Books, examine

OWNERS: Final = 16
PER_OWNER: Final = 12
FEWEST_LEFT: Final = 25
CUT_CODE: Final = 87
# Operations on the files until the power goes; a commit of a group is some dozens.
FIRST_OPERATION: Final = 20
LAST_OPERATION: Final = 900
# Asked again after each cut although they were answered: the answer must still be the same.
SURE_REPEATS: Final = 5


@dataclass
class Counts:
    """What the cuts came to."""

    cuts: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    invalid: int = 0
    retried: int = 0
    found: int = 0
    changed: int = 0
    disk: Counter[str] = field(default_factory=Counter)
    first: str = ""


class Plant:
    """Cuts the power of one database after another."""

    def __init__(self, folder: Path, mode: str, seed: int, offers: int) -> None:
        self.folder = folder
        self.mode = mode
        self.offers = offers
        self.chance = random.Random(seed)  # noqa: S311 - a plan to repeat
        self.counts = Counts()
        self.arm = ctypes.CDLL(None).powercut_arm
        self.arm.argtypes = [
            *(ctypes.c_char_p, ctypes.c_char_p, ctypes.c_long, ctypes.c_uint64, ctypes.c_int)
        ]

    def run(self, cuts: int) -> Counts:
        """Make a database, cut its power again and again, take a fresh one when it is used up."""
        template, place = self.folder / "template", self.folder / "cut"
        asyncio.run(prepare(template, owners=OWNERS, offers=self.offers))
        plan = Plan.load(template)
        books: Books | None = None
        while self.counts.cuts < cuts:
            if books is None or books.left() < FEWEST_LEFT:
                copy(template, place)
                books = Books(plan)
            self._cut(place, books)
            if not self._judge(place, books):
                books = None
        return self.counts

    def _work(self, books: Books) -> list[list[Asked]]:
        """Return what each owner asks: what nobody knows again, some sure ones again, then new."""
        sure = self.chance.sample(sorted(books.answers), min(SURE_REPEATS, len(books.answers)))
        again = [Asked.named(key) for key in (*books.unsure, *sure)]
        return [
            [each for each in again if each.owner == number] + books.next_of(number, PER_OWNER)
            for number in range(OWNERS)
        ]

    def _cut(self, place: Path, books: Books) -> None:
        work = self._work(books)
        new = {asked.key for each in work for asked in each} - set(books.answers)
        again = set(books.unsure)
        before = set(books.answers)
        known = self._known(place, again)
        said, disk = self._victim(place, work)
        for line in said:
            key, digest = line.split()
            if books.answers.setdefault(key, digest) != digest:
                self.counts.changed += 1
            if key in again or key in before:
                self.counts.retried += 1
                self.counts.found += key in known or key in before
        self.counts.acknowledged += len(set(books.answers) - before)
        self._put_back(books, new)
        self.counts.cuts += disk is not None
        self.counts.disk.update(disk or {})

    def _put_back(self, books: Books, new: set[str]) -> None:
        """Keep as unsure what was begun and not answered; requests never begun are not asked."""
        waiting: dict[int, Asked] = {}
        for key in new - set(books.answers):
            asked = Asked.named(key)
            first = waiting.get(asked.owner)
            if first is None or asked.number < first.number:
                waiting[asked.owner] = asked
        books.unsure = sorted(asked.key for asked in waiting.values())
        for owner, asked in waiting.items():
            # The next request after the unsure one is new again.
            used = Asked.named(asked.key)
            books.numbers[owner] = used.number + 1
            books.offers[owner] = _offers_before(used.number + 1)

    def _known(self, place: Path, keys: set[str]) -> set[str]:
        """Return which of these keys the disk has an answer for, looking at a copy."""
        if not keys:
            return set()
        copied = self.folder / "look"
        _copy_files(place, copied)
        connection = sqlite3.connect(copied / DATABASE)
        try:
            there = {row[0] for row in connection.execute("SELECT key_sha256 FROM idempotency")}
        finally:
            connection.close()
        return {key for key in keys if hashlib.sha256(key.encode()).hexdigest() in there}

    def _victim(
        self, place: Path, work: list[list[Asked]]
    ) -> tuple[list[str], dict[str, int] | None]:
        """Fork, work until the power goes, and return what was said and what the disk did."""
        says, told = os.pipe()
        reports, report = os.pipe()
        at = self.chance.randrange(FIRST_OPERATION, LAST_OPERATION)
        seed = self.chance.getrandbits(63)
        child = os.fork()
        if child == 0:
            os.dup2(told, 1)
            self.arm(str(place).encode(), DATABASE.encode(), at, seed, report)
            try:
                asyncio.run(answer(place, place / DATABASE, work, self.mode))
            except BaseException as error:  # noqa: BLE001 - a victim's last words
                os.write(2, f"a victim failed by itself: {error!r}\n".encode())
                os._exit(1)
            os._exit(0)
        os.close(told)
        os.close(report)
        said = _all_of(says)
        last = _all_of(reports)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code not in (0, CUT_CODE):
            self.counts.invalid += 1
            self.counts.first = self.counts.first or f"a victim ended with {code}"
        # A line cut in two was never sent; whole lines were.
        lines = said.decode().split("\n")[:-1]
        return lines, orjson.loads(last) if code == CUT_CODE else None

    def _judge(self, place: Path, books: Books) -> bool:
        """Examine a copy of the disk; return whether it is worth going on with."""
        copied = self.folder / "look"
        _copy_files(place, copied)
        verdict = examine(copied / DATABASE, books, whole=True)
        self.counts.lost += len(verdict.lost)
        self.counts.doubled += len(verdict.doubled)
        self.counts.invalid += len(verdict.invalid)
        wrong = [*verdict.lost, *verdict.doubled, *verdict.invalid]
        if wrong:
            self.counts.first = self.counts.first or str(wrong[0])
        return not wrong


def _offers_before(number: int) -> int:
    """Return how many of an owner's first ``number`` requests answer an offer."""
    return number - number // 5


def _all_of(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read()


def _copy_files(place: Path, to: Path) -> None:
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir()
    for suffix in ("", "-wal", "-journal"):
        source = place / f"{DATABASE}{suffix}"
        if source.exists():
            shutil.copyfile(source, to / source.name)


def main(words: list[str]) -> None:
    """Cut: FOLDER CUTS MODE SEED OFFERS (offers to answer per owner and database)."""
    folder, cuts, mode, seed = Path(words[0]), int(words[1]), words[2], int(words[3])
    counts = Plant(folder, mode, seed, int(words[4])).run(cuts)
    print(orjson.dumps(counts.__dict__).decode(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
