/** Numbers, money and times as the owner's profile writes them. */

import { languageOf } from "./words.js";

const DAY_MS = 86_400_000;
// ISO 4217's exceptions to two digits, as the API counts them.
const MINOR_DIGITS = [
  [0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF XXX"],
  [3, "BHD IQD JOD KWD LYD OMR TND"],
  [4, "CLF UYW"],
];
const ISO_LETTERS = 3;
// What Home Assistant offers as number formats, by a language that writes numbers so.
const NUMBER_LANGUAGES = {
  comma_decimal: "en-US",
  decimal_comma: "de",
  space_comma: "fr",
  quote_decimal: "de-CH",
};

/** Return formatters for one user, as things stand now. */
export function formatsFor(hass, now) {
  const { locale = {} } = hass;
  // A day is Home Assistant's, and so is a time: the car is there, and phones and voices say it so.
  const timeZone = hass.config?.time_zone;
  const language = locale.language ?? hass.language ?? "en";
  const numbers = NUMBER_LANGUAGES[locale.number_format] ?? language;
  const useGrouping = locale.number_format !== "none";

  const number = (value, digits, style = {}) =>
    new Intl.NumberFormat(numbers, {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
      useGrouping,
      ...style,
    }).format(value);

  return {
    percent: (value) => (isNumber(value) ? `${number(Number(value), 0)} %` : "–"),
    kwh: (wh) =>
      isNumber(wh) ? `${number(wh / 1000, 1, { maximumFractionDigits: 2 })} kWh` : "–",
    // Power is signed, + into the car: what flows in is not told as what flows out.
    kwOut: (watts) => (isNumber(watts) ? `${number(Math.max(0, -watts) / 1000, 1)} kW` : "–"),
    // As many digits as a price may have.
    price: (text) => number(text, 0, { maximumFractionDigits: 6 }),
    money: (minor, currency) => {
      if (!isNumber(minor)) return "–";
      const digits = digitsOf(currency);
      return `${number(minor / 10 ** digits, digits)} ${currency}`;
    },
    clock: (instant) =>
      new Intl.DateTimeFormat(language, { ...clockStyle(locale), timeZone }).format(instant),
    today: dayOf(now, timeZone),
    dayOf: (instant) => dayOf(instant, timeZone),
    dayNames: (instant) => dayNames(instant, languageOf(hass.language), timeZone),
  };
}

/** Return a remaining time as minutes and seconds, never below zero. */
export function countdown(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60];
  const hours = Math.floor(seconds / 3600);
  const text = parts.map((part) => String(part).padStart(2, "0")).join(":");
  return hours ? `${hours}:${text}` : text;
}

/** Tell whether a value is a number or the text of one. */
export function isNumber(value) {
  return value !== null && value !== undefined && value !== "" && Number.isFinite(Number(value));
}

function digitsOf(currency) {
  // The API's own units (points, hours) are longer than a currency's code and counted whole.
  if (currency.length > ISO_LETTERS && currency.startsWith("X")) return 0;
  return MINOR_DIGITS.find(([, codes]) => codes.split(" ").includes(currency))?.[0] ?? 2;
}

function clockStyle(locale) {
  const style = { hour: "2-digit", minute: "2-digit" };
  if (locale.time_format === "12") style.hour12 = true;
  if (locale.time_format === "24") style.hour12 = false;
  return style;
}

/** Return a day as a number, so that days can be counted whatever the clocks do between them. */
function dayOf(instant, timeZone) {
  const { year, month, day } = parts(instant, "en", timeZone, "numeric");
  return Date.UTC(year, month - 1, day) / DAY_MS;
}

/** Return what a day is called in the words' language, which the profile's may not be. */
function dayNames(instant, language, timeZone) {
  const { weekday, month, day } = parts(instant, language, timeZone, "long");
  return { weekday, month, day };
}

function parts(instant, language, timeZone, month) {
  const style = { year: "numeric", month, day: "numeric", weekday: "long", timeZone };
  const told = new Intl.DateTimeFormat(language, style).formatToParts(instant);
  return Object.fromEntries(told.map(({ type, value }) => [type, value]));
}
