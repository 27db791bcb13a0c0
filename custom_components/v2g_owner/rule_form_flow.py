"""Write one rule: its form, what it would have taken, and the change at the API.

A rule is a yes that is given before the offer comes. So each is shown as a sentence, with what it
would have taken, before it is saved; and no rule begins to speak without the owner saying so.
"""

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from homeassistant.config_entries import SubentryFlowResult
import probatio

from .api_errors import OwnerApiError, OwnerApiProblem
from .loading import is_connected
from .loosening import async_write_as_filled_in
from .models import Preferences
from .rule_forms import CONF_NAME, FIELDS, Form, RuleView, rule_body, rule_form, rule_values
from .rule_list import Rules, RulesChangedError, find, saved
from .rule_words import RuleWords, async_rule_words
from .subentry_flow import LinkedDeviceFlow

RULES_ANSWER: Final = "rules"
# What a name may hold; the API counts the same.
_LONGEST_NAME: Final = 100


class RuleFormStep(LinkedDeviceFlow):
    """The form of one rule and what follows it."""

    _seen: Preferences
    """What the owner was shown last: what is written rests on it."""

    def __init__(self) -> None:
        """Start with no rule chosen."""
        super().__init__()
        self._rule: RuleView | None = None
        """The rule that is changed, as it was shown; None for a new one."""
        self._form: Form | None = None
        """The rule as it was typed."""
        self._asked: tuple[probatio.Schema, str] | None = None
        """What the form of a rule last asked, and the time zone that it named."""
        self._typed_in = ""
        """The currency in which the form of a rule asked for money."""
        self._tried: dict[str, Any] = {}

    @property
    def _vehicle_id(self) -> str:
        """The API's id of the vehicle being changed."""
        return self._device_id or ""

    @property
    def _wishes(self) -> Preferences:
        """The vehicle's preferences as we know them now."""
        return self._coordinator.data.preferences[self._vehicle_id]

    @property
    def _currency(self) -> str:
        """The owner's currency."""
        return self._coordinator.data.owner.currency

    @property
    def _parks(self) -> dict[str, str]:
        """The names of the parks that a rule may name, by id."""
        data = self._coordinator.data
        known = [*data.parks.values(), *(each.park for each in data.agreements.values())]
        named = {park.park_id: park.display_name or park.park_id for park in known}
        told = [park_id for rule in self._wishes.rules for park_id in rule.get("park_ids", ())]
        return {park_id: park_id for park_id in told} | named

    async def _async_words(self) -> RuleWords:
        """Return what tells rules."""
        return await async_rule_words(self.hass, self._currency, self._parks)

    @abstractmethod
    async def async_step_rules(self, user_input: Form | None = None) -> SubentryFlowResult:
        """Show the rules in their order."""

    async def async_step_rule_add(
        self,
        user_input: Form | None = None,  # noqa: ARG002 - a menu asks for none
    ) -> SubentryFlowResult:
        """Begin a new rule."""
        self._rule = self._form = None
        return await self.async_step_rule()

    async def async_step_rule(self, user_input: Form | None = None) -> SubentryFlowResult:
        """Take a rule's conditions, and try it on the last offers."""
        if not await self._async_loaded():
            return self._later_with_rule(user_input)
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            self._form = user_input
            name = user_input[CONF_NAME].strip()
            if self._typed_in != self._currency:
                errors["base"] = "changed_meanwhile"
            elif not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
                errors[CONF_NAME] = "rule_name"
            elif await self._async_try(errors, placeholders):
                return await self.async_step_rule_check()
        return self._show_rule(errors, placeholders)

    def _show_rule(
        self, errors: dict[str, str], placeholders: dict[str, str]
    ) -> SubentryFlowResult:
        """Show the form of a rule as it was typed."""
        zone, self._typed_in = self._coordinator.data.owner.time_zone, self._currency
        self._asked = rule_form(self._typed_in, self._parks), zone
        return self._ask(self._asked, errors, placeholders)

    def _ask(
        self,
        asked: tuple[probatio.Schema, str],
        errors: dict[str, str],
        placeholders: dict[str, str],
    ) -> SubentryFlowResult:
        """Show a form of a rule with what was typed."""
        schema, zone = asked
        return self.async_show_form(
            step_id="rule",
            data_schema=self.add_suggested_values_to_schema(schema, self._form),
            errors=errors,
            description_placeholders={"time_zone": zone, **placeholders},
        )

    def _later_with_rule(self, user_input: Form | None) -> SubentryFlowResult:
        """Say that nobody can be asked now; what was typed is not lost in a menu either."""
        away = user_input is None and not is_connected(self._get_entry())
        if away and self._form is not None and self._asked is not None:
            return self._ask(self._asked, {"base": "cannot_connect"}, {})
        return self._later(user_input)

    @property
    def _wanted(self) -> RuleView:
        """The rule as it was typed, with what only the API knows of it."""
        return (self._rule or {}) | rule_body(self._form or {}, self._currency)

    async def _async_try(self, errors: dict[str, str], placeholders: dict[str, str]) -> bool:
        """Have the API try the rule on the last offers; what it refuses is said by field."""
        path = f"/v1/vehicles/{self._vehicle_id}/rule-preview"
        try:
            self._tried = await self._coordinator.api.post(path, {"rule": self._wanted})
        except OwnerApiProblem as error:
            fields = {FIELDS.get(each, "base") for each in error.fields_below("rule")}
            errors |= dict.fromkeys(fields or {"base"}, "refused")
            placeholders["detail"] = error.placeholders["limits"]
        except OwnerApiError:
            errors["base"] = "cannot_connect"
        return not errors

    async def async_step_rule_check(
        self,
        user_input: Form | None = None,  # noqa: ARG002 - a menu asks for none
    ) -> SubentryFlowResult:
        """Show what the rule says and would have taken, before it is saved."""
        words, self._seen = await self._async_words(), self._wishes
        speak = self._seen.consent_mode == RULES_ANSWER
        return self.async_show_menu(
            step_id="rule_check",
            menu_options=["rule_save", *([] if speak else ["rule_save_and_answer"]), "rule"],
            description_placeholders={
                "rule": words.listed((self._wanted,)).removeprefix("1. "),
                "tried": words.tried(self._tried),
                "who_answers": words.who_answers(self._seen),
            },
        )

    async def async_step_rule_save(
        self,
        user_input: Form | None = None,  # noqa: ARG002 - a menu asks for none
    ) -> SubentryFlowResult:
        """Save the rule; who answers stays as it is."""
        return await self._async_save(answer=False)

    async def async_step_rule_save_and_answer(
        self,
        user_input: Form | None = None,  # noqa: ARG002 - a menu asks for none
    ) -> SubentryFlowResult:
        """Save the rule and let the rules answer from now on."""
        return await self._async_save(answer=True)

    async def _async_save(self, *, answer: bool) -> SubentryFlowResult:
        """Put the rule into the list at the API; what was typed is shown again on a no."""
        if not await self._async_loaded():
            return self._later_with_rule(None)
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if self._typed_in != self._currency:
            # What was shown in one currency is no yes to the same figures in another.
            return self._show_rule({"base": "changed_meanwhile"}, placeholders)
        change = partial(saved, self._rule, self._wanted, self._currency)
        await self._async_keep(change, errors, placeholders, answer=answer)
        if not errors:
            return await self.async_step_rules()
        if self._rule is not None and errors["base"] == "changed_meanwhile":
            found = find(list(self._wishes.rules), self._rule)
            if found is None:
                self._rule, errors["base"] = None, "rule_gone"
            elif found != self._rule:
                self._rule, self._form = found, rule_values(found, self._currency)
        return self._show_rule(errors, placeholders)

    async def _async_keep(
        self,
        change: Callable[[Rules], Rules],
        errors: dict[str, str],
        placeholders: dict[str, str],
        *,
        answer: bool = False,
    ) -> None:
        """Write the newest list of rules with one change, unless others changed what was shown."""
        seen, coordinator = self._seen, self._coordinator

        def body() -> dict[str, Any]:
            """Return what is written at our turn."""
            now = coordinator.data.preferences[self._vehicle_id]
            if now.consent_mode != seen.consent_mode or (answer and now.rules != seen.rules):
                raise RulesChangedError
            rules = change(list(now.rules))
            return {"rules": rules} | ({"consent_mode": RULES_ANSWER} if answer else {})

        async def write() -> str:
            """Change the rules at the API."""
            await async_write_as_filled_in(coordinator, self._vehicle_id, body)
            return self._vehicle_id

        try:
            await self._async_write(write, errors, placeholders, subject="preferences")
        except RulesChangedError:
            errors["base"] = "changed_meanwhile"
