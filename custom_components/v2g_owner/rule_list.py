"""How one change is made to an owner's list of rules, whatever else changed in it meanwhile."""

from .rule_forms import RuleView, rule_values

type Rules = list[RuleView]


class RulesChangedError(Exception):
    """Somebody else wrote what was looked at; nothing of theirs is overwritten."""


def find(rules: Rules, meant: RuleView) -> RuleView | None:
    """Return the rule of the same id, however it is now."""
    return next((rule for rule in rules if rule["rule_id"] == meant["rule_id"]), None)


def saved(old: RuleView | None, wanted: RuleView, currency: str, rules: Rules) -> Rules:
    """Return the list with a new rule at its end, or a changed one in its place.

    A new one that is there already arrived before, and only the answer to it was lost.
    """
    if old is None:
        meant = rule_values(wanted, currency)
        known = any(rule_values(rule, currency) == meant for rule in rules)
        return rules if known else [*rules, wanted]
    if find(rules, old) != old:
        raise RulesChangedError
    return [wanted if rule == old else rule for rule in rules]


def acted(rule: RuleView, act: str, rules: Rules) -> Rules:
    """Return the list with one rule switched off, moved or removed."""
    if rule not in rules:
        raise RulesChangedError
    place = rules.index(rule)
    others = rules[:place] + rules[place + 1 :]
    if act == "remove":
        return others
    if act == "switch":
        return [*rules[:place], rule | {"enabled": False}, *rules[place + 1 :]]
    to = {"first": 0, "up": max(place - 1, 0), "down": place + 1}[act]
    return [*others[:to], rule, *others[to:]]
