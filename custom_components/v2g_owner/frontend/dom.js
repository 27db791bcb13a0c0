/** Make elements; text only ever goes in as text. */

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "g", "rect", "line", "path", "defs", "pattern"]);

/** Return a new element with attributes (functions are listeners) and children. */
export function el(tag, attributes = {}, ...children) {
  const node = SVG_TAGS.has(tag)
    ? document.createElementNS(SVG, tag)
    : document.createElement(tag);
  set(node, attributes);
  node.append(...children);
  return node;
}

/** Set attributes; null and false remove one, functions listen. */
export function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === null || value === undefined || value === false) node.removeAttribute(name);
    else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
  }
}

/** Write text only where it changes, so that nothing is read aloud twice. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
