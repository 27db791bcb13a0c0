"""Four published battery-wear laws, each turning a day into additions to a wear state.

Every law has the form `loss = k * x ** p` with x days, seconds or throughput and k set by how the
battery is used. Where use changes, a battery goes on from the loss it has, as if it had always
been used the new way ("virtual time", Naumann 2018). In z = loss ** (1 / p) that is plain
addition: z grows by k ** (1 / p) * dx. So a day is a pair of additions, the same in any order, and
ten years of one day are 3,650 times that day.

All laws are fits to one to three years of tests on cells, without a knee: bands, not promises.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

import numpy as np

from owner_api.planning.wear_day import DAY_S, Floats, SocDay, WearInputError
from owner_api.planning.wear_ocv import anode_potential_v, sanyo_open_circuit_v

# Molar gas constant, J/(mol K), CODATA 2018 (exact).
GAS_CONSTANT: Final = 8.31446261815324


@dataclass(frozen=True, kw_only=True, slots=True)
class DayWear:
    """What one day adds: calendar and cycling in z = loss ** (1/p), efc, and material use.

    `material` is equivalent full cycles over those at which half the electrode material is lost.
    """

    calendar: float
    cycling: float
    efc: float
    material: float = 0.0


class DayFunction(Protocol):
    """A law applied to one day; with `repeats` a move across midnight is one move."""

    def __call__(self, day: SocDay, *, repeats: bool) -> DayWear:
        """Return what the day adds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WearModel:
    """A published law: exponents of the calendar and the cycling part, and its day function.

    `tested_temperature_c` is the range of the cycling
    tests behind the fit; outside it a figure is an extrapolation.
    """

    name: str
    source: str
    calendar_exponent: float
    cycling_exponent: float
    tested_temperature_c: tuple[float, float]
    day: DayFunction


def _lfp_250ah(day: SocDay, *, repeats: bool) -> DayWear:  # noqa: ARG001 - one shape for all
    """Large prismatic LFP cell, > 250 Ah: Gasper et al. 2023, doi 10.1016/j.est.2023.109042.

    Constants as published with NREL BLAST-Lite 1.1.1, Lfp_Gr_250AhPrismatic. Its C-rate is the
    mean over the whole day, rests included. The cycling part falls with temperature: the fit
    balances its own calendar part, so it holds for 10 to 45 degrees C only.
    """
    kelvin = day.temperature_k
    k_calendar = day.time_mean(
        8.37e4 * np.exp(-5210 / kelvin) * np.exp(-3560 * anode_potential_v(day.soc) / kelvin)
    )
    mean_c_rate = 2 * day.efc / 24
    k_cycling = (4.38e-8 + 1.55e-8 * day.depth + 1.68e-7 * mean_c_rate) * (
        np.exp(2190 / kelvin) + np.exp(-1.55e5 / kelvin)
    )
    return DayWear(
        calendar=k_calendar ** (1 / 0.526),
        cycling=float(k_cycling) ** (1 / 0.828) * day.efc,
        efc=day.efc,
    )


def _lfp_naumann(day: SocDay, *, repeats: bool) -> DayWear:
    """Sony US26650 LFP cell: Naumann et al. 2018 (calendar) and 2020 (cycling).

    doi 10.1016/j.est.2018.01.019 and 10.1016/j.jpowsour.2019.227666, constants as in SimSES
    2.1.1; x is seconds and full equivalent cycles. No temperature in the cycling part.
    """
    arrhenius = np.exp(-17126 / GAS_CONSTANT * (1 / day.temperature_k - 1 / 298.15))
    k_calendar: Floats = 1.2571e-5 * arrhenius * (2.8575 * (day.soc - 0.5) ** 3 + 0.60225)
    cycling = 0.0
    for cycle in day.half_cycles(repeats=repeats):
        at_rate = 0.0630 * cycle.c_rate + 0.0971
        at_depth = 4.0253 * (cycle.depth - 0.6) ** 3 + 1.0923
        # The published law gives percent.
        cycling += (at_rate * at_depth / 100) ** 2 * cycle.depth / 2
    return DayWear(calendar=day.time_mean(k_calendar**2) * DAY_S, cycling=cycling, efc=day.efc)


def _nmc111_kokam(day: SocDay, *, repeats: bool) -> DayWear:  # noqa: ARG001 - one shape for all
    """Kokam 75 Ah NMC pouch cell: Smith et al. 2017, doi 10.23919/ACC.2017.7963578.

    Constants as published with NREL BLAST-Lite 1.1.1, Nmc111_Gr_Kokam75Ah_Battery. No C-rate in
    it. The material part is held at the edge of what was tested (depth times mean state of charge
    of 0.6, 0 to 55 degrees C), beyond which its fit changes sign.
    """
    normal_k = day.temperature_k / 308.15
    normal_v = anode_potential_v(day.soc) / 0.123
    k_calendar = day.time_mean(
        2.66e7 * np.exp(-17.8 / normal_k) * np.exp(-5.21 * normal_v / normal_k)
    )
    k_cycling = 3.80e3 * np.exp(-18.4 / normal_k) * np.exp(1.04 * np.exp(day.depth**2))
    celsius = min(max(day.temperature_c, 0.0), 55.0)
    load = min(day.depth * day.time_mean(day.soc) / 0.6, 1.0)
    half_material_efc = 1e4 + 153 * (celsius - 55) * load
    return DayWear(
        calendar=k_calendar ** (1 / 0.357),
        cycling=float(k_cycling) ** (1 / 0.778) * day.efc,
        efc=day.efc,
        material=day.efc / half_material_efc,
    )


def _nmc111_sanyo(day: SocDay, *, repeats: bool) -> DayWear:  # noqa: ARG001 - one shape for all
    """Sanyo UR18650E 2.15 Ah NMC cell: Schmalstieg et al. 2014, doi 10.1016/j.jpowsour.2014.02.012.

    x is days and Ah through the cell, charged and discharged. Cycling was tested at 35 degrees C
    and 1C only and carries neither in the law: the conservative bound for a car.
    """
    volts = sanyo_open_circuit_v(day.soc)
    k_calendar = day.time_mean((7.543 * volts - 23.75) * 1e6 * np.exp(-6976 / day.temperature_k))
    rms_v = np.sqrt(day.time_mean(volts**2))
    k_cycling = 7.348e-3 * (rms_v - 3.667) ** 2 + 7.6e-4 + 4.081e-3 * day.depth
    ampere_hours = 2 * 2.15 * day.efc
    return DayWear(
        calendar=k_calendar ** (1 / 0.75),
        cycling=float(k_cycling) ** 2 * ampere_hours,
        efc=day.efc,
    )


_ALL: Final = (
    WearModel(
        name="lfp_250ah",
        source="Gasper et al. 2023, doi 10.1016/j.est.2023.109042",
        calendar_exponent=0.526,
        cycling_exponent=0.828,
        tested_temperature_c=(10, 45),
        day=_lfp_250ah,
    ),
    WearModel(
        name="lfp_naumann",
        source="Naumann et al. 2018, 2020, doi 10.1016/j.est.2018.01.019",
        calendar_exponent=0.5,
        cycling_exponent=0.5,
        tested_temperature_c=(25, 40),
        day=_lfp_naumann,
    ),
    WearModel(
        name="nmc111_kokam",
        source="Smith et al. 2017, doi 10.23919/ACC.2017.7963578",
        calendar_exponent=0.357,
        cycling_exponent=0.778,
        tested_temperature_c=(0, 45),
        day=_nmc111_kokam,
    ),
    WearModel(
        name="nmc111_sanyo",
        source="Schmalstieg et al. 2014, doi 10.1016/j.jpowsour.2014.02.012",
        calendar_exponent=0.75,
        cycling_exponent=0.5,
        tested_temperature_c=(20, 40),
        day=_nmc111_sanyo,
    ),
)
WEAR_MODELS: Final[Mapping[str, WearModel]] = MappingProxyType({m.name: m for m in _ALL})


def wear_model(name: str) -> WearModel:
    """Return the model of that name; raises WearInputError naming the known ones."""
    try:
        return WEAR_MODELS[name]
    except KeyError:
        raise WearInputError(
            f"model {name!r} is not known: one of {', '.join(WEAR_MODELS)} is needed"
        ) from None
