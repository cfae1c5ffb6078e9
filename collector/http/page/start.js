// How to post and watch, ready to copy.

import { make } from "./element.js";

/** The commands for a collector at `location`. */
export function commands({ origin, hostname }) {
  return [
    ["Post a reading", `curl ${origin}/data -H 'Content-Type: application/json' \\\n` +
      `     -d '{"type":"temp","value":21.5,"sensor_id":7}'`],
    ["Watch readings on the broker",
      `mosquitto_sub -h ${hostname.replace(/[[\]]/g, "")} -t 'readings/#' -v`],
    ["Watch them in a table, where the pipeline runs", "./pipeline watch"],
  ];
}

export function showCommands(list) {
  list.append(...commands(window.location).map(([title, text]) => {
    const button = make("button.copy", { type: "button", ariaLabel: `Copy: ${title}` }, "Copy");
    button.onclick = async () => {
      button.textContent = (await copy(text)) ? "Copied" : "Select it, and press Ctrl-C";
      setTimeout(() => { button.textContent = "Copy"; }, 2_000);
    };
    const code = make("pre", { tabIndex: 0, ariaLabel: title, role: "region" });
    code.append(make("code", {}, text));
    return make("li", {}, make("span", {}, title), make("div.command", {}, code, button));
  }));
}

/** Without HTTPS only localhost has a clipboard; elsewhere a selection is copied. */
async function copy(text) {
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(text).then(() => true, () => false);
  }
  const area = make("textarea.unseen", { value: text });
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  return copied;
}
