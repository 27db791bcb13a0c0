"""Write a schedule as `v2g.schedule/1`: costs as strings, percentages as numbers, times in UTC."""

from .answer_json import rfc3339
from .schedule import Schedule


def schedule_to_json(schedule: Schedule) -> dict[str, object]:
    """Return the schedule as `v2g.schedule/1`."""
    return {
        "schema": "v2g.schedule/1",
        "end_at": rfc3339(schedule.end_at),
        "charge_energy_wh": schedule.charge_energy_wh,
        "soc_at_departure_pct": float(schedule.soc_at_departure_pct),
        "short_of_minimum_wh": schedule.short_of_minimum_wh,
        "repair_cost_at_most": format(schedule.repair_cost_at_most, "f"),
        "short_blocks": schedule.short_blocks,
        "steps": [
            {
                "start_at": rfc3339(step.start_at),
                "power_w": step.power_w,
                "start_below_pct": float(step.start_below_pct),
                "stop_at_pct": float(step.stop_at_pct),
                "planned": step.planned,
            }
            for step in schedule.steps
        ],
    }
