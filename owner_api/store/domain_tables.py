"""Tables of the deals: vehicles, sessions, offers, commitments, settlements, money.

A document column holds one frozen dataclass of ``core.model`` as JSON; a column of its own holds
what a query filters or sorts by. Every row carries its owner or park, so that each query can
filter by tenant inside the SQL.
"""

from typing import Any, Final

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from .metadata import metadata

STRICT: Final[dict[str, Any]] = {"sqlite_strict": True}

vehicle = Table(
    "vehicle",
    metadata,
    Column("vehicle_id", Text, primary_key=True),
    Column("owner_id", Text, nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("live", Text, nullable=False),
    Column("preferences", Text, nullable=False),
    Column("preferences_revision", Integer, nullable=False),
    Column("departures", Text, nullable=False),
    Column("departures_revision", Integer, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("deleted_at", Text),
    # As its document has it; sessions name cars by it.
    Column("identifier_digest", Text),
    # When its owner last pressed stop for the car, or for all.
    Column("owner_stopped_at", Text),
    # Since when its limits are a backup's that no person has looked at.
    Column("unconfirmed_since", Text),
    Index(
        "vehicle_identifier",
        "identifier_digest",
        sqlite_where=text("identifier_digest IS NOT NULL"),
    ),
    **STRICT,
)
soc_sample = Table(
    "soc_sample",
    metadata,
    Column("vehicle_id", Text, ForeignKey("vehicle.vehicle_id"), primary_key=True),
    Column("at", Text, primary_key=True),
    Column("soc_pct", Text, nullable=False),
    Column("charged_wh", Integer, nullable=False),
    Column("discharged_wh", Integer, nullable=False),
    Column("pack_temperature_c", Text),
    **STRICT,
)
vehicle_price = Table(
    "vehicle_price",
    metadata,
    Column("vehicle_id", Text, ForeignKey("vehicle.vehicle_id"), primary_key=True),
    Column("start_at", Text, primary_key=True),
    Column("price_per_kwh", Text, nullable=False),
    **STRICT,
)
charger = Table(
    "charger",
    metadata,
    Column("charger_id", Text, primary_key=True),
    Column("owner_id", Text, nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("evse_id", Text),
    Column("max_charge_w", Integer),
    Column("max_discharge_w", Integer),
    Column("online", Integer),
    Column("power_w", Integer),
    Column("import_register_wh", Integer),
    Column("export_register_wh", Integer),
    Column("vehicle_id", Text),
    Column("last_seen_at", Text),
    Column("created_at", Text, nullable=False),
    Column("deleted_at", Text),
    **STRICT,
)
agreement = Table(
    "agreement",
    metadata,
    Column("agreement_id", Text, primary_key=True),
    Column("owner_id", Text, nullable=False, index=True),
    Column("park_id", Text, nullable=False, index=True),
    Column("terms_version", Integer, nullable=False),
    Column("terms_sha256", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("withdrawn_at", Text),
    **STRICT,
)
member = Table(
    "member",
    metadata,
    Column("member_ref", Text, primary_key=True),
    Column("agreement_id", Text, ForeignKey("agreement.agreement_id"), nullable=False),
    Column("vehicle_id", Text, ForeignKey("vehicle.vehicle_id"), nullable=False, index=True),
    Column("owner_id", Text, nullable=False),
    Column("park_id", Text, nullable=False, index=True),
    UniqueConstraint("agreement_id", "vehicle_id"),
    **STRICT,
)
session = Table(
    "session",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("park_id", Text, nullable=False, index=True),
    Column("owner_id", Text),
    Column("vehicle_id", Text),
    Column("evse_id", Text, nullable=False),
    Column("evse_code", Text),
    Column("identifier_digest", Text),
    Column("state", Text, nullable=False),
    # Whose meter counts: the park's, or at the owner's own charger the owner's.
    Column("meter", Text, nullable=False, server_default="park"),
    Column("bound_by", Text),
    Column("plugged_in_at", Text, nullable=False),
    Column("unplugged_at", Text),
    # The recharge that was promised last, and all that are owed, counted from one register on.
    Column("recharge", Text),
    Column("recharge_owed", Text),
    Column("recharge_due_at", Text),
    Column("recharge_from_wh", Integer),
    Column("live", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    # When one was last found not to be there.
    Column("recharge_broken_at", Text),
    Index("session_open_evse", "park_id", "evse_id", "state"),
    Index("session_recharge_due", "recharge_due_at"),
    Index("session_of_car", "vehicle_id", "plugged_in_at"),
    Index("session_of_owner", "owner_id", "session_id"),
    # Sessions that name a car and are not bound to it, and those that lost what was promised: few.
    Index("session_guessed", "vehicle_id", "created_at", sqlite_where=text("bound_by IS NULL")),
    Index(
        "session_broken",
        "owner_id",
        "park_id",
        sqlite_where=text("recharge_broken_at IS NOT NULL"),
    ),
    Index("session_live", "vehicle_id", sqlite_where=text("state = 'bound' OR state = 'claimed'")),
    Index(
        "session_of_park",
        "park_id",
        "session_id",
        sqlite_where=text("state = 'bound' OR state = 'claimed'"),
    ),
    **STRICT,
)
question = Table(
    "question",
    metadata,
    Column("question_id", Text, primary_key=True),
    Column("session_id", Text, ForeignKey("session.session_id"), nullable=False),
    Column("asked_at", Text, nullable=False),
    # Of its session when it was asked: a car's sessions share a budget.
    Column("vehicle_id", Text),
    Index("question_budget", "session_id", "asked_at"),
    Index("question_of_car", "vehicle_id", "asked_at"),
    **STRICT,
)
offer = Table(
    "offer",
    metadata,
    Column("offer_id", Text, primary_key=True),
    Column("park_id", Text, nullable=False),
    Column("owner_id", Text),
    Column("vehicle_id", Text),
    Column("session_id", Text, ForeignKey("session.session_id"), nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_reason", Text),
    Column("purpose", Text, nullable=False),
    Column("issued_at", Text, nullable=False),
    Column("respond_by", Text, nullable=False),
    Column("terms", Text, nullable=False),
    Column("terms_sha256", Text, nullable=False),
    Column("evaluation", Text),
    # Of the evaluation when the newest terms came: what a rule looks at.
    Column("arrival", Text),
    Column("decision", Text),
    Column("commitment_id", Text),
    Column("updated_at", Text, nullable=False),
    # The terms that a person asked for, or declined, and the time that they speak of.
    Column("person_asked", Text),
    Column("asked_from", Text),
    Column("asked_until", Text),
    # A page is read in the order of its ids, and no more of the list than the page.
    Index("offer_of_park", "park_id", "offer_id"),
    Index("offer_of_owner", "owner_id", "offer_id"),
    # An open one's time to answer is not over, so this needs no change when it is answered.
    Index("offer_of_car", "vehicle_id", "respond_by"),
    Index(
        "offer_asked",
        "vehicle_id",
        "asked_until",
        sqlite_where=text("person_asked IS NOT NULL"),
    ),
    # Of open offers only, so that an answer takes one out and puts none in.
    Index("offer_due", "respond_by", sqlite_where=text("state IN ('presented', 'countered')")),
    **STRICT,
)
offer_revision = Table(
    "offer_revision",
    metadata,
    Column("offer_id", Text, ForeignKey("offer.offer_id"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("terms", Text, nullable=False),
    Column("terms_sha256", Text, nullable=False),
    Column("respond_by", Text, nullable=False),
    Column("issued_at", Text, nullable=False),
    Column("ended_as", Text),
    **STRICT,
)
commitment = Table(
    "commitment",
    metadata,
    Column("commitment_id", Text, primary_key=True),
    Column("offer_id", Text, ForeignKey("offer.offer_id"), nullable=False),
    Column("session_id", Text, ForeignKey("session.session_id"), nullable=False, index=True),
    Column("vehicle_id", Text, nullable=False),
    Column("owner_id", Text, nullable=False),
    Column("park_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_reason", Text),
    Column("order_reference", Text),
    Column("consented_energy_wh", Integer, nullable=False),
    Column("committed_energy_wh", Integer, nullable=False),
    Column("energy_limit_wh", Integer, nullable=False),
    Column("start_at", Text, nullable=False),
    Column("end_at", Text, nullable=False),
    Column("award_by", Text, nullable=False),
    Column("decided_at", Text, nullable=False),
    Column("terms", Text, nullable=False),
    Column("terms_sha256", Text, nullable=False),
    Column("quote_request", Text, nullable=False),
    Column("soc_floor_pct", Text, nullable=False),
    Column("last_seq", Integer, nullable=False),
    Column("setpoint_w", Integer, nullable=False),
    Column("worst_setpoint_w", Integer, nullable=False),
    Column("lease_until", Text),
    Column("instructed_at", Text),
    Column("started_at", Text),
    Column("ended_at", Text),
    Column("soc_at_start_pct", Text),
    Column("begin_register_wh", Integer),
    Column("last_register_wh", Integer),
    Column("last_reading_at", Text),
    # What left since then by powers alone, whose registers do not count: in J, many are short.
    Column("powered_j", Integer),
    # The readings that the two registers came from.
    Column("begin_reading_id", Text),
    Column("last_reading_id", Text),
    Column("stop", Text),
    Column("settlement_id", Text),
    # When its owner stopped it, whatever it had ended for by then; no park is told.
    Column("owner_stopped_at", Text),
    Index("commitment_of_park", "park_id", "commitment_id"),
    Index("commitment_of_owner", "owner_id", "commitment_id"),
    # By when they end a car's deals are found that matter at a time.
    Index("commitment_of_car", "vehicle_id", "end_at"),
    # A car's live deals and its session are asked for at each of its readings, and are few.
    Index(
        "commitment_live",
        "vehicle_id",
        sqlite_where=text("state IN ('pending_award', 'scheduled', 'active')"),
    ),
    # Of deals that have not ended; each condition finds it, written as one of these is.
    Index(
        "commitment_due",
        "state",
        "award_by",
        "start_at",
        "end_at",
        sqlite_where=text("state = 'active' OR state = 'pending_award' OR state = 'scheduled'"),
    ),
    Index(
        "commitment_unsettled",
        "ended_at",
        # One that never began is never settled, and would be looked at for good.
        sqlite_where=text(
            "settlement_id IS NULL AND ended_at IS NOT NULL AND started_at IS NOT NULL"
        ),
    ),
    UniqueConstraint("park_id", "order_reference"),
    **STRICT,
)
instruction = Table(
    "instruction",
    metadata,
    Column("instruction_id", Text, primary_key=True),
    Column("commitment_id", Text, ForeignKey("commitment.commitment_id"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("power_setpoint_w", Integer, nullable=False),
    Column("issued_at", Text, nullable=False),
    Column("valid_until", Text, nullable=False),
    UniqueConstraint("commitment_id", "seq"),
    **STRICT,
)
reading = Table(
    "reading",
    metadata,
    Column("reading_id", Text, primary_key=True),
    Column("session_id", Text, ForeignKey("session.session_id"), nullable=False),
    Column("commitment_id", Text, index=True),
    Column("measured_at", Text, nullable=False),
    Column("received_at", Text, nullable=False),
    Column("import_register_wh", Integer, nullable=False),
    Column("export_register_wh", Integer, nullable=False),
    Column("power_w", Integer, nullable=False),
    Column("context", Text, nullable=False),
    Column("quality", Text, nullable=False),
    Column("source", Text, nullable=False, server_default="meter"),
    # What a signing meter said, as given: its format and its data.
    Column("signed", Text),
    UniqueConstraint("session_id", "measured_at"),
    **STRICT,
)
settlement = Table(
    "settlement",
    metadata,
    Column("settlement_id", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("commitment_id", Text, ForeignKey("commitment.commitment_id"), nullable=False),
    Column("owner_id", Text, nullable=False),
    Column("park_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("baseline_wh", Integer, nullable=False),
    Column("ordered_wh", Integer, nullable=False),
    Column("actual_wh", Integer, nullable=False),
    Column("delivered_wh", Integer, nullable=False),
    Column("deficiency_wh", Integer, nullable=False),
    Column("begin_register_wh", Integer, nullable=False),
    Column("end_register_wh", Integer, nullable=False),
    # Measured, or claimed by the park in a correction; the registers are the meter's in both.
    Column("basis", Text, nullable=False, server_default="measured"),
    Column("source", Text, nullable=False, server_default="meter"),
    Column("quality", Text, nullable=False),
    Column("readings", Text, nullable=False, server_default='{"begin":null,"end":null}'),
    Column("price_per_kwh", Text, nullable=False),
    Column("gross_minor", Integer, nullable=False),
    Column("fixed_minor", Integer, nullable=False),
    Column("penalty_minor", Integer, nullable=False),
    Column("net_minor", Integer, nullable=False),
    Column("currency", Text, nullable=False),
    Column("breakdown", Text, nullable=False),
    Column("stop_reason", Text),
    Column("dispute_until", Text, nullable=False),
    Column("owner_confirmed_at", Text),
    Column("park_confirmed_at", Text),
    Column("dispute", Text),
    Column("supersedes", Text),
    Column("reason", Text),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    UniqueConstraint("commitment_id", "version"),
    Index("settlement_of_park", "park_id", "settlement_id"),
    Index("settlement_of_state", "park_id", "state", "settlement_id"),
    Index("settlement_of_owner", "owner_id", "settlement_id"),
    Index("settlement_of_time", "owner_id", "created_at"),
    Index("settlement_due", "state", "dispute_until"),
    **STRICT,
)
reward = Table(
    "reward",
    metadata,
    Column("reward_id", Text, primary_key=True),
    Column("settlement_id", Text, ForeignKey("settlement.settlement_id"), nullable=False),
    Column("owner_id", Text, nullable=False, index=True),
    Column("park_id", Text, nullable=False),
    # Which of the terms' payers this is, and what it pays in.
    Column("part", Integer, nullable=False, server_default="0"),
    Column("payer", Text),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("amount_minor", Integer, nullable=False),
    # What payments for earlier versions of the settlement cover of the amount.
    Column("already_paid_minor", Integer, nullable=False, server_default="0"),
    Column("currency", Text, nullable=False),
    Column("reference", Text),
    Column("earned_at", Text, nullable=False),
    Column("confirmed_at", Text),
    Column("paid_at", Text),
    UniqueConstraint("settlement_id", "part"),
    Index("reward_of_park", "park_id", "status", "settlement_id"),
    **STRICT,
)
posting = Table(
    "posting",
    metadata,
    Column("posting_id", Text, primary_key=True),
    Column("txn_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("amount_minor", Integer, nullable=False),
    Column("currency", Text, nullable=False),
    Column("settlement_id", Text, nullable=False),
    # Books from before there could be several payers name only the settlement.
    Column("reward_id", Text),
    Column("at", Text, nullable=False),
    # A balance is summed from the index alone.
    Index("posting_balance", "account", "currency", "amount_minor"),
    Index("posting_of_account", "account", "at"),
    Index("posting_of_settlement", "settlement_id"),
    **STRICT,
)
# What a restore lost and an owner's receipt proves: one row for each payer, never in the books.
claim = Table(
    "claim",
    metadata,
    Column("reward_id", Text, primary_key=True),
    # The park's own receipt about it.
    Column("receipt_id", Text, nullable=False),
    Column("settlement_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("commitment_id", Text, nullable=False, index=True),
    Column("owner_id", Text, nullable=False, index=True),
    Column("park_id", Text, nullable=False, index=True),
    Column("part", Integer, nullable=False),
    Column("payer", Text),
    Column("kind", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("price_per_kwh", Text, nullable=False),
    Column("delivered_wh", Integer, nullable=False),
    Column("amount_minor", Integer, nullable=False),
    Column("already_paid_minor", Integer, nullable=False),
    Column("settled_at", Text, nullable=False),
    Column("claimed_at", Text, nullable=False),
    Column("reference", Text),
    Column("paid_at", Text),
    **STRICT,
)
# In which time zone an owner lived before, and until when: a month that was shown stays that month.
earlier_zone = Table(
    "earlier_zone",
    metadata,
    Column("owner_id", Text, primary_key=True),
    Column("until_at", Text, primary_key=True),
    Column("time_zone", Text, nullable=False),
    **STRICT,
)
# Of lost settlements, which of them a receipt says were corrected before the loss.
earlier_correction = Table(
    "earlier_correction",
    metadata,
    Column("settlement_id", Text, primary_key=True),
    **STRICT,
)
# Of lost rewards, for which deal and payer they were, as a receipt of either side says.
earlier_reward = Table(
    "earlier_reward",
    metadata,
    Column("reward_id", Text, primary_key=True),
    Column("commitment_id", Text, nullable=False, index=True),
    Column("part", Integer, nullable=False),
    Column("payment_minor", Integer, nullable=False),
    **STRICT,
)
# Of lost rewards, what a receipt proves was paid before the loss.
earlier_payment = Table(
    "earlier_payment",
    metadata,
    Column("reward_id", Text, primary_key=True),
    Column("reference", Text, nullable=False),
    # Of the log that the receipt is from.
    Column("epoch", Integer),
    **STRICT,
)
