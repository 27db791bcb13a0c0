/** The open offer: what it asks, what it leaves, three equal answers, and the time left. */

import { BatteryBar } from "./battery-bar.js";
import { CounterForm } from "./counter-form.js";
import { el, say, set } from "./dom.js";
import { countdown } from "./format.js";
import { span } from "./moments.js";

const ANSWERS = [
  ["accept", "mdi:check-bold"],
  ["decline", "mdi:close-thick"],
  ["counter", "mdi:swap-horizontal"],
];

// Promise 1: a tap that was meant for other terms, which stood here until just now, accepts nothing.
const UNSEEN_MS = 1500;

/** Return the energy that a yes covers at most: what the car could give by now may be more. */
function shown(offer) {
  return offer.quotedWh === null ? {} : { quoted_energy_wh: offer.quotedWh };
}

/** Builds the part once; `answer(decision, offer, terms)` is called for an answer. */
export class OfferPart {
  constructor(answer) {
    this.kind = el("div", { class: "kind" });
    this.title = el("h2", { id: "offer-title" });
    this.terms = el("p");
    this.netLabel = el("span", { class: "label" });
    this.net = el("strong", { class: "value" });
    this.leftLabel = el("span", { class: "label", id: "left-label" });
    this.left = el("span", { class: "value", role: "timer", "aria-labelledby": "left-label" });
    this.costs = el("p", { class: "quiet" });
    this.lease = el("p");
    this.battery = new BatteryBar();
    this.note = el("p", { class: "quiet" });
    this.buttons = ANSWERS.map(([decision, icon]) => {
      const label = el("span");
      const press = () => {
        if (button.getAttribute("aria-disabled") === "true") return;
        if (decision === "counter") this.#toggleForm();
        else answer(decision, this.offer, decision === "accept" ? shown(this.offer) : {});
      };
      const button = el(
        "button",
        { type: "button", click: press, "data-answer": decision },
        el("ha-icon", { icon, "aria-hidden": "true" }),
        label,
      );
      return { decision, button, label };
    });
    this.form = new CounterForm((terms) => answer("counter", this.offer, terms));
    set(this.buttons[2].button, { "aria-controls": "counter-form", "aria-expanded": "false" });
    this.node = el(
      "section",
      { "aria-labelledby": "offer-title", tabindex: "-1", "data-part": "offer" },
      el("div", {}, this.kind, this.title),
      this.terms,
      el(
        "div",
        { class: "figures" },
        el("div", {}, this.netLabel, this.net),
        el("div", {}, this.leftLabel, this.left),
      ),
      this.costs,
      this.lease,
      this.battery.node,
      el("div", { class: "buttons" }, ...this.buttons.map(({ button }) => button)),
      this.form.node,
      this.note,
    );
  }

  /** Show an offer, or nothing. */
  paint(offer, words, formats) {
    this.offer = offer;
    this.words = words;
    set(this.node, { hidden: offer ? null : "" });
    if (!offer) return;
    // What is left is the owner's money, also where the park pays in points.
    const money = (minor) => formats.money(minor, offer.netCurrency);
    say(this.kind, [words("offer"), offer.car].filter(Boolean).join(" · "));
    say(this.title, offerTitle(offer, words, formats));
    say(
      this.terms,
      [
        words("price", { price: formats.price(offer.price), currency: offer.currency }),
        words("window", span(offer, words, formats)),
      ].join(" · "),
    );
    say(this.netLabel, words("you_keep"));
    say(this.net, money(offer.netMinor));
    say(this.leftLabel, words("answer_within"));
    say(this.left, offer.open ? countdown(offer.left) : words("over"));
    const { costs } = offer;
    say(
      this.costs,
      costs
        ? words("after_costs", {
            gross: money(costs.gross_minor),
            refill: money(costs.refill_minor),
            losses: money(costs.losses_minor),
            wear: money(costs.wear_minor),
          })
        : "",
    );
    say(this.lease, longLease(offer, words));
    this.battery.paint(offer.battery, words, formats);
    this.#paintButtons(offer, words);
    say(this.note, note(offer, words));
  }

  #paintButtons(offer, words) {
    const shown = `${offer.id} ${offer.revision}`;
    if (this.shown && this.shown !== shown) this.replacedAt = Date.now();
    this.shown = shown;
    const seen = Date.now() - (this.replacedAt ?? 0) >= UNSEEN_MS;
    const can = {
      accept: offer.open && !offer.countered && seen,
      decline: offer.open,
      counter: offer.open && !offer.countered,
    };
    for (const { decision, button, label } of this.buttons) {
      say(label, words(offer.sending === decision ? "sending" : decision));
      set(button, { "aria-disabled": !can[decision] || offer.sending ? "true" : null });
    }
    this.form.paint(offer, can.counter && !offer.sending);
    set(this.buttons[2].button, { "aria-expanded": String(this.form.open) });
  }

  #toggleForm() {
    this.form.toggle(this.offer, this.words);
    set(this.buttons[2].button, { "aria-expanded": String(this.form.open) });
  }
}

/** Return what a longer lease means for Stop; nothing where it is no longer than usual. */
export function longLease(offer, words) {
  return offer.stopMinutes ? words("long_lease", { minutes: offer.stopMinutes }) : "";
}

function offerTitle(offer, words, formats) {
  const values = {
    park: offer.park,
    energy: formats.kwh(offer.askedWh),
    offered: formats.kwh(offer.offeredWh),
  };
  return words(offer.offeredWh < offer.askedWh ? "asks_part" : "asks", values);
}

function note(offer, words) {
  const more = offer.more ? words("more_offers", { count: offer.more }) : "";
  const why = offer.leftToYou && !offer.countered ? words(offer.leftToYou) : "";
  const said = [why, words(offer.countered ? "countered" : "silence"), more];
  return said.filter(Boolean).join(" ");
}
