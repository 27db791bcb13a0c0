"""The canonical form: RFC 8785 on what we use, and a hash that any change moves."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
import hashlib

from hypothesis import given, strategies as st
import pytest
import rfc8785

from owner_api.core.canonical import canonical, decimal_text, instant_text, plain, sha256
from owner_api.core.model import RewardTerms, Terms

from .patience import patient

# RFC 8785 takes integers up to 2^53 - 1; our energies and amounts stay far below.
SAFE = 2**53 - 1
EARLIEST, LATEST = datetime(2000, 1, 2), datetime(2099, 12, 30)  # noqa: DTZ001 - bounds
keys = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
leaves = st.none() | st.booleans() | st.integers(-SAFE, SAFE) | texts
documents = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.slow
@patient
@given(document=documents)
def test_promise_6_the_canonical_bytes_are_those_of_rfc_8785(document: object) -> None:
    assert canonical(document) == rfc8785.dumps(document)  # type: ignore[arg-type]


@patient
@given(document=st.dictionaries(keys, leaves, min_size=2, max_size=6), data=st.data())
def test_the_order_in_which_members_were_written_does_not_count(
    document: dict[str, object], data: st.DataObject
) -> None:
    shuffled = dict(data.draw(st.permutations(list(document.items()))))
    assert canonical(shuffled) == canonical(document)


@patient
@given(value=st.floats())
def test_a_float_has_no_canonical_form(value: float) -> None:
    with pytest.raises(TypeError):
        canonical({"soc_pct": value})


@patient
@given(value=st.decimals(-(10**9), 10**9, places=6))
def test_a_decimal_is_written_once_however_it_was_given(value: Decimal) -> None:
    text = decimal_text(value)
    assert Decimal(text) == value
    assert "E" not in text.upper()
    assert decimal_text(value * Decimal("1.000")) == text
    if "." in text:
        assert not text.endswith("0")


@patient
@given(
    at=st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC)),
    hours=st.integers(-14, 14),
)
def test_an_instant_is_written_the_same_from_every_zone(at: datetime, hours: int) -> None:
    elsewhere = at.astimezone(timezone(timedelta(hours=hours)))
    assert instant_text(elsewhere) == instant_text(at)
    assert datetime.fromisoformat(instant_text(at)) == at


TERMS = Terms(
    start_at=datetime(2026, 12, 1, 6, tzinfo=UTC),
    end_at=datetime(2026, 12, 1, 7, tzinfo=UTC),
    requested_energy_wh=6000,
    min_energy_wh=3000,
    max_energy_wh=10_000,
    max_discharge_w=7000,
    reward=RewardTerms(kind="cash", currency="CNY", price_per_kwh="1.2000"),
)


def test_promise_6_any_change_of_any_term_changes_the_hash() -> None:
    document = plain(TERMS)
    assert isinstance(document, dict)
    seen = {canonical(document)}
    assert sha256(TERMS) == hashlib.sha256(canonical(document)).hexdigest()
    for name, value in document.items():
        changed = document | {name: value + 1 if isinstance(value, int) else f"{value}x"}
        seen.add(canonical(changed))
    assert len(seen) == len(document) + 1


def test_a_price_written_with_other_zeros_is_other_terms() -> None:
    """The park's own bytes are what was agreed; nothing is normalised behind its back."""
    other = RewardTerms(kind="cash", currency="CNY", price_per_kwh="1.2")
    assert sha256(TERMS.reward) != sha256(other)
