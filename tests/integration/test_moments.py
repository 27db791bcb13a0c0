"""When something is, in words: nobody agrees to a time without knowing of which day."""

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pytest

from custom_components.v2g_owner.moments import Moments, async_moments
from tests.told_times import NOW, TOLD, ZONE, there


async def moments(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, language: str = "en"
) -> Moments:
    """Return what tells moments in a home in Shanghai at eleven in the evening."""
    await hass.config.async_set_time_zone(ZONE)
    freezer.move_to(NOW)
    return await async_moments(hass, language)


@pytest.mark.parametrize("language", ["en", "zh-Hans", "zh-Hant"])
@pytest.mark.parametrize("case", TOLD)
async def test_a_window_is_told_with_its_day_unless_that_is_today(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, case: str, language: str
) -> None:
    """Today's date is that of Home Assistant's zone, and a week from now has today's weekday."""
    start, end, english, chinese = TOLD[case]
    tells = await moments(hass, freezer, language)
    assert tells.window(start, end) == (english if language == "en" else chinese)


async def test_what_was_told_before_midnight_is_still_right_after_it(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    """A notification sent at eleven is read at seven: no day in it may have moved."""
    tells = await moments(hass, freezer)
    friday = there(4, 20)
    told = tells.at(friday)
    for day in (2, 3):
        freezer.move_to(there(day, 7))
        assert tells.at(friday) == told == "Friday 20:00"
