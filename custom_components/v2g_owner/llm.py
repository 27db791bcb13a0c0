"""Tools for language models: each is there only while the entity that does the same is exposed."""

from collections.abc import Awaitable, Callable
from datetime import time
from typing import Any, Final, override

from homeassistant.components.homeassistant.exposed_entities import async_should_expose
from homeassistant.components.llm import LLMTools
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.chat_session import current_session
from homeassistant.helpers.llm import (
    LLM_API_ASSIST,
    LLMContext,
    Tool,
    ToolAnnotations,
    ToolInput,
    ToolResult,
)
import probatio

from .actor import async_remember_model_turn
from .const import DOMAIN
from .loading import connected_accounts, is_connected
from .voice import (
    Speaker,
    async_ask_back,
    async_confirm,
    async_offer_facts,
    async_set_leave,
    async_stop_all,
    earned_facts,
    open_offers,
    refusal,
    speaker_of,
)

type Run = Callable[[HomeAssistant, Speaker, dict[str, Any]], Awaitable[Any]]


async def _offers(hass: HomeAssistant, who: Speaker, _args: dict[str, Any]) -> Any:  # noqa: ANN401
    """Return the offers that wait."""
    return {"offers": [await async_offer_facts(*pair, who.language) for pair in open_offers(hass)]}


async def _earned(hass: HomeAssistant, _who: Speaker, _args: dict[str, Any]) -> Any:  # noqa: ANN401
    """Return what was earned this month."""
    return {"this_month": [earned_facts(each) for each in connected_accounts(hass)]}


async def _leave(hass: HomeAssistant, _who: Speaker, args: dict[str, Any]) -> Any:  # noqa: ANN401
    """Set a leave time."""
    clock = time(args["hour"], args.get("minute", 0))
    return await async_set_leave(hass, clock, args.get("vehicle"))


async def _accept(hass: HomeAssistant, who: Speaker, args: dict[str, Any]) -> Any:  # noqa: ANN401
    """Ask back, or accept with the person's own yes."""
    if token := args.get("confirm_token"):
        return {"accepted": await async_confirm(hass, who, token)}
    asked, facts = await async_ask_back(hass, who)
    return {"not_yet_accepted": facts, "confirm_token": asked.token}


async def _stop(hass: HomeAssistant, who: Speaker, _args: dict[str, Any]) -> Any:  # noqa: ANN401
    """Stop."""
    await async_stop_all(hass, who)
    return {"stop": "asked"}


class OwnerTool(Tool):
    """One thing a language model may do for the owner."""

    integration = DOMAIN

    def __init__(
        self,
        name: str,
        title: str,
        description: str,
        run: Run,
        *,
        parameters: dict[Any, Any] | None = None,
        annotations: ToolAnnotations,
    ) -> None:
        """Tie a name to what it does."""
        self.name = f"{DOMAIN}__{name}"
        self.title = title
        self.description = description
        self.parameters = probatio.Schema(parameters or {})
        self.annotations = annotations
        self._run = run

    @override
    async def async_call(
        self, hass: HomeAssistant, tool_input: ToolInput, llm_context: LLMContext
    ) -> ToolResult:
        """Do it, or say why not."""
        language = llm_context.language or hass.config.language
        who = speaker_of(llm_context.context, llm_context.device_id, language)
        try:
            args = self.parameters(tool_input.tool_args)
            return ToolResult(data=await self._run(hass, who, args))
        except HomeAssistantError as error:
            return ToolResult(data={"error": await refusal(hass, language, error)}, error=True)


_READ: Final = ToolAnnotations(read_only=True, destructive=False, idempotent=True, open_world=False)
# By the translation key of the entity that does the same: exposing one is allowing the other.
TOOLS: Final[dict[str, OwnerTool]] = {
    "open_offers": OwnerTool(
        "open_offers",
        "Get open offers",
        "Lists the offers of parks to buy energy from the owner's electric car that wait for an"
        " answer: energy, times, and what the owner keeps after recharging, losses and wear.",
        _offers,
        annotations=_READ,
    ),
    "rewards_confirmed": OwnerTool(
        "earned",
        "Get what was earned",
        "Tells what the owner earned this month by selling energy from the car.",
        _earned,
        annotations=_READ,
    ),
    "leave_once": OwnerTool(
        "set_leave_time",
        "Set leave time",
        "Sets when a car leaves next, as an hour and minute of the owner's local day.",
        _leave,
        parameters={
            probatio.Required("hour"): probatio.All(int, probatio.Range(min=0, max=23)),
            probatio.Optional("minute"): probatio.All(int, probatio.Range(min=0, max=59)),
            probatio.Optional("vehicle"): str,
        },
        annotations=ToolAnnotations(idempotent=True, open_world=False),
    ),
    "accept_offer": OwnerTool(
        "accept_offer",
        "Accept the open offer",
        "Accepts the one open offer, in two turns. First call it without a token: nothing is"
        " accepted; read the terms to the person and ask whether they accept. Only after they"
        " have said yes in a message of their own, call it again with confirm_token. A token used"
        " in the turn that made it is refused.",
        _accept,
        parameters={probatio.Optional("confirm_token"): str},
        annotations=ToolAnnotations(),
    ),
    "stop": OwnerTool(
        "stop",
        "Stop discharging",
        "Stops every discharge of the owner's cars at once. Needs no confirmation.",
        _stop,
        annotations=ToolAnnotations(idempotent=True),
    ),
}


@callback
def async_get_tools(hass: HomeAssistant, llm_context: LLMContext, api_id: str) -> LLMTools | None:
    """Return the tools whose entity the owner has exposed to the assistant.

    Asked for at each turn of a model, whichever tools it gets: so we know it by its context.
    """
    async_remember_model_turn(hass, llm_context.context)
    if api_id != LLM_API_ASSIST:
        return None
    # Stopping at home needs no account that is connected; all else does.
    exposed = {
        entity.translation_key
        for entry in hass.config_entries.async_entries(DOMAIN)
        for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
        if is_connected(entry) or entity.translation_key == "stop"
        if async_should_expose(hass, llm_context.assistant, entity.entity_id)
    }
    if current_session.get() is None:
        # Promise 1: outside a conversation, as over MCP, each call of a model's is a turn of its
        # own, and no person's message lies between the two.
        exposed.discard("accept_offer")
    tools: list[Tool] = [tool for key, tool in TOOLS.items() if key in exposed]
    return LLMTools(tools=tools) if tools else None
