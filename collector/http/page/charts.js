// The charts of the chosen series, and their range.

import { Chart, groupOf } from "./chart.js";
import { history, pause } from "./history.js";
import { make, write } from "./element.js";
import { recall, remember } from "./memory.js";

const MOST = 8; // as many as there are colours
const RANGES = {
  live: { text: "Live", seconds: 300, from: "minutes" },
  hour: { text: "Hour", seconds: 3_600, from: "hour", every: 15_000 },
  day: { text: "Day", seconds: 86_400, from: "day", every: 60_000 },
  week: { text: "Week", seconds: 604_800, from: "week", every: 300_000 },
};

export class Charts {
  /** `changed()` is called when other series are chosen. */
  constructor(series, changed) {
    this.chosen = new Map(); // key → colour
    this.#series = series;
    this.#changed = changed;
    const [range] = recall("range") ?? [];
    this.#range = Object.hasOwn(RANGES, range) ? range : "live";
    this.#buttons();
    const element = document.getElementById("charts");
    document.getElementById("clear").onclick = () => this.choose([]);
    new ResizeObserver(() => this.#charts.forEach((chart) => chart.resize())).observe(element);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.onchange = () => this.choose([...this.chosen.keys()]); // in the colours of the other
  }

  #series; #changed; #range;
  #databaseAnswers = false;
  #charts = [];
  #past = new Map(); // key → points of the range
  #due = Infinity; // when to ask for the past again
  #request = 0; // only the newest request counts
  #now = 0;

  /** Whether InfluxDB answers; until it does, nothing is asked of it. */
  set databaseAnswers(answers) {
    const again = answers && !this.#databaseAnswers;
    this.#databaseAnswers = answers;
    if (again) this.#ask();
  }

  toggle({ key }) {
    const keys = [...this.chosen.keys()];
    this.choose(this.chosen.has(key) ? keys.filter((k) => k !== key) : [...keys, key]);
  }

  /** Chart these, the last ones if there are too many. */
  choose(wanted) {
    const keys = wanted.slice(-MOST);
    const before = this.chosen;
    const colours = palette();
    const used = new Set(keys.map((key) => before.get(key)));
    const free = colours.filter((colour) => !used.has(colour));
    const kept = (key) => (colours.includes(before.get(key)) ? before.get(key) : free.shift());
    this.chosen = new Map(keys.map((key) => [key, kept(key)]));
    this.#series.charted = this.chosen;
    remember("chosen", keys);
    this.#build();
    if (this.#now) this.draw(this.#now);
    this.#ask();
    this.#changed();
  }

  /** Draw what has arrived until `now`, in ms. */
  draw(now) {
    this.#now = now;
    const known = [...this.chosen.keys()].filter((key) => this.#series.rows.has(key)).length;
    if (known > this.#charts.reduce((sum, { rows }) => sum + rows.length, 0)) this.#build();
    const { seconds } = RANGES[this.#range];
    if (performance.now() > this.#due) this.#ask();
    const to = now / 1000;
    for (const chart of this.#charts) {
      chart.draw(chart.rows.map((row) => this.#points(row)), to - seconds, to);
    }
  }

  #points(row) {
    const past = this.#past.get(row.key) ?? [];
    if (this.#range !== "live") return past;
    const first = row.times[0] ?? Infinity;
    const arrived = row.times.map((ts, i) => [ts, row.values[i], row.values[i], row.values[i]]);
    return [...past.filter(([ts]) => ts < first), ...arrived];
  }

  #build() {
    this.#charts.forEach((chart) => chart.destroy());
    const groups = new Map();
    for (const key of this.chosen.keys()) {
      const row = this.#series.rows.get(key);
      if (row) groups.set(groupOf(row), [...(groups.get(groupOf(row)) ?? []), row]);
    }
    const { from } = RANGES[this.#range];
    const one = (rows) => new Chart(
      rows, rows.map(({ key }) => this.chosen.get(key)), from, (row) => this.toggle(row));
    this.#charts = [...groups.values()].map(one);
    document.getElementById("charts").append(...this.#charts.map(({ element }) => element));
    document.getElementById("clear").hidden = !this.chosen.size;
    if (!this.chosen.size) this.#note("Choose sensors in the list to see them here.");
  }

  async #ask() {
    const { from, every = Infinity } = RANGES[this.#range];
    this.#due = performance.now() + every;
    const keys = [...this.chosen.keys()];
    if (!keys.length || !this.#databaseAnswers) return;
    const request = ++this.#request;
    try {
      const past = await history(keys, from);
      if (request !== this.#request) return;
      this.#past = past;
      const empty = this.#range !== "live" && [...past.values()].every(({ length }) => !length);
      this.#note(empty ? "InfluxDB has no readings of these in this range." : "");
    } catch (error) {
      if (request !== this.#request) return;
      this.#note(`No history: ${error.message}`);
      this.#due = performance.now() + pause();
    }
    this.draw(this.#now);
  }

  #note(text) {
    write(document.getElementById("chart-note"), text);
  }

  #buttons() {
    const buttons = Object.entries(RANGES).map(([name, { text }]) =>
      make("button", { type: "button", ariaPressed: name === this.#range, value: name }, text));
    for (const button of buttons) {
      button.onclick = () => {
        this.#range = button.value;
        remember("range", [this.#range]);
        for (const other of buttons) other.ariaPressed = other === button;
        this.#past = new Map();
        this.choose([...this.chosen.keys()]);
      };
    }
    document.getElementById("ranges").append(...buttons);
  }
}

function palette() {
  const style = getComputedStyle(document.documentElement);
  return Array.from({ length: MOST }, (_, i) => style.getPropertyValue(`--chart-${i}`).trim());
}
