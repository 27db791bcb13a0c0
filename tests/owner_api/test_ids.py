"""Identifiers rise, never repeat, and say when they were made."""

from concurrent.futures import ThreadPoolExecutor
import subprocess
import sys
import time
from typing import Final
import uuid

import pytest

from owner_api.core.drawn import random_bytes
from owner_api.ids import new_id, uuid7_hex

MANY = 20_000


def test_each_id_is_a_uuid_of_version_7_of_its_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    made = [uuid.UUID(uuid7_hex()) for _ in range(MANY)]
    after = time.time_ns() // 1_000_000
    assert {(each.version, each.variant) for each in made} == {(7, uuid.RFC_4122)}
    assert all(before <= each.int >> 80 <= after for each in made)


def test_later_ids_sort_after_earlier_ones_also_within_a_millisecond() -> None:
    made = [new_id("off") for _ in range(MANY)]
    assert sorted(set(made)) == made


def test_ids_rise_while_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first, present = uuid7_hex(), time.time_ns()
    monkeypatch.setattr("owner_api.ids.time_ns", lambda: present - 600 * 10**9)
    made = [uuid7_hex() for _ in range(MANY)]
    assert sorted({first, *made}) == [first, *made]


def test_threads_are_never_given_the_same() -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: (uuid7_hex(), random_bytes(16)), range(MANY)))
    assert len({name for name, _ in made}) == len({drawn for _, drawn in made}) == MANY


# In a process of its own: one with threads, as a test's is, should not fork.
FORKING: Final = """
import os
from owner_api.core.drawn import random_bytes
from owner_api.ids import uuid7_hex
random_bytes(16), uuid7_hex()
child = os.fork()
os.write(1, f"{random_bytes(16).hex()} {uuid7_hex()}\\n".encode())
if child:
    os.waitpid(child, 0)
"""


def test_a_fork_is_not_given_what_its_parent_is() -> None:
    told = subprocess.run(
        [sys.executable, "-c", FORKING], check=True, capture_output=True, text=True
    ).stdout
    (drawn, made), (drawn_too, made_too) = (line.split() for line in told.splitlines())
    assert drawn != drawn_too
    # Not a few steps away either, as numbers are that count on from the same.
    assert abs(int(made[16:], 16) - int(made_too[16:], 16)) > 1 << 40


def test_what_is_drawn_is_never_given_again() -> None:
    made = [random_bytes(16) for _ in range(MANY)]
    assert {len(each) for each in made} == {16}
    assert len(set(made)) == MANY


def test_an_unknown_prefix_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown id prefix 'xyz'"):
        new_id("xyz")
