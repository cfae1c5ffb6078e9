// Elements whose text is only ever text: sensor ids and reasons come from outside.

/** `make("a.csv", {href}, "text", child)`: an element with classes, properties and children. */
export function make(name, properties = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  element.classList.add(...classes);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** Set the text where it differs, so that nothing is laid out or read out again in vain. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
