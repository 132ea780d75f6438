// Small helpers for the document. Text from outside goes in as text, never as markup.
// @ts-check

const SVG = 'http://www.w3.org/2000/svg';

/**
 * The element of that type which the page must have.
 * @template {Element} Found
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => Found} type
 * @returns {Found}
 */
export function find(root, selector, type) {
  const found = root.querySelector(selector);
  if (found instanceof type) return found;
  throw new Error(`the page has no ${selector}`);
}

/**
 * Sets the text if it differs: what does not change is not painted again.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * @param {Element} element
 * @param {Readonly<Record<string, string | number>>} attributes
 */
export function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
  }
}

/**
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Readonly<Record<string, string | number>>} [attributes]
 * @param {Node[]} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  setAttributes(element, attributes);
  element.append(...children);
  return element;
}

/**
 * Says how something stands: the words, and a colour beside them.
 * @param {HTMLElement} line the element with the class `state`
 * @param {HTMLElement} words the element that takes the words
 * @param {'idle' | 'good' | 'wait' | 'bad'} mood
 * @param {string} text
 */
export function say(line, words, mood, text) {
  for (const name of ['good', 'wait', 'bad']) line.classList.toggle(name, name === mood);
  setText(words, text);
}

/**
 * @param {number} bitsPerSecond
 */
export function bitrateText(bitsPerSecond) {
  if (bitsPerSecond >= 999_500) return `${(bitsPerSecond / 1e6).toFixed(1)} Mb/s`;
  return `${Math.round(bitsPerSecond / 1e3)} kb/s`;
}

/**
 * @param {number} count
 * @param {string} noun
 */
export const counted = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`;

/**
 * One sentence for a person, whatever was thrown.
 * @param {unknown} error
 */
export const sentence = (error) => (error instanceof Error ? error.message : String(error));
