"""Every repair with a way to mend it, opened on a phone and walked to its end by keyboard alone."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from playwright.async_api import expect
import pytest
import pytest_asyncio

from .newcomer_dialogs import flow_dialog
from .repair_stage import LANGUAGES, RepairStage, clipped, reach, repair_stage, texts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
    # All beside what they share, however many run at once.
    pytest.mark.xdist_group("repairs"),
]

CHOOSE: Final = {"fix": "choose_entities"}
# How each is mended, as its cause says; those whose way ends in a form of its own lead to it.
FIXES: Final[dict[str, dict[str, Any]]] = {
    "log_shorter": {"fix": "start_over"},
    "log_rewritten": {"fix": "start_over"},
    "log_receipt": {"fix": "check_again"},
    "log_unknown_key": {"fix": "pair_again"},
    "log_epoch": {},
    "device_paired": {"fix": "device_seen", "device_id": "dev"},
    "mapped_entity_gone": CHOOSE,
    "control_entity_gone": CHOOSE,
    "control_unit_wrong": CHOOSE,
    "charger_restless": CHOOSE,
    "soc_stale": CHOOSE,
    "power_sign_wrong": {"fix": "turn_sign"},
    "clock_skew": {"fix": "look_again"},
    "other_time_zone": {"fix": "take_zone"},
    "api_too_old": {"fix": "look_again"},
    "api_too_new": {"fix": "look_again"},
    "charger_shared": {"fix": "keep_one"},
    "device_unknown": {"fix": "unlink", "subentry_id": "gone"},
}
# Whose dialog is made from what an agent says: tests of the integration walk these.
FROM_THE_AGENT: Final = {"terms_changed", "recharge_broken", "limits_unconfirmed"}
NEXT: Final = {
    "choose_entities": {"en": "Change the charger", "zh-Hans": "更改充电桩"},
    "pair_again": {"en": "Pair again", "zh-Hans": "重新配对"},
}
SUBMIT: Final = {"en": "Submit", "zh-Hans": "提交"}
CLOSE: Final = {"en": "button Close", "zh-Hans": "button 关闭"}
FINISH: Final = {"en": "Finish", "zh-Hans": "完成"}
REPAIRED: Final = {"en": "The issue is repaired!", "zh-Hans": "问题已修复"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RepairStage]:
    """Run one home for the whole file."""
    folder: Path = tmp_path_factory.mktemp("repairs")
    async with repair_stage(folder) as opened:
        yield opened


async def test_every_repair_that_asks_something_is_walked() -> None:
    asking = {key for key, each in texts("en").items() if "fix_flow" in each}
    assert asking == FIXES.keys() | FROM_THE_AGENT


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", FIXES)
async def test_a_repair_is_read_and_walked_to_its_end_by_keyboard(
    stage: RepairStage, key: str, language: str
) -> None:
    """On a phone as well: a title of two lines had Home Assistant's next line painted over it."""
    told = await stage.raise_repair(key, FIXES[key])
    page, words = stage.pages[language], texts(language)[key]
    title = words["title"].format(**told)
    await expect(page.locator("ha-config-repairs").get_by_text(title)).to_be_visible()
    await reach(page, title)
    await page.keyboard.press("Enter")
    dialog = flow_dialog(page)
    step = words["fix_flow"]["step"]["confirm"]
    await expect(dialog.get_by_text(step["title"], exact=True)).to_be_visible()
    await expect(dialog.get_by_text(title, exact=True)).to_be_visible()
    assert await clipped(dialog) == []
    if key == "charger_shared":
        await reach(page, "Garage (Li Wei)")
        await page.keyboard.press("Space")
    await reach(page, SUBMIT[language])
    await page.keyboard.press("Enter")
    following = NEXT.get(str(FIXES[key].get("fix")))
    if following is not None:
        await expect(dialog.get_by_text(following[language], exact=True).first).to_be_visible()
        assert f"{key}_of_a_test" in await stage.shown(), "not mended by being asked about"
        # Home Assistant keeps a form that asks for something open when Escape is pressed.
        await reach(page, CLOSE[language])
        await page.keyboard.press("Enter")
    else:
        await expect(dialog.get_by_text(REPAIRED[language])).to_be_visible()
        assert f"{key}_of_a_test" not in await stage.shown()
        await reach(page, FINISH[language])
        await page.keyboard.press("Enter")
    await expect(dialog.get_by_role("button")).to_have_count(0)
    assert stage.complaints == []
