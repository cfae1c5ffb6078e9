// Wires the page: the feed changes the series and the state, a frame of the browser shows them.

import { Charts } from "./charts.js";
import { List } from "./list.js";
import { Overview, unheard } from "./overview.js";
import { Series, arrange } from "./series.js";
import { fillCurves } from "./history.js";
import { listen } from "./feed.js";
import { recall, remember } from "./memory.js";
import { showCommands } from "./start.js";
import { formatCount } from "./units.js";
import { summarise } from "./state.js";
import { write } from "./element.js";

const ARRANGE_MS = 1_000; // rows change places at most this often
const SAMPLED_MS = 10_000;
const FIRST = 3; // series that are charted for somebody who has chosen none
const at = (id) => document.getElementById(id);

const series = new Series();
const overview = new Overview();
const charts = new Charts(series, () => refresh());
const pins = new Set(recall("pins") ?? []);
const list = new List(at("list"), { sort, chart: (row) => charts.toggle(row), pin });

const order = { column: "sensor", descending: false };
let arranged = { version: -1, at: 0 };
let lead = 0; // the collector's clock before the viewer's, in ms
let pipeline = null; // the last pipeline event
let sampledAt = -Infinity;
let scheduled = false;

const now = () => Date.now() + lead;

function sort(column) {
  order.descending = order.column === column && !order.descending;
  order.column = column;
  rearrange();
  list.scrollToTop();
}

function pin({ key }) {
  if (!pins.delete(key)) pins.add(key);
  remember("pins", [...pins]);
  rearrange();
}

function rearrange() {
  const search = at("search").value;
  const rows = arrange(series.rows.values(), { ...order, search, pins });
  arranged = { version: series.version, at: performance.now() };
  list.show(rows, order.column, order.descending);
  const all = series.rows.size;
  const found = search ? `${formatCount(rows.length)} of ` : "";
  write(at("count"), found + formatCount(all));
}

function refresh() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    const moves = series.version !== arranged.version || ["value", "age"].includes(order.column);
    if (moves && performance.now() - arranged.at > ARRANGE_MS) rearrange();
    list.update({ chosen: charts.chosen, pins, now: now() });
    charts.draw(now());
    showGrafana();
  });
}

function showGrafana() {
  const link = at("grafana");
  link.hidden = !pipeline?.grafana;
  if (link.hidden) return;
  const { port, tls } = pipeline.grafana;
  const chosen = [...charts.chosen.keys()].map((key) => series.rows.get(key)).filter(Boolean);
  const query = new URLSearchParams(chosen.flatMap(({ sensor, type }) =>
    [["var-sensor", sensor], ["var-type", type]]));
  link.href = `${tls ? "https" : "http"}://${location.hostname}:${port}/d/iot-readings?${query}`;
}

/** Chart what was charted the last time, or else the first series and some like it. */
function choose() {
  const stored = recall("chosen");
  const rows = arrange(series.rows.values(), { ...order, search: "", pins });
  const [first] = rows;
  const alike = rows.filter(({ type }) => type === first.type).slice(0, FIRST);
  charts.choose(stored ?? alike.map(({ key }) => key));
}

/** Say that not every reading is seen here; the words stay for a while, to be read in peace. */
function showSampled({ arrived, shown, forgotten }) {
  if (shown < arrived) sampledAt = performance.now();
  const parts = [];
  if (performance.now() - sampledAt < SAMPLED_MS) {
    parts.push("Sampled: readings arrive faster than this page shows them. All of them are kept.");
  }
  if (forgotten) parts.push(`${formatCount(forgotten)} quiet series are not listed.`);
  at("sampled").hidden = !parts.length;
  write(at("sampled"), parts.join(" "));
}

showCommands(at("commands"));
at("search").addEventListener("input", () => {
  rearrange();
  list.scrollToTop();
});
listen({
  readings(event) {
    const first = !series.rows.size;
    const anew = series.take(event);
    if ((first || anew) && series.rows.size) {
      rearrange();
      if (first) choose();
      else charts.choose([...charts.chosen.keys()]);
    }
    showSampled(event);
    document.body.classList.toggle("empty", !series.rows.size);
    at("nothing").hidden = Boolean(series.rows.size);
    refresh();
  },
  async pipeline(event) {
    pipeline = event;
    lead = event.at - Date.now();
    const state = summarise(event);
    overview.show(state);
    charts.databaseAnswers = state.history;
    refresh();
    if (state.history && await fillCurves(series, list.inView)) refresh();
  },
  link(state) {
    if (state !== "open") overview.show(unheard(state));
  },
});
