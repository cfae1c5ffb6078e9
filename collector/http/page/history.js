// Past readings from /history: one request at a time.

const BATCH = 50;
const SMALLER = 8;

/** How long to wait after a failure, in ms: random, so that pages do not come back together. */
export const pause = () => 5_000 + 10_000 * Math.random();

let last = Promise.resolve();
let pausedUntil = 0;

/** The address of a route with its series and range. */
export function address(route, keys, range) {
  const query = new URLSearchParams(keys.map((key) => ["series", key]));
  query.set("range", range);
  return `${route}?${query}`;
}

/** Map "sensor/type" to [[ts in ms, mean, min, max], …]; rejects with what the collector says. */
export function history(keys, range) {
  const request = last.then(async () => {
    const response = await fetch(address("history", keys, range));
    const body = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(body.detail ?? body.title ?? `HTTP ${response.status}`);
    return new Map(Object.entries(body));
  });
  last = request.catch(() => {});
  return request;
}

/**
 * Fill the curves of these rows, each once; pause after a failure. Returns whether any was.
 * Rows that failed together come last, and in smaller parts: one may be the fault of it.
 */
export async function fillCurves(series, rows) {
  if (performance.now() < pausedUntil) return false;
  const open = rows.filter(({ asked }) => !asked);
  const failures = Math.min(...open.map((row) => row.failures));
  const wanted = open.filter((row) => row.failures === failures)
    .slice(0, Math.ceil(BATCH / SMALLER ** failures));
  if (!wanted.length) return false;
  pausedUntil = Infinity; // until this answer
  for (const row of wanted) row.asked = true;
  try {
    const found = await history(wanted.map(({ key }) => key), "minutes");
    for (const row of wanted) series.fill(row, found.get(row.key) ?? []);
    pausedUntil = 0;
    return true;
  } catch {
    for (const row of wanted) {
      row.asked = false;
      row.failures += 1;
    }
    pausedUntil = performance.now() + pause();
    return false;
  }
}
