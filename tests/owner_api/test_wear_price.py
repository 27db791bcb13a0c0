"""The wear price: inside the published band, levelised, linear in what the owner paid."""

from decimal import Decimal

from hypothesis import example, given, strategies as st
import pytest

from owner_api.planning.wear_day import WearInputError
from owner_api.planning.wear_models import WEAR_MODELS, wear_model
from owner_api.planning.wear_price import (
    LABORATORY_KWH_LOST_PER_MWH,
    levelised_wear,
    price_per_dc_kwh,
    wear_price_band,
)
from tests.owner_api.wear_days import day_of

# algorithms.md 1.5: kWh lost per MWh at one and at two discharges of 10 kWh a day, 25 degrees C.
PUBLISHED = {
    "lfp_250ah": (0.024, 0.023),
    "lfp_naumann": (0.030, 0.020),
    "nmc111_kokam": (0.013, 0.011),
    "nmc111_sanyo": (0.123, 0.089),
}


@pytest.mark.parametrize("chemistry", ["lfp", "nmc", "unknown"])
def test_default_prices_lie_inside_the_published_laboratory_band(chemistry: str) -> None:
    """Criterion 3: 0.019 to 0.066 kWh lost per MWh, at 600 CNY per kWh and EoL70."""
    low, high = (price_per_dc_kwh(lost, Decimal(600)) for lost in LABORATORY_KWH_LOST_PER_MWH)
    band = wear_price_band(chemistry)
    assert low <= Decimal(band.default) <= high
    assert Decimal(band.low) < Decimal(band.default) < Decimal(band.high)


def test_the_default_band_is_the_one_agreed() -> None:
    """LFP 0.06, NMC 0.13 CNY per kWh; low 0.02, high 0.25."""
    assert wear_price_band("lfp").default == "0.0600"
    assert wear_price_band("nmc").default == "0.1300"
    assert wear_price_band("unknown") == wear_price_band("nmc")
    assert (wear_price_band("lfp").low, wear_price_band("lfp").high) == ("0.0200", "0.2500")


@pytest.mark.parametrize("name", WEAR_MODELS)
@pytest.mark.parametrize(("day", "column"), [("v2g80_1x10", 0), ("v2g80_2x10", 1)])
def test_every_law_gives_the_published_loss_and_a_price_inside_the_band(
    name: str, day: str, column: int
) -> None:
    """The band's ends are the laws' own extremes, rounded outwards."""
    # Two discharges a day are compared with smart charging, as the published table does.
    wear = levelised_wear(wear_model(name), with_v2g=day_of(day), without_v2g=day_of("v1g80_late"))
    assert wear.cycling_kwh_per_mwh == pytest.approx(PUBLISHED[name][column], abs=0.001)
    price = price_per_dc_kwh(Decimal(wear.cycling_kwh_per_mwh), Decimal(600))
    band = wear_price_band("lfp")
    assert Decimal(band.low) <= price <= Decimal(band.high)
    assert wear.calendar_kwh_per_mwh < 0


@example(Decimal("640.00"))
@given(st.decimals(1, 5000, places=2))
def test_the_price_grows_with_the_pack_price_and_rounds_up(pack_price: Decimal) -> None:
    """Linear in the pack price, never below the exact figure, never a ten-thousandth above."""
    exact = Decimal("0.06") * pack_price / 600
    price = Decimal(wear_price_band("lfp", str(pack_price)).default)
    assert 0 <= price - exact < Decimal("0.0001")


def test_an_end_of_life_at_80_percent_costs_half_as_much_again() -> None:
    """A pack that is worthless sooner makes each lost percent dearer: 0.30 / 0.20."""
    assert wear_price_band("lfp", end_of_life_pct=Decimal(80)).default == "0.0900"


@pytest.mark.parametrize(
    ("chemistry", "pack_price", "end_of_life"),
    [
        ("lto", "600", "70"),
        ("lfp", "-1", "70"),
        ("lfp", "NaN", "70"),
        ("lfp", "much", "70"),
        ("lfp", "1e9", "70"),
        ("lfp", "600", "100"),
    ],
)
def test_an_absurd_price_is_refused(chemistry: str, pack_price: str, end_of_life: str) -> None:
    """The error says what would pass."""
    with pytest.raises(WearInputError, match="needed"):
        wear_price_band(chemistry, pack_price, end_of_life_pct=Decimal(end_of_life))


def test_a_day_that_moves_no_more_energy_has_no_levelised_wear() -> None:
    """Nothing discharged, nothing to divide by."""
    with pytest.raises(WearInputError, match="no more energy"):
        levelised_wear(
            wear_model("lfp_250ah"),
            with_v2g=day_of("base80_imm"),
            without_v2g=day_of("v1g80_late"),
        )
