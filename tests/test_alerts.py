"""Alerts speak of figures that exist, and each has a page that says what to do."""

from dataclasses import replace
from pathlib import Path
import re
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
import pytest
import yaml

from owner_api.config import Config
from owner_api.problems import ProblemCode
from owner_api.server.park import ROUTES

from .owner_api.deal_world import open_world, scheduled

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
LIMITS = Config(rate_per_s=1e6, rate_burst=10**7, public_rate_burst=10**6)
# What Prometheus adds by itself.
OWN = {"up"}
_WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_FUNCTIONS = {"sum", "rate", "increase", "histogram_quantile", "max_over_time"}
_OPERATORS = {"and", "or", "unless", "on", "ignoring"}


def rules() -> list[dict[str, Any]]:
    """Return every alerting rule of the file."""
    text = (ROOT / "packaging" / "alerts.yaml").read_text(encoding="utf-8")
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


RULES = rules()


def metrics_of(expr: str) -> set[str]:
    """Return the metric names in an expression; any word that is nothing else counts as one."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)|\b\d[\w.]*", " ", expr)
    return set(_WORD.findall(bare)) - _FUNCTIONS - _OPERATORS


def matchers_of(expr: str) -> list[tuple[str, str, str, str]]:
    """Return (metric, label, operator, value) of each matcher."""
    return [
        (metric, *matcher)
        for metric, inside in re.findall(r"(\w+)\{([^}]*)\}", expr)
        for matcher in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', inside)
    ]


async def scrape(tmp_path: Path) -> tuple[dict[str, set[str]], set[str]]:
    """Return label names by sample of a real scrape, and the routes of the server."""
    async with open_world(tmp_path, replace(LIMITS, metrics_port=0), apart=True) as world:
        deal = await scheduled(world)
        await world.instruct(deal.park, deal.commitment_id)
        url = f"http://127.0.0.1:{world.agent.metrics_port}/metrics"
        async with world.http.get(url) as answer:
            text = await answer.text()
        resources = world.agent.app.router.resources()
        routes = {resource.canonical for resource in resources}
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found, routes


async def test_every_figure_label_route_and_reason_in_an_alert_exists(tmp_path: Path) -> None:
    found, routes = await scrape(tmp_path)
    codes = {code.value for code in ProblemCode}
    assert len(RULES) > 10
    for rule in RULES:
        used = metrics_of(rule["expr"]) - OWN
        assert used - set(found) == set(), rule["alert"]
        for metric, label, _, value in matchers_of(rule["expr"]):
            if metric in OWN:
                continue
            assert label in found[metric], (rule["alert"], label)
            if label == "route":
                assert value in routes, rule["alert"]
            if label == "reason":
                assert set(value.split("|")) <= codes, rule["alert"]
        for label in re.findall(r"by \((\w+)\)", rule["expr"]):
            assert any(label in found[metric] for metric in used), rule["alert"]


async def test_what_pages_at_the_first_time_starts_at_zero(tmp_path: Path) -> None:
    """``increase`` overlooks a series that first appears at one."""
    async with open_world(tmp_path, replace(LIMITS, metrics_port=0)) as world:
        url = f"http://127.0.0.1:{world.agent.metrics_port}/metrics"
        async with world.http.get(url) as answer:
            text = await answer.text()
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    stop = ("method", "POST"), ("route", "/v1/stops")
    for status in ("500", "503"):
        assert samples["owner_api_requests_total", *stop, ("status", status)] == 0
    assert samples["owner_api_refused_discharges_total", ("reason", "stop_in_force")] == 0


async def test_every_figure_of_ours_is_watched_or_is_one_of_the_machines(tmp_path: Path) -> None:
    """A figure nobody looks at would be promised in vain."""
    found, _ = await scrape(tmp_path)
    watched = {name for rule in RULES for name in metrics_of(rule["expr"])}
    ours = {re.sub(r"_(total|bucket|count|sum|created)$", "", name) for name in found}
    families = {re.sub(r"_(total|bucket)$", "", name) for name in watched}
    unwatched = ours - families
    assert {name for name in unwatched if "_process_" not in name} == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_has_a_page_that_says_what_it_means_and_what_to_do(
    rule: dict[str, Any],
) -> None:
    name = rule["alert"]
    section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None
    for part in ("**Owners:**", "**Look:**", "**Do:**"):
        assert part in section[1].replace("\n", " "), part
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["labels"]["severity"] in ("page", "ticket")


def test_the_page_names_the_reasons_for_which_a_setpoint_is_refused_and_no_other() -> None:
    """It sent its reader after two that no setpoint is ever refused for."""
    (route,) = (each for each in ROUTES if each.path.endswith("/instructions"))
    # Those of every route say nothing of a setpoint; two have alerts or causes of their own.
    own = {code.value for code in route.problems} - {"stop_in_force", "stale_sequence"}
    section = PAGE.split("## OwnerApiDischargesRefused\n")[1].split("\n## ")[0]
    assert set(re.findall(r"`([a-z_]+)`", section)) - {"reason"} == own - {"not_found"}


def test_no_page_is_left_without_its_alert() -> None:
    names = [rule["alert"] for rule in RULES]
    assert re.findall(r"^## (\w+)$", PAGE, re.MULTILINE) == names
    assert len(names) == len(set(names))


def test_a_figure_that_is_not_there_would_be_noticed() -> None:
    expr = 'sum by (le) (rate(no_such_figure_total{status=~"5..",x="y"}[5m])) / 2e3 > 0.1'
    assert metrics_of(expr) == {"no_such_figure_total"}
    assert matchers_of(expr) == [
        ("no_such_figure_total", "status", "=~", "5.."),
        ("no_such_figure_total", "x", "=", "y"),
    ]


def test_settings_an_alert_names_have_the_value_it_says() -> None:
    """The rules' numbers follow the defaults, so that a changed default is not forgotten."""
    config, by_name = Config(), {rule["alert"]: rule["expr"] for rule in RULES}
    assert f"> {config.max_streams * 9 // 10}" in by_name["OwnerApiStreamsNearLimit"]
    assert (
        f"> {config.outbox_keep_s // 86_400 + 1} * 86400" in by_name["OwnerApiEventsNotForgotten"]
    )
