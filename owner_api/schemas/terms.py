"""The terms of an offer: what a park asks for and what it promises in return."""

from typing import Final

from probatio import Optional, Required

from .fields import ListOf, Nullable, boolean, choice, currency, integer, name, price, timestamp

REWARD_KINDS: Final = ("cash", "points", "parking", "voucher", "charging_credit", "other")
# Promise 4 pays what was delivered whatever ended the deal, so no harsher policy is accepted.
EARLY_STOP_POLICIES: Final = ("pro_rata",)

RECHARGE: Final = {
    Required("guaranteed"): boolean(),
    Required("energy_wh"): integer(1, 1_000_000),
    Required("start_at"): timestamp(),
    Required("by"): timestamp(),
    Required("max_w"): integer(1, 1_000_000),
    Required("price_per_kwh"): price("0"),
}
_PAY: Final = {
    Required("kind"): choice(*REWARD_KINDS),
    Required("currency"): currency(),
    Required("price_per_kwh"): price("0"),
    Optional("fixed_minor"): integer(0, 10**10),
    Optional("cap_minor"): Nullable(integer(0, 10**10)),
}
REWARD_PART: Final = {Required("payer"): name(100), **_PAY}
REWARD: Final = {
    **_PAY,
    Optional("payer"): Nullable(name(100)),
    Optional("parts"): Nullable(ListOf(REWARD_PART, 1, 4)),
}
TERMS: Final = {
    Required("start_at"): timestamp(),
    Required("end_at"): timestamp(),
    Required("requested_energy_wh"): integer(1, 1_000_000),
    Required("min_energy_wh"): integer(0, 1_000_000),
    Required("max_energy_wh"): integer(1, 1_000_000),
    Required("max_discharge_w"): integer(1, 1_000_000),
    Required("reward"): REWARD,
    Optional("recharge"): Nullable(RECHARGE),
    Optional("lease_s"): integer(10, 900),
    Optional("early_stop_policy"): choice(*EARLY_STOP_POLICIES),
    Optional("dispute_window_s"): integer(0, 31_536_000),
}
