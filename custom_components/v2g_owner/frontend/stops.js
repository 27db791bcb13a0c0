/** For which deals the owner pressed Stop here, and when: the next deal is not being stopped. */

// A press while nobody can see what runs is for whatever turns out to run.
const UNSEEN = "";
// Promise 4: no confirmation in this time, and the owner is told to unplug.
const CONFIRMATION_MS = 5000;

/** Return a press of Stop for the deals that were seen to run. */
export function pressFor(running, at) {
  return Object.fromEntries((running.length ? running : [UNSEEN]).map((id) => [id, { at }]));
}

/** Return the same presses, known not to have arrived. */
export function failedPresses(stops) {
  const failed = Object.entries(stops).map(([id, press]) => [id, { ...press, failed: true }]);
  return Object.fromEntries(failed);
}

/** Return the presses that still matter; out of sight nothing is known to have ended. */
export function pressesLeft(stops, { running, reachable }) {
  if (!reachable) return stops;
  const left = running.map((id) => [id, pressOn(stops, id)]).filter(([, press]) => press);
  return Object.fromEntries(left);
}

/** Return the press that was for a deal; without a deal to see, the last of all. */
export function pressOn(stops, id) {
  return id === undefined ? Object.values(stops).at(-1) : (stops[id] ?? stops[UNSEEN]);
}

/**
 * Return why a press failed while that still says something, else null.
 *
 * A no to one offer is no word on the next one, and a stop that reached nobody has no more to stop
 * once nothing runs that can be seen.
 */
export function errorLeft(error, view) {
  if (!error) return null;
  const over = error.stop
    ? view.reachable && !view.live
    : shownIds(view).some((id) => !error.seen.includes(id));
  return over ? null : error;
}

/** Return the ids of what the owner can press a button for. */
export function shownIds({ offer, running }) {
  return [...(offer ? [offer.id] : []), ...running];
}

/** Tell whether a press has gone unanswered for too long. */
export function unanswered(press, now) {
  return Boolean(press && (press.failed || now - press.at >= CONFIRMATION_MS));
}
