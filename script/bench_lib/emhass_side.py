"""Time EMHASS in its own environment: charging questions on stdin, figures on stdout, both JSON.

Runs on Python 3.11, which EMHASS wants, and imports nothing of ours. The car is EMHASS's battery
with discharging switched off, a load and PV of nothing, and its own default solver settings.
Charging is limited at the meter on both sides: of its two bounds that is EMHASS's tighter one.
"""

import asyncio
from importlib.metadata import version
import json
import logging
from pathlib import Path
import platform
import sys
import time
from typing import Any

# Installed only in .venv-emhass, where no type checker looks.
import emhass  # type: ignore[import-not-found]
from emhass import utils
from emhass.optimization import Optimization  # type: ignore[import-not-found]
import numpy as np
import pandas as pd  # type: ignore[import-untyped]

LOAD_COST, SELL_PRICE = "unit_load_cost", "unit_prod_price"
LOGGER = logging.getLogger("emhass")
NS_PER_MS = 1e6


def _configuration(question: dict[str, Any]) -> tuple[dict[str, Path], tuple[dict[str, Any], ...]]:
    """Return EMHASS's three configuration parts: its defaults, with the car as the battery."""
    root = Path(emhass.__file__).parent
    paths = {
        "root_path": root,
        "data_path": Path(question["folder"]),
        "config_path": root / "data" / "config_defaults.json",
        "defaults_path": root / "data" / "config_defaults.json",
        "associations_path": root / "data" / "associations.csv",
    }

    async def build() -> tuple[dict[str, Any], ...]:
        config = await utils.build_config(paths, LOGGER, paths["defaults_path"])
        config |= {
            "optimization_time_step": question["step_s"] // 60,
            "number_of_deferrable_loads": 0,
            "nominal_power_of_deferrable_loads": [],
            "minimum_power_of_deferrable_loads": [],
            "operating_hours_of_each_deferrable_load": [],
            "set_use_battery": True,
            "costfun": "cost",
            "maximum_power_from_grid": 2 * question["charge_w"],
            "battery_charge_power_max": question["charge_w"],
            "battery_discharge_power_max": 0,
            "battery_charge_efficiency": question["efficiency"],
            "battery_discharge_efficiency": question["efficiency"],
            "battery_nominal_energy_capacity": question["capacity_wh"],
            "battery_minimum_state_of_charge": question["soc_min"],
            "battery_maximum_state_of_charge": question["soc_max"],
        }
        secrets = {"time_zone": "Etc/UTC", "Latitude": 0.0, "Longitude": 0.0, "Altitude": 0.0}
        params = await utils.build_params(paths, secrets, config, LOGGER)
        parts: tuple[dict[str, Any], ...] = utils.get_yaml_parse(params, LOGGER)
        return parts

    return paths, asyncio.run(build())


def main() -> None:
    """Answer every question with one Optimization, as a running EMHASS does."""
    asked = json.load(sys.stdin)
    paths, (retrieve, optim, plant) = _configuration(asked)
    steps = len(asked["questions"][0]["prices"])
    index = pd.date_range(
        "2026-12-01T17:00", periods=steps, freq=pd.Timedelta(asked["step_s"], "s"), tz="UTC"
    )
    nothing = np.zeros(steps)
    hours = asked["step_s"] / 3600
    optimization = Optimization(
        retrieve, optim, plant, LOAD_COST, SELL_PRICE, "cost", paths, LOGGER, num_timesteps=steps
    )
    answers = []
    for question in asked["questions"]:
        prices = np.array(question["prices"])
        data = pd.DataFrame({LOAD_COST: prices, SELL_PRICE: nothing}, index=index)
        busy, wall = time.thread_time_ns(), time.perf_counter_ns()
        found = optimization.perform_optimization(
            data,
            nothing,
            nothing,
            prices,
            nothing,
            soc_init=question["soc"],
            soc_final=question["soc_wanted"],
        )
        wall, busy = time.perf_counter_ns() - wall, time.thread_time_ns() - busy
        bought_kw = -found["P_batt"].to_numpy() / 1000
        answers.append(
            {
                "wall_ms": wall / NS_PER_MS,
                "busy_ms": busy / NS_PER_MS,
                "status": str(optimization.optim_status),
                "cost": float(prices @ bought_kw * hours),
                "soc_end": float(found["SOC_opt"].iloc[-1]),
            }
        )
    json.dump(
        {
            "versions": {
                "python": platform.python_version(),
                **{name: version(name) for name in ("emhass", "cvxpy", "highspy", "numpy")},
            },
            "answers": answers,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
