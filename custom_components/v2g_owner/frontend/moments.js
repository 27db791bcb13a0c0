/**
 * When an offer or a deal is, as a person says it: with its day, unless that is today.
 *
 * What is said on the phone and aloud comes from `moments.py`, which says the same.
 */

// From a week on, two days have the same name.
const NAMED_DAYS = 7;

/** Return a start and an end in words; the end has a day where it is another than the start's. */
export function span({ startAt, endAt }, words, formats) {
  const start = new Date(startAt);
  return {
    start: moment(start, words, formats),
    end: moment(endAt, words, formats, formats.dayOf(start)),
  };
}

/** Return a time of day, with its day unless that is `beside`, by default today. */
export function moment(at, words, formats, beside = formats.today) {
  const instant = new Date(at);
  const clock = formats.clock(instant);
  const day = formats.dayOf(instant);
  if (day === beside) return clock;
  const ahead = day - formats.today;
  const values = { ...formats.dayNames(instant), clock };
  return words(ahead < 0 || ahead >= NAMED_DAYS ? "when_date" : "when_weekday", values);
}
