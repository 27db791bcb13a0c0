"""The sample configuration names every setting with its real default and bounds."""

from dataclasses import fields, replace
from pathlib import Path
import re
import tomllib
from typing import Any

import pytest

from owner_api.config import Config, ConfigError, defaults
from owner_api.schemas.fields import Leaf, Nullable

from .deal_world import active, open_world, presented
from .domain_world import commitment, preferences

SAMPLE = Path(__file__).parents[2] / "packaging" / "owner-api.toml"
_LINE = re.compile(r"^(# )?([a-z_]+) = (.+)$")
_BOUNDS = re.compile(r"([\d.]+) to ([\d.]+)")
# What only an example can show: there is no default, or the sample is of a certain setup.
EXAMPLES = {"public_url", "trusted_proxies", "tls_certificate", "tls_key", "metrics_port"}


def settings() -> list[tuple[str, Any, list[tuple[str, str]]]]:
    """Return each setting of the sample with its value and the bounds said above it."""
    found: list[tuple[str, Any, list[tuple[str, str]]]] = []
    bounds: list[tuple[str, str]] = []
    for line in SAMPLE.read_text(encoding="utf-8").splitlines():
        if match := _LINE.match(line):
            value = tomllib.loads(f"x = {match[3]}")["x"]
            # Bounds of a group stand in one comment, one pair per setting.
            found.append((match[2], value, [bounds.pop(0)] if bounds else []))
        elif line.startswith("#"):
            bounds += _BOUNDS.findall(line)
        else:
            bounds = []
    return found


def leaf_of(name: str) -> Leaf | None:
    """Return the checker of a setting that is a number."""
    leaf = next(item.metadata["leaf"] for item in fields(Config) if item.name == name)
    leaf = leaf.item if isinstance(leaf, Nullable) else leaf
    is_number = isinstance(leaf, Leaf) and leaf.schema["type"] in ("integer", "number")
    return leaf if is_number else None


def test_the_sample_names_every_setting_once_and_no_other() -> None:
    named = [name for name, *_ in settings()]
    assert sorted(named) == sorted(item.name for item in fields(Config))


def test_the_sample_shows_the_defaults() -> None:
    real = defaults()
    shown = {name: value for name, value, _ in settings() if name not in EXAMPLES}
    assert shown == {name: real[name] for name in shown}


def test_the_sample_says_the_bounds_of_every_number() -> None:
    for name, _, bounds in settings():
        leaf = leaf_of(name)
        if leaf is None:
            assert bounds == [], name
            continue
        ((low, high),) = bounds
        real = (leaf.schema["minimum"], leaf.schema["maximum"])
        assert (float(low), float(high)) == tuple(map(float, real)), name


def test_the_sample_loads_as_it_stands_and_with_every_line_in_force(tmp_path: Path) -> None:
    assert Config.load(SAMPLE).public_url == "https://v2g.example.org"
    everything = tmp_path / "all.toml"
    text = SAMPLE.read_text(encoding="utf-8")
    everything.write_text(re.sub(r"^# ([a-z_]+ = )", r"\1", text, flags=re.MULTILINE))
    assert Config.load(everything).metrics_port == 9477


async def test_a_park_must_award_as_early_as_the_setting_says(tmp_path: Path) -> None:
    limits = Config(rate_per_s=1e6, rate_burst=10**7, public_rate_burst=10**6)
    async with open_world(tmp_path, replace(limits, award_lead_s=300)) as world:
        deal = await presented(world)
        answer = await world.decide(deal.owner, deal.offer)
        shown = await deal.owner.get(f"/v1/commitments/{answer.body['commitment_id']}")
        assert shown["start_at"] == world.at(1800)
        assert shown["award_by"] == world.at(1800 - 300)


async def test_a_leave_time_lies_as_far_ahead_as_the_setting_says(tmp_path: Path) -> None:
    limits = Config(rate_per_s=1e6, rate_burst=10**7, public_rate_burst=10**6)
    async with open_world(tmp_path, replace(limits, departure_horizon_s=86_400)) as world:
        owner = await world.add_owner()
        path = f"/v1/vehicles/{await world.add_vehicle(owner)}/departures"
        read = await owner.call("GET", path)
        (tag,) = (value for name, value in read.headers.items() if name.lower() == "etag")
        for ahead_s, status in ((86_401, 422), (86_400, 200)):
            body = {"one_off": {"departure_at": world.at(ahead_s)}}
            answer = await owner.call("PATCH", path, body, etag=tag.strip('"'))
            assert answer.status == status, answer.body


async def test_an_offer_that_names_no_lease_gets_the_settings(tmp_path: Path) -> None:
    limits = Config(rate_per_s=1e6, rate_burst=10**7, public_rate_burst=10**6)
    async with open_world(tmp_path, replace(limits, lease_s=20, lease_max_s=30)) as world:
        deal = await presented(world, lease_s=30)
        terms = {key: value for key, value in world.terms().items() if key != "lease_s"}
        body = {"session_id": deal.session_id, "purpose": "peak_price", "terms": terms}
        body["respond_by"] = world.at(1200)
        unsaid = await deal.park.post("/v1/park/offers", body)
        assert unsaid["terms"]["lease_s"] == 20
        longer = await deal.park.call(
            "POST", "/v1/park/offers", body | {"terms": terms | {"lease_s": 31}}
        )
        assert (longer.status, longer.body["errors"][0]["pointer"]) == (422, "/terms/lease_s")


async def test_promise_3_no_owner_may_say_yes_on_an_older_reading_than_the_operator_allows(
    tmp_path: Path,
) -> None:
    """In the process that writes too, which is where the yes is judged."""
    limits = Config(rate_per_s=1e6, rate_burst=10**7, public_rate_burst=10**6)
    strict = replace(limits, soc_max_age_consent_s=60)
    async with open_world(tmp_path, strict, apart=True) as world:
        deal = await presented(world, preferences={"soc_max_age_consent_s": 3600})
        vehicle = f"/v1/vehicles/{deal.vehicle_id}"
        await world.move(60)
        assert (await deal.owner.get(vehicle))["status_reason"] != "soc_stale"
        await world.move(1)
        assert (await deal.owner.get(vehicle))["status_reason"] == "soc_stale"
        answer = await world.decide(deal.owner, deal.offer)
        assert (answer.status, answer.body["code"]) == (409, "soc_stale")
        # Whoever asks for less age than the operator keeps that.
        await preferences(deal.owner, deal.vehicle_id, soc_max_age_consent_s=120)
        assert (await deal.owner.get(f"{vehicle}/preferences"))["soc_max_age_consent_s"] == 120


async def test_promise_3_no_owner_may_discharge_on_an_older_reading_than_the_operator_allows(
    tmp_path: Path,
) -> None:
    limits = Config(rate_per_s=1e6, rate_burst=10**7, public_rate_burst=10**6)
    async with open_world(tmp_path, replace(limits, soc_max_age_discharge_s=60)) as world:
        deal = await active(world, preferences={"soc_max_age_discharge_s": 3600})
        for _ in range(3):
            await world.instruct(deal.park, deal.commitment_id, -7000)
            await world.move(30)
            await world.meter(deal.park, deal.session_id, -7000)
        shown = await commitment(deal)
        assert (shown["state"], shown["state_reason"]) == ("curtailed", "soc_stale")


@pytest.mark.parametrize("name", ["lease_min_s", "award_lead_s", "departure_horizon_s"])
def test_a_timer_of_zero_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Config(**{name: 0})
