/** Says aloud, politely and once, what changed: for those who cannot see the card. */

import { el } from "./dom.js";
import { countdown } from "./format.js";
import { span } from "./moments.js";
import { longLease } from "./offer-part.js";

// Every second would drown out everything else.
const WARN_AT_MS = [300_000, 60_000, 30_000, 10_000];

export class Announcer {
  constructor() {
    this.node = el("div", { class: "aside", role: "status", "aria-live": "polite" });
  }

  /** Compare with what was shown last, and say the difference; `result` is its sentence, if any. */
  announce(view, result, words, formats, hass) {
    const said = [
      ...this.#ofOffer(view, words, formats),
      ...this.#ofDeal(view, words, hass),
      ...this.#ofResult(view, result),
    ];
    // What was said last may be no longer so, and a screen reader finds it here.
    const lost = this.last?.reachable && !view.reachable;
    this.last = view;
    if (said.length || lost) this.node.textContent = said.join(" ");
  }

  #ofOffer({ offer, reachable }, words, formats) {
    const before = this.last?.offer;
    // Out of sight it may still be open.
    if (!offer) return before && reachable ? [words("offer_gone")] : [];
    if (offer.id !== before?.id || offer.revision !== before?.revision) {
      const { car, park } = offer;
      const net = formats.money(offer.netMinor, offer.netCurrency);
      const energy = formats.kwh(offer.offeredWh);
      const when = words("window", span(offer, words, formats));
      const news = { car, park, energy, net, window: when };
      const left = words("time_left", { time: countdown(offer.left) });
      const lease = longLease(offer, words);
      return [words(car ? "offer_new_for" : "offer_new", news), ...(lease ? [lease] : []), left];
    }
    const passed = WARN_AT_MS.some((mark) => before.left > mark && offer.left <= mark);
    return passed ? [words("time_left", { time: countdown(offer.left) })] : [];
  }

  #ofDeal(view, words, hass) {
    const { live } = view;
    const before = this.last?.live;
    const same = before?.id === live?.id;
    const ended = before && !same && view.reachable && !before.stop.stopped;
    const byOwner = before?.stop.asked || (view.result?.id === before?.id && view.result?.stopped);
    const end = ended && byOwner ? [words("stopped")] : [];
    const known = same ? before : null;
    const steps = ["asked", "confirmed", "stopped"].filter(
      (step) => live?.stop[step] && !known?.stop[step],
    );
    const state =
      live && live.state !== known?.state ? [hass.formatEntityState(live.entity, live.state)] : [];
    return [...end, ...state, ...steps.map((step) => words(step))];
  }

  /** A result is news once: not when the page opens, nor when a lost connection is back. */
  #ofResult({ result }, sentence) {
    if (!result) return [];
    const news = `${result.id} ${sentence}`;
    const first = this.heard === undefined && !this.last?.reachable;
    const said = first || news === this.heard ? [] : [sentence];
    this.heard = news;
    return said;
  }
}
