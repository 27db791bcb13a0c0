"""The folder a Home Assistant of ours starts from: configuration, onboarding all but its owner.

Home Assistant runs from ``.venv-ha``, with our integration linked in. Nothing is fetched at run
time.
"""

from dataclasses import dataclass
import json
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
HASS = REPOSITORY / ".venv-ha/bin/hass"
DOMAIN = "v2g_owner"

_CONFIGURATION = """\
homeassistant:
  name: {name}
  time_zone: {time_zone}
  country: {country}
  currency: {currency}
  language: {language}
  unit_system: metric
http:
  server_host: 127.0.0.1
  server_port: {port}
config:
api:
automation:
calendar:
diagnostics:
energy:
frontend:
history:
logbook:
recorder:
script:
system_health:
logger:
  default: warning
  logs:
    custom_components.{domain}: info
"""


class HomeAssistantError(Exception):
    """Home Assistant did not do what it was asked; the text names the request and the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a new Home Assistant is started with; ``extra`` is more YAML for its configuration."""

    folder: Path
    port: int = 0
    name: str = "Demo home"
    username: str = "owner"
    password: str = "owner-demo"  # noqa: S105 - printed for everyone who runs the demo
    language: str = "en"
    time_zone: str = "Asia/Shanghai"
    country: str = "CN"
    currency: str = "CNY"
    extra: str = ""


def prepare_folder(setup: Setup, port: int) -> None:
    """Write a new folder: configuration, our integration, onboarding all but its owner.

    Whom it belongs to, it is told once it runs.
    """
    folder = setup.folder
    (folder / ".storage").mkdir(parents=True, exist_ok=True)
    values = {
        "name": json.dumps(setup.name, ensure_ascii=False),
        "time_zone": setup.time_zone,
        "country": setup.country,
        "currency": setup.currency,
        "language": json.dumps(setup.language),
        "port": port,
        "domain": DOMAIN,
    }
    configuration = _CONFIGURATION.format(**values) + setup.extra
    (folder / "configuration.yaml").write_text(configuration, encoding="utf-8")
    link = folder / "custom_components"
    if not link.exists():
        link.symlink_to(REPOSITORY / "custom_components", target_is_directory=True)
    onboarding = folder / ".storage/onboarding"
    if onboarding.exists():
        return
    # The other steps of onboarding would set up weather and radio, which need the internet.
    done = {"done": ["core_config", "analytics", "integration"]}
    content = {"version": 4, "minor_version": 1, "key": "onboarding", "data": done}
    onboarding.write_text(json.dumps(content), encoding="utf-8")
