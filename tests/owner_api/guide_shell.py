"""Runs the shell blocks of a guide without a shell: what they send is sent, what they claim held.

Understood is only what a guide needs: ``curl`` with a few options, assignments, ``date -u``,
``uuidgen``, ``jq -r PATH``, ``sleep`` and ``# -- somebody does something --``. The comment after a
``curl`` claims the status, and as much of the answer as it shows; ``…`` stands for anything.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
import json
import re
import shlex
from typing import Any, Protocol
from urllib.parse import urlencode
import uuid

import aiohttp

from .sse import events

ANYTHING = "…"
GUARD_S = 20
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ACT = re.compile(r"# -- (.+) --")
_ASSIGNED = re.compile(r"([A-Z_]+)=(.*)", re.DOTALL)
_CALLED = re.compile(r"\$\((.*)\)", re.DOTALL)
_DATE = re.compile(r"date -u(?: -d '\+(\d+) (second|minute|hour)s?')? \+%FT%TZ")
# A single-quoted text stays as it is; outside of it variables and one command are filled in.
_QUOTED = re.compile(r"('[^']*')|\$\((uuidgen)\)|\$\{?([A-Z_]+)\}?")


class Clock(Protocol):
    """What the guide's times are taken from."""

    def now(self) -> datetime:
        """Return the present."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command of the page, or one act of somebody else, and what the page says follows."""

    line: int
    text: str
    act: str | None = None
    claimed: str = ""
    heard: tuple[str, ...] = ()


def steps(page: str) -> Iterator[Step]:
    """Yield the commands of a page's ``sh`` blocks in their order."""
    for block in _BLOCK.finditer(page):
        first = page[: block.start(1)].count("\n") + 1
        yield from _steps(block[1].splitlines(), first)


def _steps(lines: list[str], first: int) -> Iterator[Step]:
    at = 0
    while at < len(lines):
        begin = at
        if act := _ACT.fullmatch(lines[at]):
            yield Step(line=first + at, text=lines[at], act=act[1])
            at += 1
            continue
        command = lines[at]
        while not _whole(command):
            at += 1
            command += "\n" + lines[at]
        at += 1
        notes = []
        while at < len(lines) and lines[at].startswith("#") and not _ACT.fullmatch(lines[at]):
            notes.append(lines[at].removeprefix("#").strip())
            at += 1
        heard = tuple(note[7:] for note in notes if note.startswith("event: "))
        claimed = " ".join(note for note in notes if not note.startswith("event: "))
        plain = command.replace("\\\n", " ")
        yield Step(line=first + begin, text=plain, claimed=claimed, heard=heard)


def _whole(command: str) -> bool:
    """Tell whether a command ends here: no open quote, bracket or continued line."""
    if command.endswith("\\"):
        return False
    try:
        shlex.split(command, comments=False)
    except ValueError:
        return False
    return command.count("$(") <= command.count(")")


@dataclass(kw_only=True)
class Shell:
    """The page's variables, the server it speaks to, and the people it mentions."""

    http: aiohttp.ClientSession
    clock: Clock
    sleep: Callable[[float], Awaitable[None]]
    acts: Mapping[str, Callable[[], Awaitable[object]]]
    preset: Mapping[str, str]
    names: dict[str, str] = field(default_factory=dict)
    sent: list[tuple[str, str]] = field(default_factory=list)

    async def run(self, step: Step) -> None:
        """Do one step; raises AssertionError when the page is wrong about it."""
        if step.act is not None:
            assert step.act in self.acts, f"nobody does that: {step.act}"
            await self.acts[step.act]()
            return
        name, command = None, step.text
        if assigned := _ASSIGNED.fullmatch(command):
            name, command = assigned[1], assigned[2]
        if name is not None and name in self.preset:
            self.names[name] = self.preset[name]
            return
        if name is not None and not (called := _CALLED.fullmatch(command)):
            (self.names[name],) = self._words(command)
            return
        if name is not None:
            assert called is not None
            command = called[1].strip()
            if (made := self._made(command)) is not None:
                self.names[name] = made
                return
        found = await self._command(command, step)
        if name is not None:
            assert isinstance(found, str), f"{name} is {found!r}"
            self.names[name] = found

    def _made(self, command: str) -> str | None:
        """Return what ``uuidgen`` or ``date`` prints, None for another command."""
        if command == "uuidgen":
            return str(uuid.uuid4())
        if date := _DATE.fullmatch(command):
            ahead = timedelta(**{f"{date[2]}s": int(date[1])}) if date[1] else timedelta()
            return f"{self.clock.now() + ahead:%Y-%m-%dT%H:%M:%SZ}"
        return None

    async def _command(self, command: str, step: Step) -> object:
        curl, _, path = command.partition(" | ")
        if curl.startswith("sleep "):
            await self.sleep(float(curl.removeprefix("sleep ")))
            return None
        answer = await self._curl(self._words(curl), step)
        if not path:
            return None
        tool, raw, wanted = shlex.split(path)
        assert (tool, raw) == ("jq", "-r"), path
        return _pick(answer, wanted)

    def _words(self, text: str) -> list[str]:
        """Split a command as a shell does, with the variables filled in afterwards."""
        kept: list[str] = []

        def stand_in(match: re.Match[str]) -> str:
            if match[1] is not None:
                return match[1]
            kept.append(str(uuid.uuid4()) if match[2] else self.names[match[3]])
            return f"\x00{len(kept) - 1}\x00"

        split = shlex.split(_QUOTED.sub(stand_in, text))
        return [re.sub("\x00(\\d+)\x00", lambda found: kept[int(found[1])], word) for word in split]

    async def _curl(self, words: list[str], step: Step) -> Any:
        method, address, data, headers, form = _request(words)
        if form:
            data = urlencode(form)
        self.sent.append((method, address))
        claimed = self._claimed(step)
        async with (
            asyncio.timeout(GUARD_S),
            self.http.request(method, address, data=data, headers=headers) as response,
        ):
            status = int(claimed.partition(" ")[0] or 0)
            told = "" if response.content_type == "text/event-stream" else await response.text()
            assert response.status == status, f"{response.status} {told}"
            if response.content_type == "text/event-stream":
                await _listen(response, step.heard)
                return None
        answer = json.loads(told)
        if shown := claimed.partition(" ")[2]:
            agrees(answer, json.loads(shown))
        return answer

    def _claimed(self, step: Step) -> str:
        assert re.match(r"\d{3}\b", step.claimed), "no status is claimed"
        return re.sub(r"\$([A-Z_]+)", lambda found: self.names[found[1]], step.claimed)


def _request(words: list[str]) -> tuple[str, str, Any, dict[str, str], list[tuple[str, str]]]:
    """Return the method, address, body, headers and form of a ``curl`` command."""
    assert words[0] == "curl", words[0]
    addresses, headers, form = list[str](), dict[str, str](), list[tuple[str, str]]()
    data = None
    rest = iter(words[1:])
    for word in rest:
        match word:
            case "-s" | "-sN":
                pass
            case "--max-time":
                next(rest)
            case "-H":
                name, _, value = next(rest).partition(": ")
                headers[name] = value
            case "-d":
                name, _, value = next(rest).partition("=")
                form.append((name, value))
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            case "--json":
                data = next(rest)
                json.loads(data)
                headers |= {"Content-Type": "application/json", "Accept": "application/json"}
            case _:
                assert not word.startswith("-"), word
                addresses.append(word)
    (address,) = addresses
    return ("GET" if data is None and not form else "POST"), address, data, headers, form


async def _listen(response: aiohttp.ClientResponse, wanted: tuple[str, ...]) -> None:
    """Read a stream until the wanted events have come, in this order; others may be between."""
    assert wanted, "no event is claimed"
    missing = list(wanted)
    try:
        async with asyncio.timeout(3):
            async for event in events(response):
                if event.kind == missing[0]:
                    missing.pop(0)
                if not missing:
                    return
    except TimeoutError:
        pass
    raise AssertionError(f"never heard: {missing}")


def _pick(answer: Any, path: str) -> str:
    """Return what ``jq -r`` prints for a path of names and numbers."""
    found = answer
    for name, number in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        found = found[name] if name else found[int(number)]
    assert isinstance(found, str | int), f"{path} is {found!r}"
    return str(found)


def agrees(answer: Any, shown: Any, where: str = "") -> None:
    """Hold an answer against what the page shows of it; raises AssertionError naming the field."""
    if shown == ANYTHING:
        assert answer is not None, where
    elif isinstance(shown, dict):
        for name, value in shown.items():
            assert name in answer, f"{where}/{name} is not there: {answer}"
            agrees(answer[name], value, f"{where}/{name}")
    elif isinstance(shown, list) and shown:
        assert len(answer) >= len(shown), where
        for number, value in enumerate(shown):
            agrees(answer[number], value, f"{where}/{number}")
    else:
        assert answer == shown, f"{where}: {answer!r}, and the page says {shown!r}"
