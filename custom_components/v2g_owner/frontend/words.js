/** The card's words in the owner's language. */

import en from "./words/en.js";
import zhHans from "./words/zh-Hans.js";
import zhHant from "./words/zh-Hant.js";

const LANGUAGES = { en, "zh-Hans": zhHans, "zh-Hant": zhHant };
const TRADITIONAL = /^zh-(hant|tw|hk|mo)/i;

/** Return a function from a key, and values for its placeholders, to a sentence. */
export function wordsFor(language) {
  const words = LANGUAGES[languageOf(language)];
  return (key, values = {}) =>
    words[key].replace(/\{(\w+)\}/g, (_whole, name) => values[name] ?? "");
}

/** Return which of our languages somebody reads. */
export function languageOf(language = "") {
  if (TRADITIONAL.test(language)) return "zh-Hant";
  return /^zh/i.test(language) ? "zh-Hans" : "en";
}
