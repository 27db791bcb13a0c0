"""Messages between an owner's device (Home Assistant or phone) and the owner API."""

from typing import Final

from probatio import Optional, Required

from .evidence import ORIGIN
from .fields import (
    AnyJson,
    ListOf,
    Nullable,
    boolean,
    choice,
    clock_time,
    currency,
    integer,
    name,
    number,
    price,
    sha256_hex,
    text,
    time_zone,
    timestamp,
    typed_id,
)
from .terms import REWARD_KINDS

WARRANTY_POLICIES: Final = ("unknown", "allowed", "capped", "prohibited")
LANGUAGES: Final = ("en", "zh-Hans", "zh-Hant")
CONSENT_MODES: Final = ("ask", "rules", "never")
DECISIONS: Final = ("accept", "decline", "counter")
METHODS: Final = ("tap", "automation", "rule", "voice")
SOC_SOURCES: Final = ("direct", "estimated", "owner")
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DEPARTURE_GUARDS: Final = ("off", "q02", "q05", "q10")
CHEMISTRIES: Final = ("unknown", "lfp", "nmc")
PURPOSES: Final = ("peak_price", "pv_balance", "backup", "grid_emergency", "test")

PERCENT: Final = number(0, 100)
ENERGY_WH: Final = integer(0, 10_000_000)
POWER_W: Final = integer(0, 1_000_000)
SIGNED_POWER_W: Final = integer(-1_000_000, 1_000_000)
REGISTER_WH: Final = integer(0, 10**13)
NAME: Final = name(100)

VEHICLE_FIELDS: Final = {
    "usable_capacity_wh": integer(1_000, 2_000_000),
    "max_charge_w": integer(0, 1_000_000),
    "max_discharge_w": integer(0, 1_000_000),
    "charge_efficiency": number(0.5, 1),
    "discharge_efficiency": number(0.5, 1),
    "chemistry": choice(*CHEMISTRIES),
    "pack_price_per_kwh": price("0"),
    "warranty_discharge_policy": choice(*WARRANTY_POLICIES),
    "lifetime_discharge_cap_wh": Nullable(integer(0, 10**12)),
    "identifier_digest": Nullable(sha256_hex()),
    "taper": ListOf(
        {Required("from_soc_pct"): PERCENT, Required("max_charge_w"): integer(1, 1_000_000)}, 0, 16
    ),
}
VEHICLE_CREATE: Final[dict[object, object]] = {
    Required("display_name"): NAME,
    Required("usable_capacity_wh"): VEHICLE_FIELDS["usable_capacity_wh"],
    **{Optional(key): leaf for key, leaf in VEHICLE_FIELDS.items() if key != "usable_capacity_wh"},
}
VEHICLE_PATCH: Final[dict[object, object]] = {
    Optional("display_name"): NAME,
    **{Optional(key): leaf for key, leaf in VEHICLE_FIELDS.items()},
}

RULE: Final = {
    Optional("rule_id"): typed_id("rul"),
    Required("name"): NAME,
    Optional("enabled"): boolean(),
    Optional("min_price_per_kwh"): Nullable(price()),
    Optional("min_net_minor"): Nullable(integer(-(10**12), 10**12)),
    Optional("min_net_per_kwh"): Nullable(price()),
    Optional("max_energy_wh"): Nullable(ENERGY_WH),
    Optional("purposes"): ListOf(choice(*PURPOSES), 0, 5),
    Optional("park_ids"): ListOf(typed_id("prk"), 0, 50),
    Optional("weekdays"): ListOf(choice(*WEEKDAYS), 0, 7),
    Optional("between"): Nullable({Required("start"): clock_time(), Required("end"): clock_time()}),
    Optional("counter"): boolean(),
}
TARIFF: Final = {
    Required("bands"): ListOf(
        {Required("start"): clock_time(), Required("price_per_kwh"): price()}, 1, 96
    ),
}
PREFERENCES_PATCH: Final = {
    Optional("soc_floor_pct"): PERCENT,
    Optional("soc_ceiling_pct"): PERCENT,
    Optional("soc_min_departure_pct"): PERCENT,
    Optional("soc_target_departure_pct"): PERCENT,
    Optional("min_price_per_kwh"): price("0"),
    Optional("max_discharge_wh_per_event"): Nullable(ENERGY_WH),
    Optional("max_discharge_wh_per_day"): Nullable(ENERGY_WH),
    Optional("max_discharge_wh_per_week"): Nullable(ENERGY_WH),
    Optional("max_discharge_events_per_day"): Nullable(integer(0, 100)),
    Optional("quiet_hours"): ListOf(
        {Required("start"): clock_time(), Required("end"): clock_time()}, 0, 7
    ),
    Optional("consent_mode"): choice(*CONSENT_MODES),
    Optional("discharge_allowed"): boolean(),
    Optional("allow_automations"): boolean(),
    Optional("rules"): ListOf(RULE, 0, 50),
    Optional("accepted_reward_kinds"): ListOf(choice(*REWARD_KINDS), 1, len(REWARD_KINDS)),
    Optional("in_kind_rates"): ListOf(
        {Required("currency"): currency(), Required("price_per_unit"): price("0")}, 0, 20
    ),
    Optional("tariff"): TARIFF,
    Optional("later_refill_price_per_kwh"): Nullable(price()),
    Optional("degradation_cost_per_kwh"): Nullable(price("0")),
    Optional("cooldown_s"): integer(0, 604_800),
    Optional("departure_guard"): choice(*DEPARTURE_GUARDS),
    Optional("soc_margin_pct"): number(0, 10),
    Optional("departure_buffer_s"): integer(0, 7_200),
    Optional("soc_max_age_consent_s"): integer(60, 3_600),
    Optional("soc_max_age_discharge_s"): integer(60, 3_600),
}

DEPARTURE: Final = {
    Required("departure_at"): timestamp(),
    Optional("soc_min_departure_pct"): Nullable(PERCENT),
    Optional("summary"): Nullable(text(0, 200)),
}
DEPARTURES_PATCH: Final = {
    Optional("weekly"): {Optional(day): Nullable(clock_time()) for day in WEEKDAYS},
    Optional("one_off"): Nullable(DEPARTURE),
    Optional("calendar"): Nullable(
        {Required("read_at"): timestamp(), Required("events"): ListOf(DEPARTURE, 0, 200)}
    ),
}

TELEMETRY: Final = {
    Required("readings"): ListOf(
        {
            Required("measured_at"): timestamp(),
            Optional("soc_pct"): Nullable(PERCENT),
            Optional("soc_source"): choice(*SOC_SOURCES),
            Optional("plugged_in"): Nullable(boolean()),
            Optional("power_w"): Nullable(SIGNED_POWER_W),
            Optional("import_register_wh"): Nullable(REGISTER_WH),
            Optional("export_register_wh"): Nullable(REGISTER_WH),
            Optional("pack_temperature_c"): Nullable(number(-60, 120)),
        },
        1,
        100,
    ),
}

PRICES: Final = {
    Required("entries"): ListOf(
        {Required("start_at"): timestamp(), Required("price_per_kwh"): price()}, 0, 800
    ),
}
RULE_PREVIEW: Final = {Required("rule"): RULE, Optional("last"): integer(1, 200)}

CHARGER_CREATE: Final = {
    Required("display_name"): NAME,
    Optional("evse_id"): Nullable(text(1, 64)),
    Optional("max_charge_w"): POWER_W,
    Optional("max_discharge_w"): POWER_W,
}
CHARGER_PATCH: Final = {
    Optional("display_name"): NAME,
    Optional("evse_id"): Nullable(text(1, 64)),
    Optional("max_charge_w"): POWER_W,
    Optional("max_discharge_w"): POWER_W,
}
CHARGER_TELEMETRY: Final = {
    Required("readings"): ListOf(
        {
            Required("measured_at"): timestamp(),
            Optional("power_w"): Nullable(SIGNED_POWER_W),
            Optional("import_register_wh"): Nullable(REGISTER_WH),
            Optional("export_register_wh"): Nullable(REGISTER_WH),
            Optional("online"): Nullable(boolean()),
            Optional("vehicle_id"): Nullable(typed_id("veh")),
            **ORIGIN,
        },
        1,
        100,
    ),
}

AGREEMENT_CREATE: Final = {
    Required("park_id"): typed_id("prk"),
    Required("terms_version"): integer(1, 10**6),
    Required("vehicle_ids"): ListOf(typed_id("veh"), 1, 50),
    Optional(
        "replaces",
        description="The agreement in force with this park, which ends with this one. For cars that"
        " both cover, sessions, offers and deals go on; for others they end.",
    ): typed_id("agr"),
}
CHECK_IN: Final = {
    Required("vehicle_id"): typed_id("veh"),
    Required("evse_code"): text(4, 64),
    Optional(
        "park_id", description="Needed where several of the owner's parks have this code."
    ): typed_id("prk"),
}

DECISION: Final = {
    Required("offer_id"): typed_id("off"),
    Required("revision"): integer(1, 10**6),
    Required("terms_sha256"): sha256_hex(),
    Required("decision"): choice(*DECISIONS),
    Required("method"): choice("tap", "automation", "voice"),
    Optional("energy_wh"): ENERGY_WH,
    Optional(
        "quoted_energy_wh",
        description="The evaluation's figure that the person was shown; a yes that names no"
        " energy_wh covers no more, whatever the car could give by now.",
    ): integer(1, 10_000_000),
    Optional("price_per_kwh"): price("0"),
    Optional("start_at"): timestamp(),
    Optional("departure_at"): timestamp(),
    Optional("actor"): {Optional("user"): text(1, 100), Optional("automation"): text(1, 200)},
    Optional("reason"): text(0, 200),
}
STOP: Final = {
    Optional("commitment_id"): typed_id("com"),
    Optional("vehicle_id"): typed_id("veh"),
    Optional("actor"): {Optional("user"): text(1, 100), Optional("automation"): text(1, 200)},
}
# Only a person confirms, and exactly what they have seen; no automation has a place here.
CONFIRMATION: Final = {
    Required("revision"): integer(1, 10**9),
    Optional("actor"): {Optional("user"): text(1, 100)},
}
DISPUTE: Final = {
    Required("reason"): text(1, 500),
    Optional("evidence"): ListOf(
        {Required("measured_at"): timestamp(), Required("export_register_wh"): REGISTER_WH}, 0, 50
    ),
}
OWNER_PATCH: Final = {
    Optional("display_name"): NAME,
    Optional("time_zone"): time_zone(),
    Optional("language"): choice(*LANGUAGES),
    Optional("currency"): currency(),
}

# What an owner reads. ``AnyJson`` stands only where another schema here owns the shape.
REASON: Final = Nullable(
    {
        Required("code"): text(1, 40),
        Required("limit"): AnyJson(),
        Required("needed"): AnyJson(),
        Required("available"): AnyJson(),
        Required("unit"): Nullable(text(1, 20)),
    }
)
EMPTY: Final[dict[str, object]] = {}
