"""Commands that wait for the writer, in a line for each party: it takes one of each in turn."""

from collections import deque

from .batching import Job


class Lines:
    """Jobs by whose they are: each party's stay in their order, and no one's wait for a crowd.

    A park may send the readings of a thousand cars at once; whoever comes after that, with a stop
    perhaps, waits for one command of each party and not for all of them. Only what the server does
    by itself, as a deadline, waits for as many as were there before: a lease that was renewed in
    time is not over because the clock's word has passed the renewal.
    """

    def __init__(self) -> None:
        # In the order in which they have their turns; none is empty.
        self._turns: deque[deque[Job]] = deque()
        self._lines: dict[str, deque[Job]] = {}
        # The server's own, each with how many are to be taken before.
        self._own: deque[tuple[int, Job]] = deque()
        self._taken = self._added = 0

    def __len__(self) -> int:
        return self._added - self._taken

    def add(self, job: Job) -> None:
        """Let a job wait at the end of its party's line; a new line has its turn last."""
        if not job.whose:
            self._own.append((self._added, job))
        elif (line := self._lines.get(job.whose)) is not None:
            line.append(job)
        else:
            self._lines[job.whose] = line = deque((job,))
            self._turns.append(line)
        self._added += 1

    def take(self) -> Job:
        """Return the job whose turn it is; raises IndexError when none waits."""
        if self._own and (self._own[0][0] <= self._taken or not self._turns):
            job = self._own.popleft()[1]
        else:
            line = self._turns.popleft()
            job = line.popleft()
            if line:
                self._turns.append(line)
            else:
                del self._lines[job.whose]
        self._taken += 1
        return job

    def clear(self) -> None:
        """Forget all that wait."""
        self._turns.clear()
        self._lines.clear()
        self._own.clear()
        self._taken = self._added
