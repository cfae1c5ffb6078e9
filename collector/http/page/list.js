// The list of sensors: a grid that holds only the rows in view, however many there are.

import { make, write } from "./element.js";
import { drawCurve, penOf } from "./curve.js";
import { formatAge, formatValue, unitOf } from "./units.js";

const SPARE = 4; // rows kept above and below
const STALE_S = 60;
const WIDE = 8; // characters of a value that are set smaller
const COLUMNS = [
  ["sensor", "Sensor"], ["type", "Type"], ["value", "Value"], [null, "Last 15 min"], ["age", "Age"],
];

export class List {
  /** `sort(column)`, `chart(row)` and `pin(row)` are called when the user asks for it. */
  constructor(element, { sort, chart, pin }) {
    this.rows = [];
    this.#element = element;
    this.#chart = chart;
    this.#pin = pin;
    this.#header = header(sort);
    this.#body = make("div.rows", { role: "rowgroup" });
    element.append(make("div", { role: "rowgroup" }, this.#header), this.#body);
    element.addEventListener("scroll", () => this.render());
    element.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#measure()).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#measure());
  }

  #element; #header; #body; #chart; #pin;
  #lines = [];
  #active = null; // the key of the row that the keyboard is on
  #state = { chosen: new Map(), pins: new Set(), now: 0 };

  /** Show these rows; `column` is sorted. */
  show(rows, column, descending) {
    this.rows = rows;
    for (const cell of this.#header.children) {
      const sorted = cell.dataset.column === column;
      if (sorted) cell.ariaSort = descending ? "descending" : "ascending";
      else cell.removeAttribute("aria-sort");
    }
    this.#element.ariaRowCount = rows.length + 1;
    this.#element.style.setProperty("--rows", rows.length);
    this.render();
  }

  scrollToTop() {
    this.#element.scrollTop = 0;
  }

  /** Which rows are charted (key → colour) and pinned, and the time of the pipeline in ms. */
  update(state) {
    this.#state = state;
    this.render();
  }

  /** The rows in view. */
  get inView() {
    return this.#lines.map(({ row }) => row);
  }

  #height = 0; // of a row
  #pen = null;

  /** The sizes or colours have changed. */
  #measure() {
    this.#height = parseFloat(getComputedStyle(this.#element).getPropertyValue("--row"));
    this.#pen = null;
    for (const line of this.#lines) line.drawn = "";
    this.render();
  }

  render() {
    const height = this.#height;
    if (!height) return;
    const { scrollTop, clientHeight } = this.#element;
    const count = Math.min(this.rows.length, Math.ceil(clientHeight / height) + 2 * SPARE);
    const above = Math.max(0, Math.floor(scrollTop / height) - SPARE);
    const first = Math.min(above, this.rows.length - count);
    this.#body.style.height = `${this.rows.length * height}px`;
    while (this.#lines.length < count) this.#lines.push(this.#newLine(this.#lines.length));
    while (this.#lines.length > count) this.#lines.pop().element.remove();
    if (count) this.#pen ??= penOf(this.#lines[0].canvas);
    for (let index = first; index < first + count; index += 1) {
      const line = this.#lines[index % count]; // so it stays that of the row while scrolling
      line.row = this.rows[index];
      this.#write(line, index);
    }
    const active = this.#lines.find(({ row }) => row.key === this.#active);
    if (active) this.#element.setAttribute("aria-activedescendant", active.element.id);
    else this.#element.removeAttribute("aria-activedescendant");
  }

  #newLine(number) {
    const pin = make("button.pin", { type: "button", tabIndex: -1 }, "★");
    const cell = (name, ...children) => make(`span.${name}`, { role: "gridcell" }, ...children);
    const [sensor, type] = [make("bdi"), make("bdi")];
    const [value, unit, age] = [make("b"), make("small"), cell("age")];
    const canvas = make("canvas", { ariaHidden: "true" });
    const element = make("div.row", { role: "row", id: `row-${number}` },
      cell("pin-cell", pin), cell("sensor", sensor), cell("type", type),
      cell("value", value, unit), cell("curve", canvas), age);
    const line = { element, pin, sensor, type, value, unit, age, canvas, row: null, drawn: "" };
    element.addEventListener("click", () => this.#activate(line.row, this.#chart));
    pin.addEventListener("click", (event) => {
      event.stopPropagation();
      this.#activate(line.row, this.#pin);
    });
    this.#body.append(element);
    return line;
  }

  #write(line, index) {
    const { element, row } = line;
    const { chosen, pins, now } = this.#state;
    const age = (now - row.ts) / 1000;
    element.style.transform = `translateY(${index * this.#height}px)`;
    element.setAttribute("aria-rowindex", index + 2);
    element.ariaSelected = chosen.has(row.key);
    element.style.setProperty("--chosen", chosen.get(row.key) ?? "transparent");
    element.classList.toggle("active", row.key === this.#active);
    element.classList.toggle("stale", age > STALE_S);
    const pinned = pins.has(row.key);
    line.pin.ariaPressed = pinned;
    line.pin.ariaLabel = `Pin ${row.sensor} ${row.type}`;
    write(line.sensor, row.sensor);
    write(line.type, row.type);
    element.title = row.key;
    const value = formatValue(row.value);
    write(line.value, value);
    line.value.classList.toggle("wide", value.length > WIDE);
    write(line.unit, unitOf(row.type));
    write(line.age, formatAge(age));
    const drawn = `${row.key} ${row.ts} ${row.value} ${row.times.length}`;
    if (drawn !== line.drawn) drawCurve(line.canvas, row, this.#pen);
    line.drawn = drawn;
  }

  #activate(row, action) {
    this.#active = row.key;
    this.#element.focus({ preventScroll: true }); // the button may be another row's from now on
    action(row);
  }

  #key(event) {
    if (event.target !== this.#element || event.ctrlKey || event.metaKey || event.altKey) return;
    const index = this.rows.findIndex(({ key }) => key === this.#active);
    const page = Math.max(1, Math.floor(this.#element.clientHeight / this.#height) - 2);
    const moves = {
      ArrowDown: index + 1, ArrowUp: index - 1, PageDown: index + page, PageUp: index - page,
      Home: 0, End: this.rows.length - 1,
    };
    if (event.key in moves) this.#move(moves[event.key]);
    else if (index >= 0 && ["Enter", " "].includes(event.key)) this.#chart(this.rows[index]);
    else if (index >= 0 && event.key === "p") this.#pin(this.rows[index]);
    else return;
    event.preventDefault();
  }

  #move(index) {
    if (!this.rows.length) return;
    const to = Math.min(Math.max(index, 0), this.rows.length - 1);
    this.#active = this.rows[to].key;
    const at = to * this.#height;
    const room = this.#element.clientHeight - this.#header.offsetHeight - this.#height;
    const top = this.#element.scrollTop;
    this.#element.scrollTop = Math.min(Math.max(top, at - room), at);
    this.render();
  }
}

function header(sort) {
  const cells = COLUMNS.map(([column, text]) => {
    const name = column ?? "curve";
    const cell = make(`span.${name}`, { role: "columnheader" });
    if (!column) cell.append(text);
    else cell.append(make("button", { type: "button", onclick: () => sort(column) }, text));
    cell.dataset.column = name;
    return cell;
  });
  const pin = make("span.pin-cell", { role: "columnheader" }, make("span.unseen", {}, "Pinned"));
  return make("div.row.head", { role: "row", "aria-rowindex": 1 }, pin, ...cells);
}
