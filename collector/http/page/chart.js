// One uPlot chart for all chosen series of one unit.

import { address } from "./history.js";
import { make, write } from "./element.js";
import { formatValue, unitOf } from "./units.js";

const HEIGHT = 230;
const DAY_S = 86_400;

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hour12: false });
const seconds = new Intl.DateTimeFormat([], {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false,
});
const days = new Intl.DateTimeFormat([], { weekday: "short", day: "numeric", month: "short" });

function formatTimes(_, times, axis, space, step) {
  const format = step >= DAY_S ? days : step >= 60 ? clock : seconds;
  return times.map((time) => format.format(time * 1000));
}

/** What is drawn together: the unit, or the type where there is none. */
export const groupOf = ({ type }) => unitOf(type) || type;

/**
 * [xs, means, minima, maxima] of points [[ts in ms, mean, min, max], …]; xs in seconds. Where
 * nothing came for long, a null interrupts the line.
 */
export function columns(points) {
  const table = [[], [], [], []];
  const add = (row) => row.forEach((value, i) => table[i].push(value));
  const steps = points.slice(1).map(([ts], i) => ts - points[i][0]).sort((a, b) => a - b);
  const long = Math.max(8 * (steps[steps.length >> 1] ?? 0), 60_000);
  let before = Infinity;
  for (const [ts, ...values] of points) {
    if (ts - before > long) add([(before + 1) / 1000, null, null, null]);
    add([ts / 1000, ...values]);
    before = ts;
  }
  return table;
}

export class Chart {
  /** `rows` with their `colours`; `remove(row)` is called when the user takes one out. */
  constructor(rows, colours, range, remove) {
    this.rows = rows;
    this.#values = rows.map(() => make("b"));
    this.#plot = make("div.plot", { role: "img" });
    const legend = rows.map((row, i) => entry(row, colours[i], range, this.#values[i], remove));
    this.element = make("figure", {},
      make("figcaption", {}, make("h3", {}, groupOf(rows[0])), make("ul.legend", {}, ...legend)),
      this.#plot);
    this.#colours = colours;
  }

  #values; #plot; #colours; #uplot; #data;

  /** Draw the points of each row; `from` and `to` in seconds. */
  draw(points, from, to) {
    this.#data = uPlot.join(points.map(columns));
    this.#window = [from, to];
    if (!this.#uplot) this.#create();
    else this.#uplot.setData(this.#data);
    this.#describe();
    this.#legend();
  }

  #window = [0, 1];

  resize() {
    this.#uplot?.setSize({ width: this.#plot.clientWidth, height: HEIGHT });
  }

  destroy() {
    this.#uplot?.destroy();
    this.element.remove();
  }

  #create() {
    const style = getComputedStyle(this.#plot);
    const axis = {
      stroke: style.getPropertyValue("--muted"), font: `12px ${style.fontFamily}`,
      grid: { stroke: style.getPropertyValue("--line"), width: 1 }, ticks: { show: false },
    };
    const options = {
      width: this.#plot.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { setScale: false }, points: { size: 7 } },
      scales: { x: { range: () => this.#window } },
      axes: [{ ...axis, values: formatTimes, space: 70, size: 30 },
        { ...axis, size: 58, values: (_, values) => values.map((v) => formatValue(v)) }],
      series: [{}, ...this.#colours.flatMap((stroke) => [
        { stroke, width: 2, points: { show: false } },
        { points: { show: false } }, { points: { show: false } },
      ])],
      bands: this.#colours.map((colour, i) => ({
        series: [3 * i + 3, 3 * i + 2], fill: `${colour}26`,
      })),
      hooks: { setCursor: [() => this.#legend()] },
    };
    this.#uplot = new uPlot(options, this.#data, this.#plot);
  }

  /** The values at the cursor, or else the newest. */
  #legend() {
    const at = this.#uplot.cursor.idx;
    this.rows.forEach((row, i) => {
      const column = this.#data[3 * i + 1];
      const value = at == null ? row.value : column[at] ?? nearest(column, at);
      write(this.#values[i], value == null ? "–" : `${formatValue(value)} ${unitOf(row.type)}`);
    });
  }

  #describe() {
    const names = this.rows.map(({ sensor, type }) => `${sensor} ${type}`).join(", ");
    this.#plot.ariaLabel = `Chart of ${names}`;
  }
}

/** The value before a place where only another series has one. */
function nearest(column, at) {
  let i = at;
  while (i >= 0 && column[i] === undefined) i -= 1;
  return column[i];
}

function entry(row, colour, range, value, remove) {
  const swatch = make("i.swatch", { ariaHidden: "true" });
  swatch.style.background = colour;
  const name = `${row.sensor} ${row.type}`;
  const csv = make("a", {
    href: address("history.csv", [row.key], range), ariaLabel: `CSV of ${name}`, download: "",
  }, "CSV");
  const button = make("button.remove", {
    type: "button", ariaLabel: `Remove ${name} from the chart`, onclick: () => remove(row),
  }, "×");
  return make("li", {}, swatch, make("bdi", {}, name), value, csv, button);
}
