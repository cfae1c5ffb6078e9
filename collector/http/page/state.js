// What the pipeline's statuses mean: figures, parts, and what is wrong with advice.

const SILENT_S = 10;
const LATE_S = 60;

const ADVICE = {
  broker: "Readings are still accepted and wait in the outbox. See whether Mosquitto runs: " +
    "./pipeline check",
  bridge: "Readings are still accepted and wait in the outbox. Start the bridge: make run, or " +
    "docker-compose up -d bridge",
  collector: "A collector has stopped, or has lost the broker. Its log says which.",
  gone: "What it has accepted and not sent waits in its outbox. If it is gone for good, clear " +
    "its status: see docs/operations.md, “Several collectors, several bridges”",
  influx: "Readings are still accepted and wait in the outbox. See whether InfluxDB runs: " +
    "./pipeline check",
  password: "InfluxDB does not take the bridge's account. Compare INFLUX_USERNAME and " +
    "INFLUX_PASSWORD with InfluxDB's users.",
  full: "Free space on InfluxDB's disk, then start InfluxDB again.",
  late: "After an outage this passes by itself; else more arrives than InfluxDB takes. See " +
    "docs/operations.md",
  refusing: "InfluxDB answers, and rejects every reading. What was wrong with them: " +
    "./pipeline rejected",
};

const fresh = (service) => service.state !== "offline" && service.age_s <= SILENT_S;

/**
 * Figures (null where nobody reports), parts {name, state, note} with the state up, down or
 * unknown, problems and, less than that, notes {title, reason, advice}, and whether the database
 * may be asked for history, of the feed's pipeline event.
 */
export function summarise({ broker, services, rate }) {
  const of = (kind) => (broker.up ? services.filter(({ service }) => service === kind) : []);
  const [collectors, bridges] = [of("collector"), of("bridge")];
  const problems = broker.up
    ? [...collectorProblems(collectors), ...bridgeProblems(bridges)]
    : [{ title: "The broker does not answer", reason: broker.reason, advice: ADVICE.broker }];
  const { database, history } = databasePart(bridges);
  const counted = figures(collectors, broker.up ? rate : null);
  if (!problems.length && counted.lag >= LATE_S) {
    problems.push({ title: "Readings reach InfluxDB late", reason: null, advice: ADVICE.late });
  }
  return {
    figures: counted,
    parts: [
      // The collector that serves this page is up, whatever the broker says of it.
      { ...part("Collector", collectors), state: "up" },
      { name: "Broker", state: broker.up ? "up" : "down" },
      part("Bridge", bridges),
      database,
    ],
    history,
    problems,
    notes: collectorNotes(collectors),
  };
}

/** Anybody may have sent it: a figure is a count, and one that JavaScript does not round. */
const plausible = (value) => Number.isSafeInteger(value) && value >= 0;

function figures(collectors, rate) {
  const known = collectors.some(fresh);
  const sum = (count) => {
    const values = collectors.map(({ counters }) => count(counters)).filter(plausible);
    const total = values.reduce((a, b) => a + b, 0);
    return known && values.length && plausible(total) ? total : null;
  };
  const lags = collectors.filter(fresh).map(({ counters }) => counters.oldest_pending_s);
  const lag = lags.filter(plausible);
  return {
    accepted: sum(({ accepted }) => accepted),
    stored: sum(({ stored }) => stored),
    pending: sum(({ pending }) => pending),
    rejected: sum(({ rejected, discarded }) => rejected - discarded),
    healed: sum(({ healed }) => healed),
    lag: lag.length ? Math.max(...lag) : null,
    rate,
    refused: sum((counters) => counters.http_refused + counters.mqtt_refused),
  };
}

function part(name, services) {
  const up = services.filter(fresh).length;
  if (!up) return { name, state: services.length ? "down" : "unknown" };
  return { name, state: "up", note: services.length > 1 ? `${up} of ${services.length}` : "" };
}

/** The database, and whether it may be asked for history. */
function databasePart(bridges) {
  const states = bridges.filter(fresh).map(({ state }) => state);
  const database = { name: "InfluxDB", state: states.length ? "down" : "unknown" };
  if (states.includes("storing")) database.state = "up";
  else if (states.includes("refusing")) database.note = "rejects";
  return { database, history: database.state !== "down" || "note" in database };
}

function collectorProblems(collectors) {
  if (!collectors.length) {
    return [{ title: "No collector reports its state", reason: null, advice: ADVICE.collector }];
  }
  // With one that works, those that went offline may be gone for good.
  const excused = ({ state }) => state === "offline" && collectors.some(fresh);
  return collectors.filter((collector) => !fresh(collector) && !excused(collector))
    .map((collector) => silence("Collector", collector, ADVICE.collector));
}

function collectorNotes(collectors) {
  if (!collectors.some(fresh)) return [];
  return collectors.filter(({ state }) => state === "offline")
    .map((collector) => silence("Collector", collector, ADVICE.gone));
}

function bridgeProblems(bridges) {
  if (!bridges.length) {
    return [{ title: "No bridge reports its state", reason: null, advice: ADVICE.bridge }];
  }
  // With one that stores, the others do not matter.
  if (bridges.some((bridge) => fresh(bridge) && bridge.state === "storing")) return [];
  return bridges.map((bridge) => {
    if (!fresh(bridge)) return silence("Bridge", bridge, ADVICE.bridge);
    if (bridge.state === "refusing") {
      const title = "InfluxDB rejects the readings";
      return { title, reason: bridge.reason, advice: ADVICE.refusing };
    }
    return {
      title: "The bridge waits for InfluxDB",
      reason: bridge.reason,
      advice: databaseAdvice(bridge.reason ?? ""),
    };
  });
}

function silence(name, { instance, state }, advice) {
  const how = state === "offline" ? "is offline" : `has been silent for more than ${SILENT_S} s`;
  return { title: `${name} ${instance} ${how}`, reason: null, advice };
}

function databaseAdvice(reason) {
  if (/unauthorized|authori[sz]ation|authentication|\b40[13]\b/i.test(reason)) {
    return ADVICE.password;
  }
  return /space|WAL entry|read-only/i.test(reason) ? ADVICE.full : ADVICE.influx;
}
