/** The last deal and its reward, and what there is to say when nothing is going on. */

import { el, say, set } from "./dom.js";
import { isNumber } from "./format.js";
import { StopSteps } from "./stop-steps.js";

// States of a vehicle that leave the question why it cannot sell.
const UNABLE = new Set(["blocked", "unknown"]);

/** Shows how the last deal ended and what it earned. */
export class ResultPart {
  constructor() {
    this.kind = el("div", { class: "kind" });
    this.title = el("h2", { id: "result-title" });
    this.amount = el("strong", { class: "value" });
    this.status = el("span", { class: "label" });
    this.more = el("p", { class: "quiet" });
    this.steps = new StopSteps();
    this.node = el(
      "section",
      { "aria-labelledby": "result-title", tabindex: "-1", "data-part": "result" },
      el("div", {}, this.kind, this.title),
      el("div", { class: "figures" }, el("div", {}, this.status, this.amount)),
      this.more,
      this.steps.node,
    );
  }

  /** Show a result, or nothing; returns it as one sentence for those who listen. */
  paint(result, words, formats, texts) {
    set(this.node, { hidden: result ? null : "" });
    if (!result) return "";
    const values = { park: result.park, energy: formats.kwh(result.deliveredWh) };
    say(this.kind, [words("result"), result.car].filter(Boolean).join(" · "));
    say(this.title, words("delivered_paid", values));
    const paid = result.amountMinor !== null;
    const nothing = !paid && !result.deliveredWh;
    say(this.status, nothing ? texts.ended : texts.reward || words("not_settled"));
    say(
      this.amount,
      paid
        ? formats.money(result.amountMinor, result.currency)
        : nothing
          ? words("nothing_paid")
          : "…",
    );
    const ending = nothing ? [] : [words("ended", { how: texts.ended })];
    if (result.early) ending.push(words("stop_paid"));
    if (isNumber(result.netMinor)) {
      const net = formats.money(result.netMinor, result.netCurrency);
      ending.push(words("result_net", { net }));
    }
    say(this.more, ending.filter(Boolean).join(" "));
    const { stopped } = result;
    this.steps.paint({ asked: stopped, confirmed: stopped, stopped }, words);
    const money = paid || nothing ? [this.amount.textContent] : [];
    const title = [result.car, this.title.textContent].filter(Boolean).join(": ");
    return `${title}. ${[this.status.textContent, ...money].join(": ")}`;
  }
}

/** Says honestly that nothing is on offer, and why each car could or could not sell. */
export class IdlePart {
  constructor() {
    this.title = el("h2", { id: "idle-title" });
    this.promise = el("p", { class: "quiet" });
    this.cars = el("div");
    this.node = el(
      "section",
      { "aria-labelledby": "idle-title", tabindex: "-1", "data-part": "idle" },
      this.title,
      this.cars,
      this.promise,
    );
  }

  /** Show the vehicles while nothing else is shown. */
  paint(vehicles, words, hass) {
    set(this.node, { hidden: vehicles ? null : "" });
    if (!vehicles) return;
    say(this.title, words("idle"));
    say(this.promise, words("idle_promise"));
    const lines = vehicles.map((vehicle) => carLine(vehicle, words, hass));
    while (this.cars.children.length > lines.length) this.cars.lastChild.remove();
    lines.forEach((line, at) => {
      if (!this.cars.children[at]) this.cars.append(el("p"));
      say(this.cars.children[at], line);
    });
  }
}

function carLine(vehicle, words, hass) {
  const shown = (purpose) => {
    const state = hass.states[vehicle.entities[purpose]];
    return state && state.state !== "unavailable" && state.state !== "unknown"
      ? hass.formatEntityState(state)
      : null;
  };
  const status = hass.states[vehicle.entities["sensor.status"]];
  const why = UNABLE.has(status?.state) && shown("sensor.status_reason");
  const energy = status?.state === "idle" && shown("sensor.available_energy");
  return words(energy ? "idle_offer" : "idle_car", {
    car: vehicle.name,
    status: [shown("sensor.status"), why].filter(Boolean).join(": ") || "–",
    energy,
  });
}
