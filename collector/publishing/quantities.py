"""What the usual types measure, and in which unit: the words are Home Assistant's.

A reading has no unit, so a type is here only if its name leaves hardly any doubt: a wrong unit is
worse than none. Not here are, for instance, `voltage` (Zigbee2MQTT sends mV for a battery and V
for a plug), `voc`, and `pressure` and `power` behind other words (the tyre's, in bar; the
transmitter's, in dBm). The units of temperature, humidity and pressure are those of the dashboards.
"""

import re
from typing import NamedTuple


class Quantity(NamedTuple):
    """Device class, unit and state class of a sensor; without a class it is any number."""

    device_class: str | None = None
    unit: str | None = None
    state_class: str = "measurement"


_TEMPERATURE = Quantity("temperature", "°C")
_HUMIDITY = Quantity("humidity", "%")
_PRESSURE = Quantity("pressure", "hPa")
_POWER = Quantity("power", "W")
_APPARENT_POWER = Quantity("apparent_power", "VA")
_ENERGY = Quantity("energy", "kWh", "total_increasing")
_ENERGY_WH = Quantity("energy", "Wh", "total_increasing")
_ILLUMINANCE = Quantity("illuminance", "lx")
_CO2 = Quantity("carbon_dioxide", "ppm")

# The whole type, in small letters, its words joined by `_`.
WHOLE = {
    "temp": _TEMPERATURE,
    "hum": _HUMIDITY,
    "press": _PRESSURE,
    "pressure": _PRESSURE,
    "battery": Quantity("battery", "%"),
    "power": _POWER,
    "energy": _ENERGY,
    "current": Quantity("current", "A"),
    "rssi": Quantity("signal_strength", "dBm"),
    # Tasmota's energy meters.
    "energy_power": _POWER,
    "energy_apparentpower": _APPARENT_POWER,
    "energy_reactivepower": Quantity("reactive_power", "var"),
    "energy_voltage": Quantity("voltage", "V"),
    "energy_current": Quantity("current", "A"),
    "energy_total": _ENERGY,
    "energy_today": _ENERGY,
}
# The last word or the last two, as in `AM2301_Temperature` or `soil_moisture`.
LAST = {
    "temperature": _TEMPERATURE,
    "color_temperature": Quantity(),  # K, or mired
    "colour_temperature": Quantity(),
    "dewpoint": _TEMPERATURE,
    "humidity": _HUMIDITY,
    "soil_moisture": Quantity("moisture", "%"),
    "illuminance": _ILLUMINANCE,
    "lux": _ILLUMINANCE,
    "co2": _CO2,
    "carbondioxide": _CO2,
    "pm25": Quantity("pm25", "µg/m³"),
    "pm10": Quantity("pm10", "µg/m³"),
    # Shelly's devices of the second generation.
    "tc": _TEMPERATURE,
    "tf": Quantity("temperature", "°F"),
    "rh": _HUMIDITY,
    "apower": _POWER,
    "act_power": _POWER,
    "aprt_power": _APPARENT_POWER,
    "aenergy_total": _ENERGY_WH,
    "act_energy": _ENERGY_WH,
}
# Tasmota's temperatures, in °C or °F as its TempUnit says; and the state of its switch, 1 or 0.
_TASMOTAS = re.compile(r".+_(Temperature|DewPoint)(_\d+)?|POWER\d*")
_SEPARATORS = re.compile(r"[^0-9a-z]+")


def quantity(type_: str) -> Quantity:
    """Return what a type measures; numbers at its end, as in `temp_2`, do not count."""
    words = _SEPARATORS.split(type_.lower())
    while len(words) > 1 and (not words[-1] or words[-1].isdecimal()):
        words.pop()
    whole, last_two, last = "_".join(words), "_".join(words[-2:]), words[-1]
    if _TASMOTAS.fullmatch(type_):
        return Quantity()
    return WHOLE.get(whole) or LAST.get(last_two) or LAST.get(last) or Quantity()
