"""What the owner's own car integration would bring: here a car that tells over the event bus."""

from typing import Final

from owner_api.simulation.live_site import CAR_EVENT

CAR_SOC: Final = "sensor.demo_car_battery"
CAR_PLUGGED: Final = "binary_sensor.demo_car_plug"
CAR_POWER: Final = "sensor.demo_car_power"

CONFIGURATION: Final = f"""\
template:
  - triggers:
      - trigger: event
        event_type: {CAR_EVENT}
    sensor:
      - name: Demo car battery
        unique_id: demo_car_battery
        device_class: battery
        state_class: measurement
        unit_of_measurement: "%"
        state: "{{{{ trigger.event.data.soc_pct }}}}"
      - name: Demo car power
        unique_id: demo_car_power
        device_class: power
        state_class: measurement
        unit_of_measurement: W
        state: "{{{{ trigger.event.data.power_w }}}}"
    binary_sensor:
      - name: Demo car plug
        unique_id: demo_car_plug
        device_class: plug
        state: "{{{{ trigger.event.data.plugged_in }}}}"
"""
