"""Asking and answering aloud: the built-in agent with our sentences, and language models' tools."""

from calendar import day_name
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
import shutil
from typing import Any

from homeassistant.components import conversation
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.core import Context, HomeAssistant, ServiceCall
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import llm
from homeassistant.helpers.chat_session import async_get_chat_session
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml
import pytest

from custom_components.v2g_owner import voice
from custom_components.v2g_owner.const import DOMAIN
from custom_components.v2g_owner.decisions import quoted
from custom_components.v2g_owner.intent import INTENTS
from custom_components.v2g_owner.llm import TOOLS

from .conftest import Home, told_days, until
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow

VOICE = Path(__file__).parents[2] / "docs/voice"
WEEKDAYS_OF = {name: at for at, name in enumerate(day_name)}
LANGUAGES = sorted(folder.name for folder in VOICE.iterdir() if folder.is_dir())


class Room:
    """Somebody who talks to the built-in agent."""

    def __init__(self, hass: HomeAssistant, user_id: str | None = "li") -> None:
        """Stand in the room."""
        self.hass = hass
        self.user_id = user_id

    async def say(self, text: str, language: str = "en", **options: Any) -> str:
        """Say a sentence; returns the answer."""
        result = await conversation.async_converse(
            self.hass,
            text,
            None,
            Context(user_id=self.user_id),
            language=language,
            agent_id=conversation.HOME_ASSISTANT_AGENT,
            **options,
        )
        return str(result.response.speech["plain"]["speech"])


@pytest.fixture
async def room(home: Home, tmp_path: Path) -> Room:
    """Copy our sentences to where an owner would, and set up the agent."""
    hass = home.hass
    shutil.copytree(VOICE, tmp_path / "config" / "custom_sentences")
    hass.config.config_dir = str(tmp_path / "config")
    await hass.config.async_set_time_zone("Asia/Shanghai")
    assert await async_setup_component(hass, "homeassistant", {})
    assert await async_setup_component(hass, "conversation", {})
    await hass.async_block_till_done()
    return Room(hass)


async def offered(home: Home, world: OwnerWorld, session_id: str) -> Any:
    """Have an offer wait."""
    offer = await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    return offer


async def test_what_is_on_offer_and_what_was_earned_can_be_asked(
    home: Home, world: OwnerWorld, room: Room, session_id: str
) -> None:
    """With energy, times and what is left after wear."""
    assert await room.say("what is on offer") == "No offer waits for you."
    await offered(home, world, session_id)
    told = await room.say("is there an offer for my car")
    net = home.state("sensor", world.owner_id, "next_offer_net").state
    assert "East Gate Park asks for 6 kilowatt hours from Blue car" in told
    assert f"{float(net):.2f} CNY" in told
    earned = await room.say("how much did my car earn this month")
    assert earned == "This month 0.00 CNY are confirmed, 0.00 pending, 0.00 paid."


async def test_promise_1_what_is_read_out_names_its_day(
    home: Home, world: OwnerWorld, room: Room, vehicle_id: str, session_id: str
) -> None:
    """Promise 1: to who asks, before the yes, and in the speaker's own language."""
    offer = await world.offer_in_days(vehicle_id, session_id, 3)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    told = told_days(offer["terms"])
    assert f"from Blue car, {told}. You would keep" in await room.say("what is on offer")
    assert f"from Blue car, {told}. You would keep" in await room.say("accept the offer")
    weekday = "一二三四五六日"[WEEKDAYS_OF[told.partition(" ")[0]]]
    assert f"星期{weekday}" in await room.say("有什么报价", "zh-CN")
    assert f"星期{weekday}" in await room.say("有什麼報價", "zh-TW")


async def test_promise_4_a_stop_that_may_take_longer_is_said_before_the_yes(
    home: Home, world: OwnerWorld, room: Room, session_id: str
) -> None:
    """Promise 4: a lease longer than two minutes is for backup, and is told before consent."""
    await world.offer(session_id, purpose="backup", lease_s=900)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    for sentence in ("what is on offer", "accept the offer"):
        told = await room.say(sentence)
        assert told.startswith("This is for backup in an outage: ")
        assert "a stop may take up to 15 minutes. East Gate Park asks for" in told
    assert "最多可能需要 15 分钟" in await room.say("有什么报价", "zh-CN")


async def test_promise_1_accepting_aloud_asks_back_and_needs_a_second_yes(
    home: Home, world: OwnerWorld, room: Room, session_id: str
) -> None:
    """Promise 1: what a microphone may have misheard is no consent."""
    offer = await offered(home, world, session_id)
    path = f"/v1/offers/{offer['offer_id']}"
    assert "nothing was asked" in (await room.say("yes, accept the offer")).lower()
    asked = await room.say("accept the offer")
    assert asked.endswith("Say: yes, accept the offer.")
    assert (await world.phone.get(path))["state"] == "presented"
    # Somebody else's yes does not count, nor does it use up the question.
    assert "Nothing was asked" in await Room(room.hass, "guest").say("yes, accept the offer")
    assert (await world.phone.get(path))["state"] == "presented"
    assert (
        await room.say("yes, accept the offer") == "Accepted: 6 kilowatt hours for East Gate Park."
    )
    answered = await world.phone.get(path)
    assert answered["state"] == "accepted"
    assert answered["decision"]["method"] == "voice"
    assert answered["decision"]["actor"] == {"user": "li"}
    assert "Nothing was asked" in await room.say("yes, accept the offer")


async def test_an_offer_that_was_countered_is_not_read_out_to_be_accepted(
    home: Home, world: OwnerWorld, room: Room, session_id: str
) -> None:
    """It waits for the park: a yes to it would only be refused."""
    offer = await offered(home, world, session_id)
    terms = {"offer_id": offer["offer_id"], "price_per_kwh": 1.5}
    await home.act("counter_offer", terms, context=Context(user_id="li"))
    await home.reaches("button", world.owner_id, "counter_offer", "unavailable")
    assert await room.say("what is on offer") == "No offer waits for you."
    assert await room.say("accept the offer") == "There is no open offer to answer."


async def test_what_is_said_to_be_accepted_is_what_was_agreed(
    home: Home, world: OwnerWorld, room: Room, session_id: str, vehicle_id: str
) -> None:
    """The car had lost charge since the offer was read out: less was sold than was said."""
    offer = await offered(home, world, session_id)
    assert "6 kilowatt hours" in await room.say("accept the offer")
    reading = {"measured_at": world.at(0), "plugged_in": True, "soc_pct": 58}
    await world.phone.post(f"/v1/vehicles/{vehicle_id}/telemetry", {"readings": [reading]})
    said = await room.say("yes, accept the offer")
    decision = (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["decision"]
    agreed_wh = decision["consented_energy_wh"]
    assert 1_000 <= agreed_wh < 6_000
    assert said == f"Accepted: {agreed_wh / 1000:g} kilowatt hours for East Gate Park."


async def test_promise_1_a_yes_aloud_covers_no_more_than_was_read_out(
    home: Home, world: OwnerWorld, room: Room, session_id: str, vehicle_id: str
) -> None:
    """Promise 1: between the question and the yes the car charged, and prices came."""
    path = f"/v1/vehicles/{vehicle_id}"

    async def says(soc_pct: float) -> None:
        reading = {"measured_at": world.at(0), "plugged_in": True, "soc_pct": soc_pct}
        await world.phone.post(f"{path}/telemetry", {"readings": [reading]})

    await says(58)
    offer = await offered(home, world, session_id)
    shown = (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["evaluation"]
    asked = await room.say("accept the offer")
    assert f"asks for {shown['quoted_energy_wh'] / 1000:g} kilowatt hours" in asked
    await says(80)
    entries = [{"start_at": world.at(0), "price_per_kwh": "0.6600"}]
    await world.phone.post(f"{path}/prices", {"entries": entries})
    coordinator = home.entry.runtime_data.coordinator
    await until(lambda: quoted(coordinator.data.offers[offer["offer_id"]]) == 6_000)
    await room.say("yes, accept the offer")
    decision = (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["decision"]
    assert decision["consented_energy_wh"] == shown["quoted_energy_wh"] < 6_000


async def test_promise_1_a_program_that_speaks_for_nobody_accepts_nothing_aloud(
    home: Home, world: OwnerWorld, room: Room, session_id: str
) -> None:
    """Promise 1: an add-on can type both sentences under the user that Home Assistant made it."""
    offer = await offered(home, world, session_id)
    made = await room.hass.auth.async_create_system_user("Supervisor", group_ids=["system-admin"])
    program = Room(room.hass, made.id)
    assert (await program.say("accept the offer")).endswith("Say: yes, accept the offer.")
    assert "people can accept" in await program.say("yes, accept the offer")
    assert (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["state"] == "presented"


async def test_a_yes_that_comes_too_late_or_for_other_terms_accepts_nothing(
    home: Home,
    world: OwnerWorld,
    room: Room,
    session_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A minute later the words may have meant something else."""
    offer = await offered(home, world, session_id)
    with monkeypatch.context() as late:
        late.setattr(voice, "CONFIRM_WITHIN", timedelta(seconds=-1))
        await room.say("accept the offer")
    assert "too long ago" in await room.say("yes, accept the offer")
    await room.say("accept the offer")
    await world.park.post(
        f"/v1/park/offers/{offer['offer_id']}/revisions",
        {
            "revision": offer["revision"] + 1,
            "terms": world.terms(requested_energy_wh=9_000),
            "respond_by": world.at(600),
        },
    )
    await home.reaches("sensor", world.owner_id, "next_offer_energy", "9.0")
    assert "terms have changed" in await room.say("yes, accept the offer")
    assert (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["state"] == "presented"


async def test_a_leave_time_is_set_to_the_next_time_it_is_so_late(
    home: Home, world: OwnerWorld, room: Room, vehicle_id: str
) -> None:
    """In the owner's own time zone; the car is named back."""
    told = await room.say("I leave at 7 30")
    assert told.startswith("Blue car leaves on ")
    assert told.endswith(" at 07:30.")
    one_off = (await world.phone.get(f"/v1/vehicles/{vehicle_id}/departures"))["one_off"]
    assert one_off["departure_at"][11:16] == "23:30"
    assert (await room.say("I leave at 18 o'clock")).endswith(" at 18:00.")


async def test_stop_needs_no_second_word(home: Home, world: OwnerWorld, room: Room) -> None:
    """Promise 4: any channel, any time."""
    size = (await world.phone.get("/v1/ledger/checkpoint"))["size"]
    assert await room.say("stop discharging my car") == "Stop has been asked for."
    assert (await world.phone.get("/v1/ledger/checkpoint"))["size"] > size


async def test_without_an_account_or_with_an_unknown_car_the_answer_says_so(
    home: Home, room: Room
) -> None:
    """No stack trace is read out."""
    assert await room.say("accept the offer") == "There is no open offer to answer."
    with pytest.raises(Exception, match="0 of your cars fit"):
        voice._vehicle(room.hass, "Red car")
    await room.hass.config_entries.async_unload(home.entry.entry_id)
    assert await room.say("what did my car earn") == "No account is connected."


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_sentences_of_each_language_reach_each_intent(
    language: str, home: Home, room: Room
) -> None:
    """Every intent can be said in every language, and is answered in it."""
    file: Any = load_yaml(str(VOICE / language / "v2g_owner.yaml"))
    assert file["language"] == language
    assert set(file["intents"]) == set(INTENTS)
    said = {
        "en": ("what is on offer", "No offer"),
        "zh-CN": ("有什么报价", "目前没有等待您答复的报价"),
        "zh-TW": ("有什麼報價", "目前沒有等待您答覆的報價"),
    }
    words, answer = said[language]
    assert answer in await room.say(words, language)
    leave = {"en": "I leave at 8", "zh-CN": "我8点30分出发", "zh-TW": "我8點出發"}[language]
    assert "08:" in await room.say(leave, language)


@pytest.mark.parametrize(
    ("language", "said", "clock"),
    [
        ("en", "I leave at 7:30", "07:30"),
        ("en", "I leave at half past seven", "07:30"),
        ("en", "I leave at 7 am", "07:00"),
        ("en", "I leave at 7:30 a.m.", "07:30"),
        ("en", "I leave at 5 pm", "17:00"),
        ("en", "I leave at 5:15pm", "17:15"),
        ("zh-CN", "我七点半出发", "07:30"),
        ("zh-CN", "我凌晨5点出发", "05:00"),
        ("zh-CN", "我下午两点出发", "14:00"),
        ("zh-CN", "我晚上8点20出发", "20:20"),
        ("zh-TW", "我早上七點半出發", "07:30"),
        ("zh-TW", "我下午兩點半出發", "14:30"),
    ],
)
@pytest.mark.usefixtures("home")
async def test_a_clock_time_is_understood_as_people_say_it(
    language: str, said: str, clock: str, room: Room
) -> None:
    """What a microphone writes down as 7:30, and what is said in the afternoon."""
    assert clock in await room.say(said, language)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("zh-CN", "请停止放电"),
        ("zh-CN", "别放电了"),
        ("zh-TW", "馬上停止放電"),
        ("zh-TW", "不要再放電了"),
    ],
)
@pytest.mark.usefixtures("home")
async def test_promise_4_a_stop_is_understood_as_people_say_it(
    language: str, said: str, room: Room
) -> None:
    """A polite one was not, nor one in a hurry."""
    assert "停止放" in await room.say(said, language)


# --- language models


async def ask_tools(
    hass: HomeAssistant, turn: Context, *, conversing: bool = True
) -> llm.APIInstance:
    """Return what a language model may use in one turn, of a conversation or of none."""
    of = llm.LLMContext(
        platform="test",
        context=turn,
        language="en",
        assistant=conversation.DOMAIN,
        device_id=None,
    )
    with async_get_chat_session(hass) if conversing else nullcontext():
        return await llm.async_get_api(hass, llm.LLM_API_ASSIST, of)


def ours(api: llm.APIInstance) -> dict[str, llm.Tool]:
    """Return our tools by their short names."""
    return {
        tool.name.removeprefix(f"{DOMAIN}__"): tool
        for tool in api.tools
        if tool.name.startswith(f"{DOMAIN}__")
    }


async def use(api: llm.APIInstance, name: str, **args: Any) -> Any:
    """Use a tool."""
    return await api.async_call_tool(llm.ToolInput(tool_name=f"{DOMAIN}__{name}", tool_args=args))


async def test_a_language_model_gets_the_tools_whose_entity_is_exposed_and_no_other(
    home: Home, world: OwnerWorld, room: Room, vehicle_id: str
) -> None:
    """Exposing a button is allowing what it does; nothing is there before."""
    assert ours(await ask_tools(room.hass, Context())) == {}
    platforms = {
        "open_offers": ("sensor", world.owner_id),
        "rewards_confirmed": ("sensor", world.owner_id),
        "leave_once": ("datetime", vehicle_id),
        "accept_offer": ("button", world.owner_id),
        "stop": ("button", world.owner_id),
    }
    assert platforms.keys() == TOOLS.keys()
    for count, (key, (platform, device)) in enumerate(platforms.items(), 1):
        entity_id = home.entity_id(platform, device, key)
        async_expose_entity(room.hass, conversation.DOMAIN, entity_id, should_expose=True)
        assert len(ours(await ask_tools(room.hass, Context()))) == count
    for name, tool in ours(await ask_tools(room.hass, Context())).items():
        assert tool.integration == DOMAIN
        assert tool.annotations.read_only is (name in {"open_offers", "earned"})


async def test_an_automation_that_asked_a_language_model_answers_as_an_automation(
    home: Home, world: OwnerWorld, room: Room, session_id: str, vehicle_id: str
) -> None:
    """It acts in one context before and after, and is the owner's to allow."""
    hass = room.hass
    await home.set("switch", vehicle_id, "allow_automations", "turn_on")

    async def ask(call: ServiceCall) -> None:
        await ask_tools(hass, call.context)

    hass.services.async_register("model", "ask", ask)
    automation = {
        "alias": "Ask and take",
        "triggers": {"trigger": "event", "event_type": "go"},
        "actions": [{"action": "model.ask"}, {"action": "v2g_owner.accept_offer"}],
    }
    assert await async_setup_component(hass, "automation", {"automation": automation})
    offer = await offered(home, world, session_id)
    hass.bus.async_fire("go")
    await home.reaches("sensor", world.owner_id, "deal_state", "pending_award")
    decision = (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["decision"]
    assert decision["actor"] == {"automation": "automation.ask_and_take"}


async def test_promise_1_a_language_model_outside_a_conversation_gets_no_tool_to_accept(
    home: Home, world: OwnerWorld, room: Room
) -> None:
    """Promise 1: over MCP each call is a turn of its own, so that two were question and yes."""
    for key in ("accept_offer", "stop"):
        entity_id = home.entity_id("button", world.owner_id, key)
        async_expose_entity(room.hass, conversation.DOMAIN, entity_id, should_expose=True)
    assert ours(await ask_tools(room.hass, Context())).keys() == {"accept_offer", "stop"}
    assert ours(await ask_tools(room.hass, Context(), conversing=False)).keys() == {"stop"}


async def test_promise_1_a_language_model_cannot_accept_in_the_turn_it_was_asked(
    home: Home, world: OwnerWorld, room: Room, session_id: str, vehicle_id: str
) -> None:
    """Promise 1: the person's yes is a message of their own, never the model's second call."""
    offer = await world.offer_in_days(vehicle_id, session_id, 1)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    for platform, device, key in (
        ("button", world.owner_id, "accept_offer"),
        ("sensor", world.owner_id, "open_offers"),
        ("sensor", world.owner_id, "rewards_confirmed"),
        ("datetime", vehicle_id, "leave_once"),
        ("button", world.owner_id, "stop"),
    ):
        entity_id = home.entity_id(platform, device, key)
        async_expose_entity(room.hass, conversation.DOMAIN, entity_id, should_expose=True)
    first = await ask_tools(room.hass, Context(user_id="li"))
    (told,) = (await use(first, "open_offers")).data["offers"]
    assert told["energy_kwh"] == "6"
    assert f"{told['start']} to {told['end']}" == told_days(offer["terms"])
    assert (await use(first, "earned")).data["this_month"][0]["confirmed"] == "0.00"
    asked = await use(first, "accept_offer")
    assert "confirm_token" in asked.data
    token = asked.data["confirm_token"]
    refused = await use(first, "accept_offer", confirm_token=token)
    assert refused.error
    assert "Nothing was asked" in refused.data["error"]
    path = f"/v1/offers/{offer['offer_id']}"
    assert (await world.phone.get(path))["state"] == "presented"

    asked = await use(await ask_tools(room.hass, Context(user_id="li")), "accept_offer")
    second = await ask_tools(room.hass, Context(user_id="li"))
    done = await use(second, "accept_offer", confirm_token=asked.data["confirm_token"])
    assert done.data["accepted"]["park"] == "East Gate Park"
    assert (await world.phone.get(path))["decision"]["method"] == "voice"
    left = await use(second, "set_leave_time", hour=7, minute=15, vehicle="blue CAR")
    assert left.data["time"] == "07:15"
    assert not (await use(second, "stop")).error
    await until(lambda: home.state("sensor", world.owner_id, "deal_state").state == "none")


async def test_promise_1_a_language_model_that_switches_the_button_on_accepts_nothing(
    home: Home,
    world: OwnerWorld,
    room: Room,
    session_id: str,
    hass_admin_user: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Promise 1: the button that has to be exposed for our own tool comes with Home Assistant's."""
    hass = room.hass
    assert await async_setup_component(hass, "intent", {})
    offer = await offered(home, world, session_id)
    path = f"/v1/offers/{offer['offer_id']}"
    buttons = {
        key: home.entity_id("button", world.owner_id, key)
        for key in ("accept_offer", "decline_offer")
    }
    for entity_id in buttons.values():
        async_expose_entity(hass, conversation.DOMAIN, entity_id, should_expose=True)
    api = await ask_tools(hass, Context(user_id=hass_admin_user.id))

    async def switch_on(key: str) -> llm.ToolResult:
        args = {"name": hass.states.get(buttons[key]).name, "domain": ["button"]}
        switched = llm.ToolInput(tool_name="intent__HassTurnOn", tool_args=args)
        return await api.async_call_tool(switched)

    with pytest.raises(HomeAssistantError, match="Failed to call"):
        await switch_on("accept_offer")
    assert "accepts nothing by itself" in caplog.text
    caplog.clear()
    assert (await world.phone.get(path))["state"] == "presented"
    await switch_on("decline_offer")
    assert (await world.phone.get(path))["decision"]["method"] == "voice"
