// All series that the page knows, each with its newest reading and its last points.

export const SPAN_MS = 900_000; // as /history?range=minutes
const AWAY_MS = 5_000; // without a frame for longer, points may be missing
const CURVE = 120; // points for the small curve
const LONG = 1500; // points of a series that is charted
const [MOST, KEPT] = [12_000, 10_000]; // series; the collector forgets the quiet ones, too

/** Sorts kitchen2 before kitchen10 with plain comparison. */
const natural = (text) => text.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(19, "0"));

export class Series {
  constructor() {
    this.rows = new Map(); // "sensor/type" → row
    this.charted = new Set(); // keys whose points are kept longer
    this.version = 0; // changes when rows come or go
  }

  /**
   * Take a frame of the feed: [[sensor, type, ts in ms, value], …]; `all` replaces everything.
   * Returns whether the series begin anew, for /history to fill in what was not seen here.
   */
  take({ all, readings }) {
    const now = performance.now();
    const anew = all && now - this.#takenAt > AWAY_MS;
    const before = anew ? new Map() : this.rows;
    this.#takenAt = now;
    if (all) {
      this.rows = new Map();
      this.version += 1;
    }
    this.#frame += 1;
    for (const [sensor, type, ts, value] of readings) {
      const key = `${sensor}/${type}`;
      let row = this.rows.get(key);
      if (!row) {
        row = before.get(key) ?? newRow(key, sensor, type);
        this.rows.set(key, row);
        this.version += 1;
      }
      row.frame = this.#frame;
      row.ts = ts;
      row.value = value;
      this.#append(row, ts, value);
    }
    if (this.rows.size > MOST) this.#forget();
    return anew;
  }

  #frame = 0;
  #takenAt = -Infinity;

  /** Let go of the series that were quiet for longest. */
  #forget() {
    const newest = [...this.rows.values()].sort((a, b) => b.frame - a.frame);
    for (const { key } of newest.slice(KEPT)) this.rows.delete(key);
  }

  /** Put earlier points, [[ts, mean, …], …], before those that have arrived. */
  fill(row, points) {
    const first = row.times[0] ?? Infinity;
    const earlier = points.filter(([ts]) => ts < first);
    row.times.unshift(...earlier.map(([ts]) => ts));
    row.values.unshift(...earlier.map(([, mean]) => mean));
  }

  #append(row, ts, value) {
    const last = row.times.length - 1;
    if (ts === row.times[last]) row.values[last] = value;
    if (last >= 0 && ts <= row.times[last]) return;
    row.times.push(ts);
    row.values.push(value);
    thin(row, this.charted.has(row.key) ? LONG : CURVE);
  }
}

/** Beyond `most` points drop those before the span, and then every second one. */
function thin(row, most) {
  if (row.times.length <= most) return;
  const start = row.ts - SPAN_MS;
  const every = row.times.at(-most - 1) >= start ? 2 : 1;
  const keep = row.times.map((ts, i) => ts >= start && i % every === 0);
  row.times = row.times.filter((_, i) => keep[i]);
  row.values = row.values.filter((_, i) => keep[i]);
}

function newRow(key, sensor, type) {
  return {
    key, sensor, type, ts: 0, value: 0, frame: 0,
    times: [], values: [],
    asked: false, // whether its curve was asked of /history
    failures: 0, // how often that failed
    order: `${natural(sensor)}/${natural(type)}`,
    typeOrder: natural(type),
    text: `${sensor} ${type}`.toLowerCase(),
  };
}

const COLUMNS = {
  sensor: (row) => row.order,
  type: (row) => row.typeOrder,
  value: (row) => row.value,
  age: (row) => -row.ts,
};

/** The rows that contain all words of `search`: pinned ones first, then by `column`. */
export function arrange(rows, { search, column, descending, pins }) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const key = COLUMNS[column];
  const sign = descending ? -1 : 1;
  const found = [...rows].filter(({ text }) => words.every((word) => text.includes(word)));
  found.sort((left, right) => {
    const [a, b] = [key(left), key(right)];
    if (a !== b) return a < b ? -sign : sign;
    return left.order < right.order ? -1 : 1;
  });
  if (!pins.size) return found;
  const pinned = (row) => pins.has(row.key);
  return [...found.filter(pinned), ...found.filter((row) => !pinned(row))];
}
