"""A phone with Home Assistant's app: registers itself, shows notifications, and taps on them."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Self

from script.demo_lib.hass import RunningHomeAssistant

type Notification = dict[str, Any]


@dataclass(kw_only=True)
class Phone:
    """One registered device on its local push channel; make it with ``Phone.of``."""

    home: RunningHomeAssistant
    name: str
    webhook_id: str
    shown: list[Notification] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    async def of(cls, home: RunningHomeAssistant, name: str) -> Self:
        """Register a phone as the app does, and listen on its push channel."""
        registered = await home.post(
            "/api/mobile_app/registrations",
            {
                "app_id": "io.homeassistant.companion.android",
                "app_name": "Home Assistant",
                "app_version": "2026.11.1",
                "device_id": "newcomers-phone",
                "device_name": name,
                "manufacturer": "Demo",
                "model": "Phone",
                "os_name": "Android",
                "os_version": "17",
                "supports_encryption": False,
                "app_data": {"push_websocket_channel": True},
            },
        )
        phone = cls(home=home, name=name, webhook_id=registered["webhook_id"])
        await home.subscribe(
            phone._show, "mobile_app/push_notification_channel", webhook_id=phone.webhook_id
        )
        return phone

    async def device_id(self) -> str:
        """Return the phone's device in Home Assistant."""
        devices = await self.home.command("config/device_registry/list")
        found: str = next(each["id"] for each in devices if each["name"] == self.name)
        return found

    async def notification(self, patience_s: float) -> Notification:
        """Return the next notification with buttons; raises TimeoutError when none comes."""
        async with asyncio.timeout(patience_s):
            while True:
                self._news.clear()
                for each in self.shown:
                    if (each.get("data") or {}).get("actions"):
                        return each
                await self._news.wait()

    async def cleared(self, tag: str, patience_s: float) -> None:
        """Wait until the notification with a tag was taken away; raises TimeoutError."""
        async with asyncio.timeout(patience_s):
            while True:
                self._news.clear()
                for each in self.shown:
                    is_same = (each.get("data") or {}).get("tag") == tag
                    if is_same and each["message"] == "clear_notification":
                        return
                await self._news.wait()

    async def tap(self, action: str) -> None:
        """Tap on a button of a notification, which the app sends to its webhook."""
        event = {
            "event_type": "mobile_app_notification_action",
            "event_data": {"action": action, "device_id": "newcomers-phone"},
        }
        message = {"type": "fire_event", "data": event}
        url = f"{self.home.url}/api/webhook/{self.webhook_id}"
        async with self.home.http.post(url, json=message) as response:
            response.raise_for_status()

    def _show(self, notification: Notification) -> None:
        self.shown.append(notification)
        self._news.set()
