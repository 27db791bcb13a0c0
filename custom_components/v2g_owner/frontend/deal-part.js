/** The live deal with its stop, and how far the stop has come. */

import { BatteryBar } from "./battery-bar.js";
import { el, say, set } from "./dom.js";
import { moment, span } from "./moments.js";
import { StopSteps } from "./stop-steps.js";

/** Builds the part once; `stop()` is called for a press. */
export class DealPart {
  constructor(stop) {
    this.kind = el("div", { class: "kind" });
    this.title = el("h2", { id: "deal-title" });
    this.state = el("p");
    this.figures = ["delivered", "power", "earned"].map((key) => {
      const label = el("span", { class: "label" });
      const value = el("span", { class: "value", "data-figure": key });
      return { key, label, value, node: el("div", {}, label, value) };
    });
    this.battery = new BatteryBar();
    this.stopLabel = el("span");
    this.stopButton = el(
      "button",
      { type: "button", class: "stop", click: stop },
      el("ha-icon", { icon: "mdi:stop-circle", "aria-hidden": "true" }),
      this.stopLabel,
    );
    this.more = el("p", { class: "quiet" });
    this.unplug = el("p", { class: "alarm", role: "alert" });
    this.steps = new StopSteps();
    this.node = el(
      "section",
      { "aria-labelledby": "deal-title", tabindex: "-1", "data-part": "deal" },
      el("div", {}, this.kind, this.title),
      this.state,
      el("div", { class: "figures" }, ...this.figures.map(({ node }) => node)),
      this.battery.node,
      this.stopButton,
      this.more,
      this.unplug,
      this.steps.node,
    );
  }

  /** Show the deal; without one only Stop remains, and only while something may still run. */
  paint({ live, stoppable, stop }, words, formats, hass) {
    set(this.node, { hidden: stoppable ? null : "" });
    say(this.kind, [words("deal"), live?.car].filter(Boolean).join(" · "));
    say(this.stopLabel, words("stop_label"));
    say(this.title, live ? sentence(live, words, formats) : words("stop_label"));
    say(this.state, live ? hass.formatEntityState(live.entity, live.state) : "");
    this.#paintFigures(live, words, formats);
    this.battery.paint(live?.battery ?? {}, words, formats);
    set(this.more, { hidden: live?.more ? null : "" });
    say(this.more, live?.more ? words("more_deals", { count: live.more }) : "");
    this.steps.paint(stop, words);
    set(this.unplug, { hidden: stop.unplug ? null : "" });
    say(this.unplug, stop.unplug ? words("unplug") : "");
  }

  #paintFigures(live, words, formats) {
    const runs = live && live.state !== "pending_award" && live.state !== "scheduled";
    const shown = {
      delivered: runs && formats.kwh(live.deliveredWh),
      power: runs && formats.kwOut(live.powerW),
      earned: runs && formats.money(live.earnedMinor, live.currency),
    };
    for (const { key, label, value, node } of this.figures) {
      set(node, { hidden: runs ? null : "" });
      say(label, words(key));
      say(value, shown[key] || "–");
    }
  }
}

function sentence(live, words, formats) {
  const values = {
    park: live.park,
    energy: formats.kwh(live.committedWh),
    ...span(live, words, formats),
  };
  if (live.state === "pending_award") return words("waits_award", values);
  if (live.state === "scheduled") return words("starts", values);
  return words("runs", { ...values, end: moment(live.endAt, words, formats) });
}
