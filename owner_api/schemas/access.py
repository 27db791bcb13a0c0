"""Messages that pair a device, mint codes and describe the caller."""

from typing import Final

from probatio import Optional, Required

from .fields import choice, text

DEVICE_KINDS: Final = ("home_assistant", "phone")

PAIR: Final = {
    Required("code"): text(8, 64),
    Required("device_name"): text(1, 100),
    Required("kind"): choice(*DEVICE_KINDS),
}
CODE_CREATE: Final = {Optional("label"): text(0, 100)}
