// Values with the unit that their type's name implies: a wrong unit is worse than none.
// The names are those of collector/publishing/quantities.py, and a test compares the two.

// The whole type, in small letters, its words joined by "_".
export const WHOLE = {
  temp: "°C", hum: "%", press: "hPa", pressure: "hPa", battery: "%",
  power: "W", energy: "kWh", current: "A", rssi: "dBm",
  energy_power: "W", energy_apparentpower: "VA", energy_reactivepower: "var",
  energy_voltage: "V", energy_current: "A", energy_total: "kWh", energy_today: "kWh",
};
// The last word or the last two.
export const LAST = {
  temperature: "°C", color_temperature: "", colour_temperature: "", dewpoint: "°C",
  humidity: "%", soil_moisture: "%", illuminance: "lx", lux: "lx",
  co2: "ppm", carbondioxide: "ppm", pm25: "µg/m³", pm10: "µg/m³",
  tc: "°C", tf: "°F", rh: "%",
  apower: "W", act_power: "W", aprt_power: "VA", aenergy_total: "Wh", act_energy: "Wh",
};
// Tasmota's temperatures are in °C or °F, and its POWER is a switch.
const TASMOTAS = /^(.+_(Temperature|DewPoint)(_\d+)?|POWER\d*)$/;

/** The unit of a type; numbers at its end, as in `temp_2`, do not count. "" if unknown. */
export function unitOf(type) {
  if (TASMOTAS.test(type)) return "";
  const words = type.toLowerCase().split(/[^0-9a-z]+/);
  while (words.length > 1 && /^\d*$/.test(words.at(-1))) words.pop();
  const look = (names, name) => (Object.hasOwn(names, name) ? names[name] : undefined);
  return look(WHOLE, words.join("_")) ?? look(LAST, words.slice(-2).join("_")) ??
    look(LAST, words.at(-1)) ?? "";
}

const plain = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** At most six digits that count; an exponent for what would be wide: 1.7e308. */
export function formatValue(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e9 || size < 1e-4)) {
    return value.toExponential(3).replace(/\.?0*e\+?/, "e");
  }
  return size >= 1e6 ? whole.format(value) : plain.format(value);
}

/** A count of readings: 12,345. */
export function formatCount(count) {
  return whole.format(count);
}

/** An age in its largest unit: "3 s", "5 min", "2 h", "4 d"; "now" below one second. */
export function formatAge(seconds) {
  if (seconds < 1) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}
