"""A deal at a home charger in frozen time: real API, real integration, second by second.

Time is moved a second at a time; in between, everybody says what there is to say. Home Assistant
has lives: it can be stopped, or crash, and start again from what was on its disk.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
import time
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.const import CONF_URL
from homeassistant.core import DOMAIN as HA_DOMAIN, HomeAssistant
from homeassistant.helpers import frame, translation
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    async_test_home_assistant,
)

from custom_components.v2g_owner.executor import ChargerExecutor
from custom_components.v2g_owner.executors import executors_of

from .charger_world import POWER, SOC, Wallbox, subentry
from .entries import paired_entry, vehicle_subentry
from .owner_world import OwnerWorld, open_owner_world
from .power_promises import Second, Terms, violations
from .relay import Relay, relaying

EVSE = "HOME1"
POWER_W = -6_900
# Quiet for so many looks in a row: nobody has anything to say in this second any more.
_QUIET = 2
_PAUSE_S = 0.001
_PATIENCE = 300
_RENEW = timedelta(seconds=20)


@dataclass(kw_only=True)
class Stage:
    """Home, charger, car, network, API, park and clock."""

    freezer: FrozenDateTimeFactory
    world: OwnerWorld
    relay: Relay
    disk: dict[str, Any]
    lives: AsyncExitStack
    box: Wallbox
    charger_id: str = ""
    vehicle_id: str = ""
    commitment_id: str = ""
    member: str = ""
    entry: MockConfigEntry | None = None
    home: str = "down"
    network: bool = True
    api: bool = True
    deal: str = ""
    granted: datetime | None = None
    heard: datetime | None = None
    renewing: bool = False
    renewed_at: datetime | None = None
    refused: int = 0
    record: list[Second] = field(default_factory=list)
    event: str = ""
    # What this home knew when it last heard the API at once.
    known: object = None

    @property
    def hass(self) -> HomeAssistant:
        """The Home Assistant of this life."""
        return self.box.hass

    @property
    def executor(self) -> ChargerExecutor:
        """The executor of this life."""
        assert self.entry is not None
        return executors_of(self.hass, self.entry)[self.charger_id]

    @property
    def now(self) -> datetime:
        """What the clocks say."""
        return dt_util.utcnow()

    @property
    def linked(self) -> bool:
        """Tell whether this home hears the API at once."""
        if self.home != "up" or self.entry is None or not hasattr(self.entry, "runtime_data"):
            return False
        coordinator = self.entry.runtime_data.coordinator
        return bool(
            coordinator.stream_connected
            and coordinator.last_update_success
            and self.network
            and self.api
        )

    @property
    def _linking(self) -> bool:
        """Tell whether this home has read the API's snapshot and its stream is not open yet.

        One that broke is no such stream before the next snapshot: that is read after a pause, and
        the clock stands still.
        """
        if self.linked or self.home != "up" or not (self.network and self.api):
            return False
        if (runtime := getattr(self.entry, "runtime_data", None)) is None:
            return False
        coordinator = runtime.coordinator
        return bool(coordinator.last_update_success) and coordinator.data is not self.known

    async def boot(self) -> None:
        """Start Home Assistant on the disk as it is, with the charger's integration first."""
        # One life at a time is what Home Assistant's own test plugin checks at the end only.
        hass = await self.lives.enter_async_context(async_test_home_assistant())
        hass.data.pop(DATA_CUSTOM_COMPONENTS)
        frame.async_setup(hass)
        await translation.async_load_integrations(hass, {HA_DOMAIN})
        self.box.hass = hass
        self.box.queue.clear()
        told = dict(self.box.told)
        await self.box.build()
        if self.record:
            # A charger that went on alone shows what it was told last.
            self.box.told = told
            if self.box.number is not None:
                self.box.number.show(told["number"])
            if self.box.mode is not None:
                self.box.mode.show(told["mode"])
        if self.entry is None:
            self.entry = await self._pair()
        else:
            old = self.entry
            self.entry = MockConfigEntry(
                domain=old.domain,
                entry_id=old.entry_id,
                title=old.title,
                unique_id=old.unique_id,
                data=dict(old.data),
                subentries_data=self._subentries(),
            )
            self.entry.add_to_hass(hass)
        self.home, self.event = "up", "home started"
        await hass.config_entries.async_setup(self.entry.entry_id)
        await hass.async_block_till_done()

    async def stop_home(self) -> None:
        """Shut Home Assistant down in order."""
        await self.hass.async_stop(force=True)
        await self._bury("down")

    async def crash_home(self) -> None:
        """Cut the computer's power: the charger hears nothing more, the disk keeps what it has."""
        await self._bury("crashed")

    async def _bury(self, home: str) -> None:
        """Take a dead Home Assistant apart without letting it touch charger, disk or API."""
        assert self.entry is not None
        self.home, self.event = home, f"home {home}"
        disk, hass, box = deepcopy(self.disk), self.hass, self.box
        with patch.object(box, "command", lambda *_: None):
            self.relay.cut()
            if self.entry.state.recoverable:
                await hass.config_entries.async_unload(self.entry.entry_id)
            await hass.async_stop(force=True)
        if self.network:
            self.relay.mend()
        self.disk.clear()
        self.disk.update(disk)

    async def _pair(self) -> MockConfigEntry:
        """Pair this home through its network."""
        garage = {
            "display_name": "Garage",
            "evse_id": EVSE,
            "max_charge_w": 7_360,
            "max_discharge_w": 7_360,
        }
        self.charger_id = str((await self.world.phone.post("/v1/chargers", garage))["charger_id"])
        entry = await paired_entry(self.hass, self.world, self._subentries())
        url = f"http://127.0.0.1:{self.relay.port}"
        self.hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_URL: url})
        return entry

    def _subentries(self) -> list[ConfigSubentryData]:
        """Return the car's and the charger's subentry."""
        linked = subentry(self.box.shape, charger_id=self.charger_id)
        return [
            vehicle_subentry(self.vehicle_id),
            ConfigSubentryData(
                data=dict(linked.data),
                subentry_type="charger",
                title="Garage",
                unique_id=self.charger_id,
            ),
        ]

    async def settle(self) -> None:
        """Let everybody finish what there is to say at this moment."""
        quiet, patience = 0, _PATIENCE
        while quiet < _QUIET:
            if self.home == "up":
                await self.hass.async_block_till_done()
            await asyncio.get_running_loop().run_in_executor(None, time.sleep, _PAUSE_S)
            quiet = quiet + 1 if not self.relay.busy and await self._caught_up() else 0
            if patience and self._linking:
                # It has read how things stand, and may act on it before its stream is open.
                quiet, patience = 0, patience - 1

    async def _caught_up(self) -> bool:
        """Tell whether this home has heard all the API has to tell it."""
        if not self.linked or self.entry is None:
            return True
        self.known = self.entry.runtime_data.coordinator.data
        head = await self.world.agent.store.read(
            lambda tx: tx.one("SELECT seq FROM stream_head WHERE party_id = ?", self.world.owner_id)
        )
        position = self.entry.runtime_data.coordinator.stream_position
        return head is None or int(head["seq"]) <= position

    async def seconds(self, count: int) -> list[Second]:
        """Let seconds pass; returns their rows."""
        first = len(self.record)
        for _ in range(count):
            self.freezer.tick(1)
            self.box.step()
            if self.home == "up":
                async_fire_time_changed(self.hass)
            await self.settle()
            if self.api:
                await self.world.tick()
                await self._renew()
                await self.settle()
            if self.linked:
                self.heard = self.granted
            self._write()
        return self.record[first:]

    async def _renew(self) -> None:
        """Let the park renew its lease, as long as the API grants one."""
        due = self.renewed_at is None or self.now - self.renewed_at >= _RENEW
        if not self.renewing or not due:
            return
        body = {"seq": next(self.world.sequence), "power_setpoint_w": POWER_W}
        path = f"/v1/park/commitments/{self.commitment_id}/instructions"
        status, answer = await self.world.park.call("POST", path, body)
        if status == 201:
            self.renewed_at = self.now
            self.granted = datetime.fromisoformat(answer["valid_until"])
        elif self.granted is not None:
            # It has ended; before its first lease a park tries again.
            self.renewing, self.refused = False, status

    def _write(self) -> None:
        """Write this second's row."""
        states = self.hass.states
        soc, meter = states.get(SOC), states.get(POWER)
        alive = self.home == "up" or not self.record
        last = self.record[-1] if self.record else None
        assert soc is not None
        assert meter is not None
        self.record.append(
            Second(
                at=self.now,
                ordered_w=self.box.wanted_w,
                power_w=self.box.real_w,
                soc_pct=self.box.soc_pct,
                soc_shown_pct=float(soc.state),
                soc_told_at=soc.last_reported if alive or last is None else last.soc_told_at,
                meter_told_at=meter.last_reported if alive or last is None else last.meter_told_at,
                plugged=self.box.connected,
                home=self.home,
                link=self.linked,
                deal=self.deal,
                lease_until=self.heard,
                event=self.event,
            )
        )
        self.event = ""

    async def plug_in(self) -> None:
        """Plug the car in where both can see it."""
        self.box.plug(connected=False)
        await self.seconds(3)
        self.box.plug(connected=True)
        await self.seconds(4)
        assert self.executor.memory.parking.bound == self.vehicle_id

    async def leave_in(self, *, hours: float) -> datetime:
        """Say when the car leaves, and let the home hear of it; returns when that is."""
        leaving = self.world.at(hours * 3_600)
        departures = f"/v1/vehicles/{self.vehicle_id}/departures"
        await self.world.phone.patch(departures, {"one_off": {"departure_at": leaving}})
        await self.seconds(5)
        return datetime.fromisoformat(leaving)

    async def sell(self, *, start_s: float = 10, hours: float = 1.0, **terms: Any) -> None:
        """Bring a deal to the park's first lease, with the owner's yes by phone."""
        if not self.member:
            self.member = await self.world.join(self.vehicle_id)
        opened = {
            "evse_id": EVSE,
            "plugged_in_at": self.world.at(0),
            "member_ref": self.member,
            "meter": "owner",
        }
        session = await self.world.park.post("/v1/park/sessions", opened)
        assert session["state"] == "bound", session
        times = {
            "start_at": self.world.at(start_s),
            "end_at": self.world.at(start_s + hours * 3_600),
        }
        offer = await self.world.offer(session["session_id"], **times, **terms)
        await self.seconds(3)
        body = {
            "offer_id": offer["offer_id"],
            "revision": offer["revision"],
            "terms_sha256": offer["terms_sha256"],
            "decision": "accept",
            "method": "tap",
        }
        answer = await self.world.phone.post("/v1/decisions", body)
        self.commitment_id = str(answer["commitment_id"])
        await self.seconds(2)
        await self.world.award(self.commitment_id)
        self.deal = self.commitment_id
        self.granted = self.heard = self.renewed_at = None
        self.renewing = True

    async def hop(self, until: datetime, step_s: int = 300) -> None:
        """Let a quiet time pass in long steps, with a row for each; ends exactly at ``until``."""
        while (left := round((until - self.now).total_seconds())) > 0:
            pause = min(left, step_s) - 1
            self.freezer.tick(pause)
            with patch.object(self.box, "report"):
                for _ in range(pause):
                    self.box.step()
            self.box.report()
            await self.seconds(1)

    async def deliver(self, within_s: int = 60) -> None:
        """Wait until energy leaves the car."""
        for _ in range(within_s):
            (row,) = await self.seconds(1)
            if row.power_w < POWER_W + 100:
                return
        raise AssertionError(f"nothing flows: {self.executor.verdict}")

    async def shown(self) -> Any:
        """Return the deal as the owner's phone sees it."""
        return await self.world.phone.get(f"/v1/commitments/{self.commitment_id}")

    async def cut_network(self) -> None:
        """Lose the way to the API; the park still has its own."""
        self.relay.cut()
        self.network, self.event = False, "network cut"

    async def mend_network(self) -> None:
        """Find the way to the API again."""
        self.relay.mend()
        self.network, self.event = True, "network mended"

    async def stop_api(self) -> None:
        """Take the API away."""
        await self.world.stop_server()
        self.api, self.event = False, "api stopped"

    async def start_api(self) -> None:
        """Bring the API back."""
        await self.world.start_server()
        self.api, self.event = True, "api started"

    def unplug(self) -> None:
        """Pull the plug."""
        self.box.plug(connected=False)
        self.event = "unplugged"

    async def stop_now(self) -> None:
        """Press Stop at home."""
        self.event = "stop"
        await self.executor.async_stop_now()

    def hold(self, **terms: Any) -> None:
        """Hold the whole record to the promises."""
        usual = {"floor_pct": 20.0, "soc_max_age": timedelta(minutes=15)}
        broken = violations(self.record, Terms(**usual | terms))
        assert broken == [], "\n".join(broken[:20])


@asynccontextmanager
async def on_stage(
    freezer: FrozenDateTimeFactory,
    folder: Path,
    disk: dict[str, Any],
    *,
    shape: str = "wallbox",
    time_zone: str = "Asia/Shanghai",
    **preferences: Any,
) -> AsyncIterator[Stage]:
    """Open the world, pair the home and stand the car at its charger."""
    # A second that passes at once is no slow callback, and thousands of them need no stack traces.
    asyncio.get_running_loop().set_debug(False)
    async with (
        open_owner_world(folder, time_zone=time_zone) as world,
        relaying(world.port) as relay,
        AsyncExitStack() as lives,
    ):
        stage = Stage(
            freezer=freezer,
            world=world,
            relay=relay,
            disk=disk,
            lives=lives,
            box=Wallbox(hass=None, shape=shape, connected=False),  # type: ignore[arg-type]
            vehicle_id=await world.add_vehicle(**preferences),
        )
        try:
            await stage.boot()
            await stage.plug_in()
            yield stage
        finally:
            if stage.home == "up":
                assert stage.entry is not None
                await stage.hass.config_entries.async_unload(stage.entry.entry_id)
                await stage.hass.async_stop(force=True)
