"""The real Home Assistant that end-to-end tests run against, shared with the demo."""

from script.demo_lib.hass import (
    HomeAssistantError,
    RunningHomeAssistant,
    Setup,
    free_port,
    running_home_assistant,
)

__all__ = [
    "HomeAssistantError",
    "RunningHomeAssistant",
    "Setup",
    "free_port",
    "running_home_assistant",
]
