"""Potentials the wear laws depend on, as functions of state of charge."""

from typing import Final

import numpy as np

from owner_api.planning.wear_day import Floats

# Open-circuit voltage of the Sanyo UR18650E in mV at 0, 2, 4 ... 100 % state of charge. Source:
# figure 1 of Schmalstieg et al. 2014 (doi 10.1016/j.jpowsour.2014.02.012) and, below 10 %, Ecker
# et al. 2014 (doi 10.1016/j.jpowsour.2013.09.143), read off by NREL for BLAST-Lite 1.1.1 (BSD-3)
# and brought to even steps here; within 1.1 mV of those readings.
_SANYO_MV: Final = np.array(
    [
        *(3331, 3366, 3403, 3436, 3465, 3491, 3514, 3534, 3552, 3568),
        *(3581, 3593, 3603, 3612, 3620, 3627, 3633, 3638, 3644, 3649),
        *(3655, 3662, 3669, 3677, 3687, 3697, 3711, 3725, 3740, 3757),
        *(3775, 3793, 3811, 3831, 3850, 3869, 3888, 3906, 3925, 3944),
        *(3965, 3986, 4008, 4030, 4053, 4073, 4092, 4110, 4127, 4145),
        4162,
    ],
    dtype=np.float64,
)
_SANYO_SOC: Final = np.linspace(0, 1, len(_SANYO_MV))


def sanyo_open_circuit_v(soc: Floats) -> Floats:
    """Open-circuit voltage of the Sanyo UR18650E in V at states of charge 0..1."""
    return np.interp(soc, _SANYO_SOC, _SANYO_MV) / 1000


def anode_potential_v(soc: Floats) -> Floats:
    """Graphite potential against lithium in V at cell states of charge 0..1.

    Safari and Delacourt 2011, J. Electrochem. Soc. 158(5) A562; the graphite is taken to run from
    0.85 % to 78 % lithiation, as in BLAST-Lite 1.1.1.
    """
    x = 0.0085 + soc * (0.78 - 0.0085)
    potential: Floats = (
        0.6379
        + 0.5416 * np.exp(-305.5309 * x)
        + 0.044 * np.tanh(-(x - 0.1958) / 0.1088)
        - 0.1978 * np.tanh((x - 1.0571) / 0.0854)
        - 0.6875 * np.tanh((x + 0.0117) / 0.0529)
        - 0.0175 * np.tanh((x - 0.5692) / 0.0875)
    )
    return potential
