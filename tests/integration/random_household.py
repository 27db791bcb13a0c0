"""Whatever can happen to two home chargers, in any order, held against the true cars each second.

A script is plain data: seconds to wait, what happens, and to whom. What the park leased, the owner
said and a receipt proves is kept here; the executor is asked for nothing but to go on.
"""

import asyncio
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import Context, HomeAssistant
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.v2g_owner.executor import ChargerExecutor
from custom_components.v2g_owner.executors import (
    async_stop_at_home,
    async_stop_executors,
    executors_of,
)

from .household import Box, Car, async_link, plug
from .household_agent import LEASE_S, HomeAgent, Yes

type Step = tuple[int, str, int, Any]
"""Seconds to wait before it, what happens, at which charger or to which car, and how much."""

# Zero within five seconds, and the charger's own two from full power to none.
STOPPED_WITHIN_S = 7
# A charger that refuses, is slow or away is excused, and so long after it.
EXCUSED_S = 9
# What a charger adds by itself is seen by its meter, and undone at the next command.
MORE, MORE_FOR_S = "more than was ordered", 15
COMMANDS_A_MINUTE = 30
# The home counts by power and the deal by registers; and its meter speaks every five seconds.
COUNTS_DIFFER, COUNTS_DIFFER_WH = 1.1, 150
TURNS = 25
UNPLUGGED = "it was unplugged"
# So often a sensor is asked.
UNSEEN_S = 5
BY_AN_AUTOMATION = Context(parent_id="01J0000000000000000000TEST")
WRONG = ["frozen", "silent", "unavailable", "unknown"]
PROOFS = ["late", "never", "less power", "less energy", "shorter"]
HAPPENS: dict[str, tuple[int, Callable[[Random], Any]]] = {
    "deal": (6, lambda r: r.choice([-6_900, -3_000, -1_500, -500, -11_000])),
    "renew": (12, lambda r: r.choice([-6_900, -3_000, 0])),
    "revoke": (2, lambda _: None),
    "come": (4, lambda r: r.randrange(3)),
    "go": (3, lambda _: None),
    "stop_now": (3, lambda _: None),
    "stop_discharging": (2, lambda _: None),
    "charge_now": (2, lambda _: None),
    "resume": (4, lambda _: None),
    "name": (2, lambda _: None),
    "hand": (3, lambda r: r.choice([-30, -10, 10, 30])),
    "itself": (3, lambda r: r.choice([-31, -10, 0, 10, 32])),
    "refuse": (6, lambda r: r.random() < 0.3),
    "slow": (6, lambda r: r.choice([0, 0, 0, 2, 10, 40])),
    "late": (2, lambda r: r.choice([0, 0, 5, 30])),
    "away": (6, lambda r: r.random() < 0.3),
    "connected": (5, lambda r: r.choice(["ok", "ok", "unavailable", "silent"])),
    "meter": (5, lambda r: r.choice(["ok", "ok", "ok", *WRONG])),
    "unit": (1, lambda r: r.random() < 0.5),
    "soc": (5, lambda r: r.choice(["ok", "ok", "ok", *WRONG])),
    "plug": (5, lambda r: r.choice(["ok", "ok", "silent", "unavailable", "unknown"])),
    "lag": (2, lambda r: r.choice([0, 0, 20, 60])),
    "car_lag": (2, lambda r: r.choice([0, 0, 20, 60])),
    "jump": (2, lambda r: r.choice([-20, -3, 3, 20])),
    "floor": (3, lambda r: r.choice([20, 40, 55])),
    "allow": (3, lambda r: r.random() < 0.6),
    "restart": (3, lambda r: r.choice([0, 5, 20, 400])),
    "crash": (2, lambda r: r.choice([0, 5, 40])),
    "clock": (2, lambda r: r.choice([-3_600, -600, -60, -5, 5, 60, 600, 3_600])),
    "proof": (4, lambda r: r.choice(["at once", "at once", *PROOFS])),
    "rename": (2, lambda _: None),
    "agent": (4, lambda r: r.random() < 0.4),
    "reboot": (3, lambda r: (r.choice([5, 20, 60]), r.choice([None, 0, 16]))),
    "blank": (2, lambda r: r.choice([5, 60, 200])),
}


def random_script(random: Random, steps: int = 40) -> list[Step]:
    """Return what happens in one evening; it begins with two cars and a deal."""
    script: list[Step] = [(6, "come", 0, 0), (130, "come", 1, 1), (10, "deal", 0, -6_900)]
    names, weights = list(HAPPENS), [weight for weight, _ in HAPPENS.values()]
    for name in random.choices(names, weights, k=steps):
        wait = random.choice([0, 0, 1, 2, 3, 5, 8, 13, 25, 50])
        script.append((wait, name, random.randrange(2), HAPPENS[name][1](random)))
    return script


@dataclass(kw_only=True)
class Deal:
    """What was sold of a car at a charger, with the owner's yes."""

    number: int
    car: Car
    power_w: int
    since: int
    until: datetime
    yes: Yes
    ended: str = ""


@dataclass(frozen=True, kw_only=True)
class Gone:
    """The car that was unplugged last, when, and whether the owner's hand held then."""

    car: Car
    second: int
    by_hand: bool


@dataclass(kw_only=True)
class Household:
    """Chargers, cars, deals and clock, moved together."""

    hass: HomeAssistant
    freezer: FrozenDateTimeFactory
    disk: dict[str, Any]
    boxes: list[Box]
    cars: list[Car]
    agent: HomeAgent
    entry: MockConfigEntry | None = None
    proof: str = "at once"
    deals: dict[str, Deal] = field(default_factory=dict)
    by_hand: set[str] = field(default_factory=set)
    gone: dict[str, Gone] = field(default_factory=dict)
    unreached: set[str] = field(default_factory=set)
    """The chargers that were away when Home Assistant last ended."""
    excused: dict[str, int] = field(default_factory=dict)
    bad: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    second: int = 0
    sold: int = 0
    behind_s: int = 0
    delivered_s: int = 0

    @property
    def own(self) -> list[Car]:
        """The owner's cars."""
        return [car for car in self.cars if car.mapped]

    def executor(self, box: Box) -> ChargerExecutor | None:
        """Return the hand on a charger, None while Home Assistant is away."""
        return None if self.entry is None else executors_of(self.hass, self.entry)[box.charger_id]

    async def turns(self) -> None:
        """Let what can go on go on; what hangs is not waited for."""
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def start(self) -> None:
        """Start Home Assistant's part, with what is on disk."""
        self.entry = await async_link(self.hass, self.boxes, self.own)
        self.attach()
        await self.turns()

    def attach(self) -> None:
        """Let the home follow its agent, where that is there."""
        if self.entry is not None and not self.agent.away and not self.agent.attached:
            self.agent.attach(self.hass, self.entry, executors_of(self.hass, self.entry))

    async def end(self) -> None:
        """End it in order."""
        if self.entry is None:
            return
        self.agent.detach()
        ending = asyncio.create_task(async_stop_executors(self.hass, self.entry))
        self.entry = None
        while not ending.done():
            await self.pass_second()
        await ending
        self.unreached = {box.name for box in self.boxes if not box.available}

    async def play(self, script: list[Step]) -> list[str]:
        """Let a script happen; returns the promises that were broken."""
        for car in self.cars:
            car.report()
        await self.start()
        for wait, name, which, much in script:
            await self.seconds(wait)
            await getattr(self, f"do_{name}")(self.boxes[which], self.cars[which], much)
            await self.turns()
        await self.seconds(15)
        await self.end()
        return self.broken

    async def seconds(self, count: int) -> None:
        """Let seconds pass."""
        for _ in range(count):
            await self.pass_second()

    async def pass_second(self) -> None:
        """Let one second pass, and look whether every promise was kept in it."""
        self.freezer.tick(1)
        self.second += 1
        for each in (*self.cars, *self.boxes, self.agent):
            each.step()
        async_fire_time_changed(self.hass)
        await self.turns()
        if self.behind_s:
            # A real timer does not mind that the clock was set back.
            self.behind_s -= 1
            for box in self.boxes:
                if self.second % 2 == 0 and (executor := self.executor(box)) is not None:
                    executor.async_tick()
        for box in self.boxes:
            self.judge(box)

    def refusal(self, box: Box) -> str:
        """Return why nothing may flow out of the car here, empty where it may."""
        deal = self.deals.get(box.name)
        if deal is None:
            return "nobody has said yes"
        if deal.ended or deal.car is not box.car:
            return deal.ended or "it is another car"
        if dt_util.utcnow() >= deal.until:
            return "the lease has ended"
        yes = deal.yes
        if yes.known_s is None or self.second < yes.known_s:
            return "nothing proves a yes"
        most_wh = yes.energy_wh * COUNTS_DIFFER + COUNTS_DIFFER_WH
        if yes.out_wh > most_wh and not yes.uncounted:
            return "more has left than the yes is for"
        return "" if deal.car.allowed else "discharging is not allowed"

    def judge(self, box: Box) -> None:
        """Hold one charger's second to the promises."""
        car = box.car
        away = not box.available or (self.entry is None and box.name in self.unreached)
        if box.refuse or away or box.answers_after_s or box.dead:
            self.excused[box.name] = EXCUSED_S
        excused = self.excused.get(box.name, 0)
        self.excused[box.name] = max(0, excused - 1)
        out_w = -box.real_w if car is not None and box.real_w < -60 else 0.0
        self.delivered_s += bool(out_w)
        self.count(box, out_w)
        faults = {"too many commands": self._commands(box) > COMMANDS_A_MINUTE}
        if out_w and car is not None and not excused:
            why = "" if box.name in self.by_hand else self.refusal(box)
            faults |= {why: bool(why), "below the floor": car.soc_pct < car.floor_pct}
            deal = self.deals.get(box.name)
            if deal is not None and not why and box.name not in self.by_hand:
                seen = box.meter == "ok" and not box.late_s
                lately = self.second - deal.since <= STOPPED_WITHIN_S
                faults[MORE] = seen and not lately and -box.wanted_w > 10 - deal.power_w
        for fault in [fault for fault, here in faults.items() if here]:
            patience = MORE_FOR_S if fault == MORE else STOPPED_WITHIN_S
            if self._lasts(box, fault) == patience + 1:
                said = f"told {box.told} car {car and car.name} {car and round(car.soc_pct, 2)} %"
                self.broken.append(
                    f"second {self.second}, {box.name}: {fault}; {out_w:.0f} W {said}"
                )

    def count(self, box: Box, out_w: float) -> None:
        """Count what leaves under a yes; where a meter is wrong, or in a crash, nobody does."""
        if (deal := self.deals.get(box.name)) is not None:
            deal.yes.out_wh += out_w / 3_600
            deal.yes.uncounted |= box.meter != "ok" or box.dead

    def _lasts(self, box: Box, fault: str) -> int:
        """Return for how many seconds on end something has been wrong at a charger."""
        since, last = self.bad.get((box.name, fault), (self.second, self.second))
        since = since if self.second - last <= 1 else self.second
        self.bad[box.name, fault] = (since, self.second)
        return self.second - since + 1

    def _commands(self, box: Box) -> int:
        """Return how many commands came within the last minute."""
        return sum(at > box.second - 60 for at, _, _ in box.commands)

    # --- what happens

    async def do_come(self, box: Box, _car: Car, which: int) -> None:
        """Plug a car in; one that stands elsewhere, or the one that is here, leaves first."""
        car = self.cars[which]
        for taken in (box.car, car):
            if taken is not None and taken.box is not None:
                await self.do_go(taken.box, taken, None)
                return
        plug(car, box)
        gone = self.gone.pop(box.name, None)
        if gone is not None and gone.car is car and self.second - gone.second <= UNSEEN_S:
            # The same car, back before any sensor was asked: nobody can know that it was away.
            self.by_hand |= {box.name} if gone.by_hand else set()
            if (deal := self.deals.get(box.name)) is not None and deal.ended == UNPLUGGED:
                deal.ended = ""

    async def do_go(self, box: Box, _car: Car, _much: None) -> None:
        """Unplug."""
        if box.car is not None:
            by_hand = box.name in self.by_hand
            self.gone[box.name] = Gone(car=box.car, second=self.second, by_hand=by_hand)
            self._ends(box, UNPLUGGED)
            plug(box.car, None)

    async def do_deal(self, box: Box, _car: Car, power_w: int) -> None:
        """Sell, with a yes or without a proof of one, what is in the car that stands here."""
        if box.car is not None and box.car.mapped and self.agent.heard:
            self.sold += 1
            now = dt_util.utcnow()
            self.deals[box.name] = Deal(
                number=self.sold,
                car=box.car,
                power_w=power_w,
                since=self.second,
                until=now,
                yes=self._yes(),
            )
            await self.do_renew(box, box.car, power_w)

    def _yes(self) -> Yes:
        """Return the yes to the next deal, as far as a receipt will prove it."""
        late_s = {"late": self.second + 40, "never": None}
        return Yes(
            decision_id=f"dec_{self.sold}",
            decided_at=self.agent.now,
            end_at=self.agent.now + timedelta(seconds=30 if self.proof == "shorter" else 7_200),
            max_discharge_w=2_000 if self.proof == "less power" else 11_000,
            energy_wh=100 if self.proof == "less energy" else 9_000,
            known_s=late_s.get(self.proof, self.second),
        )

    async def do_renew(self, box: Box, _car: Car, power_w: int) -> None:
        """Grant the next lease of the deal here, whatever became of it."""
        deal = self.deals.get(box.name)
        if deal is None or not self.agent.heard:
            return
        covered_w = max(power_w, -deal.yes.max_discharge_w)
        deal.since = self.second if covered_w != deal.power_w else deal.since
        ends = (dt_util.utcnow() + timedelta(seconds=LEASE_S), deal.yes.end_at)
        deal.power_w, deal.until = covered_w, min(ends)
        self.agent.grant(box, f"com_{deal.number}", deal.car, power_w, deal.yes)

    async def do_revoke(self, box: Box, _car: Car, _much: None) -> None:
        """Let the agent say that the deal is over."""
        if self.agent.heard and self.deals.pop(box.name, None):
            self.agent.revoke(box)

    async def do_proof(self, _box: Box, _car: Car, how: str) -> None:
        """Let the receipts of the next deals come late, never, or for less."""
        self.proof = how

    async def do_rename(self, box: Box, _car: Car, _much: None) -> None:
        """Let the operator give a deal another name; its yes stays what it was."""
        if (deal := self.deals.get(box.name)) is not None and self.agent.heard:
            self.sold += 1
            stopped = deal.ended if deal.yes.stopped else ""
            self.deals[box.name] = replace(deal, number=self.sold, ended=stopped)
            await self.do_renew(box, deal.car, deal.power_w)

    async def do_agent(self, _box: Box, _car: Car, much: bool) -> None:  # noqa: FBT001
        """Lose the agent, or find it again."""
        self.agent.away = much
        self.agent.tell()
        self.attach()

    async def do_reboot(self, box: Box, _car: Car, how: tuple[int, int | None]) -> None:
        """Let the charger start anew: with what it was told, or with a setting of its own."""
        seconds, amperes = how
        box.reboot(seconds, None if amperes is None else box.shown_for(amperes))

    async def do_blank(self, box: Box, _car: Car, seconds: int) -> None:
        """Let the charger's entities show nothing for a while."""
        box.blank(seconds)

    async def do_stop_now(self, box: Box, _car: Car, _much: None) -> None:
        """Press Stop now."""
        if (executor := self.executor(box)) is not None:
            self._ends(box, "it was stopped")
            self.hass.async_create_task(executor.async_stop_now())

    async def do_stop_discharging(self, _box: Box, _car: Car, _much: None) -> None:
        """Press Stop discharging."""
        if self.entry is not None:
            for box in self.boxes:
                self._ends(box, "it was stopped")
            self.hass.async_create_task(async_stop_at_home(self.hass, [{}]))

    def _ends(self, box: Box, why: str) -> None:
        """Note that the deal here and the owner's own hand are over."""
        self.by_hand.discard(box.name)
        if (deal := self.deals.get(box.name)) is not None:
            deal.ended = deal.ended or why
            deal.yes.stopped |= why != UNPLUGGED

    async def do_charge_now(self, box: Box, _car: Car, _much: None) -> None:
        """Switch on Charge now."""
        if (executor := self.executor(box)) is not None:
            self._ends(box, "it was to charge")
            executor.async_charge_now()

    async def do_resume(self, box: Box, _car: Car, _much: None) -> None:
        """Press Resume plan."""
        if (executor := self.executor(box)) is not None:
            self.by_hand.discard(box.name)
            executor.async_resume()

    async def do_name(self, box: Box, _car: Car, _much: None) -> None:
        """Choose the car that stands here, truly."""
        if (executor := self.executor(box)) is not None and box.car is not None:
            executor.async_name_car(box.car.vehicle_id if box.car.mapped else None)

    async def do_hand(self, box: Box, _car: Car, amperes: int) -> None:
        """Let another automation write to the charger's number."""
        if box.available and not box.refuse and not box.answers_after_s:
            self.by_hand.add(box.name)
            data = {"entity_id": box.number.entity_id, "value": box.shown_for(amperes)}
            await self.hass.services.async_call(
                "number", "set_value", data, blocking=False, context=BY_AN_AUTOMATION
            )

    async def do_itself(self, box: Box, _car: Car, amperes: int) -> None:
        """Let the charger take a setting of its own."""
        box.by_itself("number", box.shown_for(amperes))

    async def do_refuse(self, box: Box, _car: Car, much: bool) -> None:  # noqa: FBT001
        """Let the charger refuse commands, or take them again."""
        box.refuse = much

    async def do_slow(self, box: Box, _car: Car, seconds: int) -> None:
        """Let the charger answer late."""
        box.answers_after_s = float(seconds)

    async def do_late(self, box: Box, _car: Car, seconds: int) -> None:
        """Let the charger show late what it was told."""
        box.late_s = seconds

    async def do_away(self, box: Box, _car: Car, much: bool) -> None:  # noqa: FBT001
        """Lose the charger, or find it again."""
        box.show_available(yes=not much)

    async def do_connected(self, box: Box, _car: Car, how: str) -> None:
        """Let the charger's plug sensor go wrong, or right."""
        box.conn = how

    async def do_meter(self, box: Box, _car: Car, how: str) -> None:
        """Let the meter go wrong, or right."""
        box.meter = how

    async def do_unit(self, box: Box, _car: Car, much: bool) -> None:  # noqa: FBT001
        """Let the meter count in another unit."""
        box.unit_kw = much
        box.report()

    async def do_soc(self, _box: Box, car: Car, how: str) -> None:
        """Let the car's battery sensor go wrong, or right."""
        car.soc = how

    async def do_plug(self, _box: Box, car: Car, how: str) -> None:
        """Let the car's plug sensor go wrong, or right."""
        car.plug = how

    async def do_lag(self, box: Box, _car: Car, seconds: int) -> None:
        """Let the charger tell of its plug late."""
        box.conn_lag_s = seconds

    async def do_car_lag(self, _box: Box, car: Car, seconds: int) -> None:
        """Let the car tell of its plug late."""
        car.plug_lag_s = seconds

    async def do_jump(self, _box: Box, car: Car, points: int) -> None:
        """Let the state of charge jump, and the car say so."""
        if car.soc == "ok":
            car.soc_pct = max(5.0, min(95.0, car.soc_pct + points))
            car.report()

    async def do_floor(self, _box: Box, car: Car, pct: int) -> None:
        """Change the floor, where the agent hears of it."""
        if self.agent.heard:
            car.floor_pct = float(pct)
            self.agent.tell()

    async def do_allow(self, _box: Box, car: Car, much: bool) -> None:  # noqa: FBT001
        """Switch Discharging allowed, where the agent hears of it."""
        if self.agent.heard:
            car.allowed = much
            self.agent.tell()

    async def do_restart(self, _box: Box, _car: Car, away_s: int) -> None:
        """End Home Assistant in order and start it again."""
        await self.end()
        await self.seconds(away_s)
        await self.start()

    async def do_crash(self, _box: Box, _car: Car, away_s: int) -> None:
        """Let Home Assistant die; the disk keeps what it has, the charger what it was told."""
        disk = deepcopy(self.disk)
        for box in self.boxes:
            box.dead = True
        await self.end()
        self.disk.clear()
        self.disk.update(disk)
        await self.seconds(away_s)
        for box in self.boxes:
            box.dead = False
        await self.start()

    async def do_clock(self, _box: Box, _car: Car, seconds: int) -> None:
        """Set the clock; what was leased lasts no longer for it."""
        self.freezer.tick(seconds)
        self.agent.ahead = max(timedelta(), self.agent.ahead - timedelta(seconds=seconds))
        if seconds < 0:
            self.behind_s = 30 - seconds
            for deal in self.deals.values():
                deal.until += timedelta(seconds=seconds)
