"""What an owner does in Home Assistant's own dialogs with our integration, over their HTTP API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .hass_client import HomeAssistantClient
from .hass_folder import DOMAIN, HomeAssistantError


@dataclass(kw_only=True)
class HomeAssistantOwner(HomeAssistantClient):
    """Pairs, adds vehicles and chargers, and finds what they brought."""

    async def pair(self, url: str, code: str) -> tuple[str, str | None]:
        """Add our entry by address and code; returns its id and the chained vehicle's flow id."""
        flow = await self.post("/api/config/config_entries/flow", {"handler": DOMAIN})
        answer = await self.post(
            f"/api/config/config_entries/flow/{flow['flow_id']}",
            {"url": url, "pairing_code": code},
        )
        if answer["type"] != "create_entry":
            raise HomeAssistantError(f"pairing: {answer.get('errors') or answer}")
        chained = answer.get("next_flow")
        return answer["result"]["entry_id"], chained[1] if chained else None

    async def start_subentry(self, entry_id: str, kind: str) -> str:
        """Begin to add a vehicle or charger; returns the flow id."""
        flow = await self.post(
            "/api/config/config_entries/subentries/flow", {"handler": [entry_id, kind]}
        )
        # Such a flow is over: asking for its next step would only say that there is none.
        if flow["type"] == "abort":
            raise HomeAssistantError(f"adding a {kind}: {flow['reason']}")
        return str(flow["flow_id"])

    async def add_device(
        self,
        flow_id: str,
        *,
        facts: Mapping[str, Any],
        entities: Mapping[str, Any],
        link: str | None = None,
    ) -> dict[str, Any]:
        """Walk a vehicle's or charger's flow to its end; returns the last answer.

        ``link`` names one that the API already knows; else one is made from ``facts``.
        """
        path = f"/api/config/config_entries/subentries/flow/{flow_id}"
        step = await self.get(path)
        if step["step_id"] == "user":
            step = await self.post(path, {"link": link or "new"})
        if step["step_id"] == "facts":
            step = await self.post(path, dict(facts))
        answer: dict[str, Any] = await self.post(path, dict(entities))
        if answer["type"] != "create_entry":
            raise HomeAssistantError(f"adding a device: {answer.get('errors') or answer}")
        return answer

    async def until_loaded(self, entry_id: str) -> None:
        """Wait until an entry that was added or changed has loaded, with all its entities."""

        async def loaded() -> bool:
            found = await self.command("config_entries/get_single", entry_id=entry_id)
            return bool(found["config_entry"]["state"] == "loaded")

        await self.until(loaded, "the account is loaded")

    async def entity_ids(self) -> dict[str, str]:
        """Return our entity ids by ``platform.unique_id``, whatever language named them."""
        entries = await self.command("config/entity_registry/list")
        return {
            f"{entry['entity_id'].partition('.')[0]}.{entry['unique_id']}": entry["entity_id"]
            for entry in entries
            if entry["platform"] == DOMAIN
        }

    async def save_dashboard(self, url_path: str, config: Mapping[str, Any]) -> None:
        """Add a dashboard at ``url_path``, which needs a hyphen, and open it first for everyone."""
        made = {"url_path": url_path, "title": config["title"], "icon": config["icon"]}
        await self.command("lovelace/dashboards/create", **made)
        await self.command("lovelace/config/save", config=dict(config), url_path=url_path)
        await self.command(
            "frontend/set_system_data", key="core", value={"default_panel": url_path}
        )
