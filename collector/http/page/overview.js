// The state of the pipeline at the top of the page.

import { make, write } from "./element.js";
import { formatAge, formatCount } from "./units.js";

const FIGURES = {
  accepted: ["Accepted", "on a collector's disk"],
  stored: ["Stored", "InfluxDB has them"],
  pending: ["Pending", "on the way to InfluxDB"],
  rejected: ["Rejected", "not taken; ./pipeline rejected lists them"],
  healed: ["Healed", "lost by InfluxDB, stored again"],
  lag: ["Lag", "age of the oldest pending reading"],
  rate: ["Readings/s", "on the broker"],
  refused: ["Refused", "requests and messages that no collector took, since its start"],
};
const MOST = 5; // problems shown, and notes
const PARTS = ["Collector", "Broker", "Bridge", "InfluxDB"];
const LOST = {
  lost: {
    title: "No connection to the collector",
    advice: "This page tries again by itself. What was accepted is on the collector's disk.",
  },
  stalled: {
    title: "No news from the collector for more than 5 s",
    advice: "The connection has stalled. This page connects again by itself.",
  },
};

/** What is shown while the collector is not heard. */
export function unheard(link) {
  return {
    figures: Object.fromEntries(Object.keys(FIGURES).map((name) => [name, null])),
    parts: PARTS.map((name) => ({ name, state: "unknown" })),
    problems: [{ reason: null, ...LOST[link] }],
    notes: [],
  };
}

export class Overview {
  constructor() {
    this.#figures = new Map(Object.entries(FIGURES).map(([name, [text, title]]) => {
      const value = make("dd", {}, "–");
      const figure = make("div", { title }, make("dt", {}, text), value);
      document.getElementById("figures").append(figure);
      return [name, value];
    }));
  }

  #figures;
  #shown = "";

  /** Show what `summarise` or `unheard` returned. */
  show({ figures, parts, problems, notes }) {
    for (const [name, value] of Object.entries(figures)) this.#figure(name, value);
    const shown = JSON.stringify([parts, problems, notes]);
    if (shown === this.#shown) return; // nothing for a screen reader to read again
    this.#shown = shown;
    document.getElementById("parts").replaceChildren(...parts.map(partItem));
    document.getElementById("problems").replaceChildren(...problemItems(problems));
    document.getElementById("notes").replaceChildren(...problemItems(notes));
    const verdict = document.getElementById("verdict");
    write(verdict, problems.length ? problems[0].title : "Everything works");
    verdict.dataset.state = problems.length ? "down" : "up";
    document.title = `${problems.length ? "⚠ " : ""}Telemetry pipeline`;
  }

  #figure(name, value) {
    const element = this.#figures.get(name);
    write(element, value === null ? "unknown" : formatFigure(name, value));
    const bad = name === "rejected" ? value > 0 : name === "lag" && value >= 10;
    element.dataset.state = value === null ? "unknown" : bad ? "warn" : "up";
  }
}

function formatFigure(name, value) {
  if (name === "lag") return value < 1 ? "0 s" : formatAge(value);
  return name === "rate" && value > 0 && value < 10 ? value.toFixed(1) : formatCount(value);
}

function partItem({ name, state, note }) {
  const words = make("span.state", {}, note || state);
  const item = make("li", {}, make("span.name", {}, name), words);
  item.dataset.state = state;
  return item;
}

function problemItems(problems) {
  const items = problems.slice(0, MOST).map(problemItem);
  const more = problems.length - MOST;
  return more > 0 ? [...items, make("li", {}, `and ${more} more`)] : items;
}

function problemItem({ title, reason, advice }) {
  const item = make("li", {}, make("b", {}, title));
  if (reason) item.append(make("bdi.reason", {}, reason));
  item.append(make("p", {}, advice));
  return item;
}
