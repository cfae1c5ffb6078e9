// Values with the unit that their type's name implies; a wrong unit is worse than none.

const UNITS = {
  temp: "°C", temperature: "°C", dewpoint: "°C",
  hum: "%", humidity: "%", rh: "%", moisture: "%", soil_moisture: "%",
  press: "hPa", pressure: "hPa",
  battery: "%", voltage: "V", current: "A",
  power: "W", apower: "W", energy: "kWh",
  illuminance: "lx", lux: "lx",
  co2: "ppm", pm25: "µg/m³", pm10: "µg/m³",
  rssi: "dBm",
};

/** The unit of a type such as `temp`, `soil_moisture` or `AM2301_Temperature_2`; "" if unknown. */
export function unitOf(type) {
  const words = type.toLowerCase().split(/[^0-9a-z]+/);
  while (words.length > 1 && /^\d*$/.test(words.at(-1))) words.pop();
  for (const name of [words.join("_"), words.slice(-2).join("_"), words.at(-1)]) {
    if (Object.hasOwn(UNITS, name)) return UNITS[name];
  }
  return "";
}

const plain = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** At most six digits that count; an exponent for what would be wide. */
export function formatValue(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e9 || size < 1e-4)) return value.toExponential(3);
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
