// What the page remembers in this browser; without storage it works and forgets.

/** The list of strings that was remembered; null if there is none. */
export function recall(name) {
  try {
    const found = JSON.parse(localStorage.getItem(name));
    const valid = Array.isArray(found) && found.every((item) => typeof item === "string");
    return valid ? found : null;
  } catch {
    return null;
  }
}

export function remember(name, strings) {
  try {
    localStorage.setItem(name, JSON.stringify(strings));
  } catch {
    // The browser keeps nothing for this page.
  }
}
