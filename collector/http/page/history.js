// Past readings from /history: one request at a time.

const BATCH = 50;
const PAUSE_MS = 30_000;

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

/** Fill the curves of these rows, each once; pause after a failure. Returns whether any was. */
export async function fillCurves(series, rows) {
  const wanted = rows.filter(({ asked }) => !asked).slice(0, BATCH);
  if (!wanted.length || performance.now() < pausedUntil) return false;
  pausedUntil = Infinity; // until this answer
  for (const row of wanted) row.asked = true;
  try {
    const found = await history(wanted.map(({ key }) => key), "minutes");
    for (const row of wanted) series.fill(row, found.get(row.key) ?? []);
    pausedUntil = 0;
    return true;
  } catch {
    for (const row of wanted) row.asked = false;
    pausedUntil = performance.now() + PAUSE_MS;
    return false;
  }
}
