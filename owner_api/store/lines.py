"""Commands that wait for the writer, in a line for each party: it takes one of each in turn."""

from collections import deque
from typing import NamedTuple

from .batching import Job


class _Waiting(NamedTuple):
    """A job and its era: how many of the server's own had come before it."""

    era: int
    job: Job


class Lines:
    """Jobs by whose they are: each party's stay in their order, and no one's wait for a crowd.

    A park may send the readings of a thousand cars at once; whoever comes after that, with a stop
    perhaps, waits for one command of each party and not for all of them. Only what the server does
    by itself, as a deadline, waits for all that came before: a lease that was renewed in time is
    not over because the clock's word has passed the renewal.
    """

    def __init__(self) -> None:
        # In the order in which they have their turns; none is empty.
        self._turns: deque[deque[_Waiting]] = deque()
        self._lines: dict[str, deque[_Waiting]] = {}
        # The server's own, each with how many had been added before.
        self._own: deque[tuple[int, Job]] = deque()
        # How many still wait of each era, from the first one whose own job waits on.
        self._eras = deque((0,))
        self._first_era = self._taken = self._added = 0

    def __len__(self) -> int:
        return self._added - self._taken

    def add(self, job: Job) -> None:
        """Let a job wait at the end of its party's line; a new line has its turn last."""
        if not job.whose:
            self._own.append((self._added, job))
            self._eras.append(0)
        else:
            if (line := self._lines.get(job.whose)) is None:
                self._lines[job.whose] = line = deque()
                self._turns.append(line)
            line.append(_Waiting(self._first_era + len(self._eras) - 1, job))
            self._eras[-1] += 1
        self._added += 1

    def take(self) -> Job:
        """Return the job whose turn it is; raises IndexError when none waits."""
        if self._own and not self._eras[0]:
            job = self._own.popleft()[1]
            self._eras.popleft()
            self._first_era += 1
        else:
            job = self._of_a_party()
        self._taken += 1
        return job

    def _of_a_party(self) -> Job:
        if self._own and self._own[0][0] <= self._taken and self._taken % 2:
            # Others keep coming between: every second turn is for what a deadline waits for.
            first, turns = self._first_era, enumerate(self._turns)
            at = next(place for place, each in turns if each[0].era == first)
            self._turns.rotate(-at)
            line = self._turns.popleft()
            self._turns.rotate(at)
        else:
            line = self._turns.popleft()
        era, job = line.popleft()
        self._eras[era - self._first_era] -= 1
        if line:
            self._turns.append(line)
        else:
            del self._lines[job.whose]
        return job

    def clear(self) -> None:
        """Forget all that wait."""
        self._turns.clear()
        self._lines.clear()
        self._own.clear()
        self._eras = deque((0,))
        self._taken = self._added
