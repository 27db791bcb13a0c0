/** Says aloud, politely and once, what changed: for those who cannot see the card. */

import { el } from "./dom.js";
import { countdown } from "./format.js";

// Every second would drown out everything else.
const WARN_AT_MS = [300_000, 60_000, 30_000, 10_000];

export class Announcer {
  constructor() {
    this.node = el("div", { class: "aside", role: "status", "aria-live": "polite" });
  }

  /** Compare with what was shown last, and say the difference. */
  announce(view, words, formats, hass) {
    const said = [
      ...this.#ofOffer(view.offer, words, formats),
      ...this.#ofDeal(view.live, words, hass),
    ];
    this.last = view;
    if (said.length) this.node.textContent = said.join(" ");
  }

  #ofOffer(offer, words, formats) {
    const before = this.last?.offer;
    if (!offer) return before ? [words("offer_gone")] : [];
    if (offer.id !== before?.id || offer.revision !== before?.revision) {
      const net = formats.money(offer.netMinor, offer.currency);
      const energy = formats.kwh(offer.offeredWh);
      const news = words("offer_new", { park: offer.park, energy, net });
      return [news, words("time_left", { time: countdown(offer.left) })];
    }
    const passed = WARN_AT_MS.some((mark) => before.left > mark && offer.left <= mark);
    return passed ? [words("time_left", { time: countdown(offer.left) })] : [];
  }

  #ofDeal(live, words, hass) {
    const before = this.last?.live;
    const steps = ["asked", "confirmed", "stopped"].filter(
      (step) => live?.stop[step] && !before?.stop[step],
    );
    const state = live && live.state !== before?.state ? [hass.formatEntityState(live.entity)] : [];
    return [...state, ...steps.map((step) => words(step))];
  }
}
