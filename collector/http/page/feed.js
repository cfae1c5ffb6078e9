// The stream of events from the collector; it reconnects for as long as it takes.
// A hidden page has none: a browser has six connections for all pages of one host.

const STALLED_MS = 5_000;
const REOPEN_MS = 15_000;

/**
 * Call `readings` and `pipeline` with each event, and `link` with "open", "lost" or "stalled"
 * whenever that changes.
 */
export function listen({ readings, pipeline, link }) {
  let source = null;
  let state = "";
  let heard = 0; // when the last event came
  let opened = 0;

  const become = (next) => {
    if (next === state) return;
    state = next;
    link(state);
  };
  const close = () => {
    source?.close();
    source = null;
  };
  const open = () => {
    close();
    opened = heard = performance.now();
    source = new EventSource("live");
    source.addEventListener("readings", ({ data }) => readings(JSON.parse(data)));
    source.addEventListener("pipeline", ({ data }) => {
      heard = performance.now();
      pipeline(JSON.parse(data));
      become("open");
    });
    source.addEventListener("error", () => become("lost"));
  };
  const check = () => {
    if (!source) return;
    const now = performance.now();
    const closed = source.readyState === EventSource.CLOSED; // after an HTTP error it stays so
    if (state === "open" && now - heard > STALLED_MS) become("stalled");
    if (closed ? now - opened > STALLED_MS : now - heard > REOPEN_MS) open();
  };
  const follow = () => (document.visibilityState === "hidden" ? close() : open());
  follow();
  document.addEventListener("visibilitychange", follow);
  setInterval(check, 1_000);
}
