"""The menu of an owner's rules: listed in their order, added, changed, switched, moved, removed."""

from functools import partial
from typing import override

from homeassistant.config_entries import SubentryFlowResult

from .rule_form_flow import RULES_ANSWER, RuleFormStep
from .rule_forms import CONF_ACT, CONF_ENABLED, CONF_RULE, Form, pick_form, rule_values
from .rule_list import acted


class RulesStep(RuleFormStep):
    """The menu of rules and the choice of one."""

    @override
    async def async_step_rules(
        self,
        user_input: Form | None = None,
    ) -> SubentryFlowResult:
        """Show the rules in their order, who answers, and what can be done."""
        if not await self._async_loaded():
            return self._later(None)
        words, self._seen = await self._async_words(), self._wishes
        rules, speak = self._seen.rules, self._seen.consent_mode == RULES_ANSWER
        options = ["rule_add"]
        if rules:
            options += ["rule_pick"] if speak else ["rule_pick", "rules_answer"]
        return self.async_show_menu(
            step_id="rules",
            menu_options=[*options, "rules_done"],
            description_placeholders={
                "rules": words.listed(rules),
                "who_answers": words.who_answers(self._seen),
            },
        )

    async def async_step_rules_done(
        self,
        user_input: Form | None = None,  # noqa: ARG002 - a menu asks for none
    ) -> SubentryFlowResult:
        """End; each change was kept as it was made."""
        return self.async_abort(reason="rules_kept")

    async def async_step_rules_answer(
        self,
        user_input: Form | None = None,  # noqa: ARG002 - a menu asks for none
    ) -> SubentryFlowResult:
        """Let the rules answer that were shown."""
        if not await self._async_loaded():
            return self._later(None)
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        await self._async_keep(lambda rules: rules, errors, placeholders, answer=True)
        if errors:
            return await self._show_pick(errors, placeholders, {})
        return await self.async_step_rules()

    async def async_step_rule_pick(self, user_input: Form | None = None) -> SubentryFlowResult:
        """Choose a rule, and change, switch, move or remove it."""
        if not await self._async_loaded():
            return self._later(user_input)
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is None:
            return await self._show_pick(errors, placeholders, {})
        rule = next(each for each in self._seen.rules if each["rule_id"] == user_input[CONF_RULE])
        act = user_input[CONF_ACT]
        switches_on = act == "switch" and not rule.get("enabled", True)
        if act == "change" or switches_on:
            self._rule, self._typed_in = rule, self._currency
            self._form = rule_values(rule, self._typed_in)
            if not switches_on:
                return await self.async_step_rule()
            # It may say yes from now on, so it is tried and shown like one that is new.
            return await self.async_step_rule(self._form | {CONF_ENABLED: True})
        await self._async_keep(partial(acted, rule, act), errors, placeholders)
        if errors:
            return await self._show_pick(errors, placeholders, user_input)
        return await self.async_step_rules()

    async def _show_pick(
        self, errors: dict[str, str], placeholders: dict[str, str], values: Form
    ) -> SubentryFlowResult:
        """Show the rules to choose from as they are now."""
        words, self._seen = await self._async_words(), self._wishes
        if not self._seen.rules:
            return await self.async_step_rules()
        sentences = {
            rule["rule_id"]: f"{number}. {words.sentence(rule)}"
            for number, rule in enumerate(self._seen.rules, 1)
        }
        return self.async_show_form(
            step_id="rule_pick",
            data_schema=self.add_suggested_values_to_schema(
                pick_form(sentences), values if values.get(CONF_RULE) in sentences else {}
            ),
            errors=errors,
            description_placeholders=placeholders,
        )
