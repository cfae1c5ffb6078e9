// The stream of events from the collector; it reconnects for as long as it takes.

const STALLED_MS = 5_000;
const REOPEN_MS = 15_000;

/**
 * Call `readings` and `pipeline` with each event, and `link` with "open", "lost" or "stalled"
 * whenever that changes.
 */
export function listen({ readings, pipeline, link }) {
  let source;
  let state = "";
  let heard = 0; // when the last event came
  let opened = 0;

  const become = (next) => {
    if (next === state) return;
    state = next;
    link(state);
  };
  const open = () => {
    source?.close();
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
    const now = performance.now();
    const closed = source.readyState === EventSource.CLOSED; // after an HTTP error it stays so
    if (state === "open" && now - heard > STALLED_MS) become("stalled");
    if (closed ? now - opened > STALLED_MS : now - heard > REOPEN_MS) open();
  };
  open();
  setInterval(check, 1_000);
}
