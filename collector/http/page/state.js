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
    "its status: see docs/operations.md, “A second collector, a second bridge”",
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
  const collectors = services.filter(({ service }) => service === "collector");
  const bridges = services.filter(({ service }) => service === "bridge");
  const problems = [
    ...brokerProblems(broker),
    ...(broker.up ? [...collectorProblems(collectors), ...bridgeProblems(bridges)] : []),
  ];
  const database = databasePart(bridges, broker.up);
  const counted = figures(broker.up ? collectors : [], broker.up ? rate : null);
  if (!problems.length && counted.lag >= LATE_S) {
    problems.push({ title: "Readings reach InfluxDB late", reason: null, advice: ADVICE.late });
  }
  return {
    figures: counted,
    parts: [
      collectorPart(collectors, broker.up),
      { name: "Broker", state: broker.up ? "up" : "down" },
      bridgePart(bridges, broker.up),
      database,
    ],
    history: database.state !== "down" || Boolean(database.note),
    problems,
    notes: broker.up ? collectorNotes(collectors) : [],
  };
}

/** Anybody may have sent it: a figure is a count, and one that JavaScript does not round. */
const plausible = (value) => Number.isSafeInteger(value) && value >= 0;

function figures(collectors, rate) {
  const known = collectors.some(fresh);
  const sum = (name) => {
    const values = collectors.map(({ counters }) => counters[name]).filter(plausible);
    const total = values.reduce((a, b) => a + b, 0);
    return known && values.length && plausible(total) ? total : null;
  };
  const lags = collectors.filter(fresh).map(({ counters }) => counters.oldest_pending_s);
  const lag = lags.filter(plausible);
  return {
    accepted: sum("accepted"),
    stored: sum("stored"),
    pending: sum("pending"),
    refused: sum("rejected"),
    healed: sum("healed"),
    lag: lag.length ? Math.max(...lag) : null,
    rate,
  };
}

function part(name, services, known) {
  const up = services.filter(fresh).length;
  if (!known) return { name, state: "unknown" };
  if (!up) return { name, state: services.length ? "down" : "unknown" };
  return { name, state: "up", note: services.length > 1 ? `${up} of ${services.length}` : "" };
}

// The collector that serves this page is up, whatever the broker says of it.
const collectorPart = (collectors, brokerUp) => ({
  ...part("Collector", collectors, brokerUp), state: "up",
});

const bridgePart = (bridges, brokerUp) => part("Bridge", bridges, brokerUp);

function databasePart(bridges, brokerUp) {
  const states = brokerUp ? bridges.filter(fresh).map(({ state }) => state) : [];
  const name = "InfluxDB";
  if (states.includes("storing")) return { name, state: "up" };
  if (states.includes("refusing")) return { name, state: "down", note: "rejects" };
  return { name, state: states.length ? "down" : "unknown" };
}

function brokerProblems({ up, reason }) {
  return up ? [] : [{ title: "The broker does not answer", reason, advice: ADVICE.broker }];
}

function collectorProblems(collectors) {
  if (!collectors.length) {
    return [{ title: "No collector reports its state", reason: null, advice: ADVICE.collector }];
  }
  // With one that works, those that took their leave may be gone for good.
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
  // With one that stores, the others are of no account.
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
