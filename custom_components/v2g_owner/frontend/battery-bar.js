/** The battery as a bar: now, after the deal, floor and guarantee. */

import { el, say, set } from "./dom.js";
import { isNumber } from "./format.js";

const WIDTH = 100;
const HEIGHT = 14;
const TOP = 4;

/** Builds the bar once; `paint` moves its parts. */
export class BatteryBar {
  constructor() {
    const across = { y: TOP, height: HEIGHT, x: 0 };
    this.kept = el("rect", { ...across, class: "kept" });
    this.sold = el("rect", { ...across, class: "sold" });
    this.floor = el("line", { y1: TOP - 3, y2: TOP + HEIGHT + 3, class: "floor" });
    this.guarantee = el("line", { y1: TOP - 3, y2: TOP + HEIGHT + 3, class: "guarantee" });
    this.svg = el(
      "svg",
      {
        viewBox: `0 0 ${WIDTH} ${HEIGHT + 2 * TOP}`,
        preserveAspectRatio: "none",
        role: "img",
        class: "battery",
      },
      el("rect", { ...across, width: WIDTH, class: "whole" }),
      this.kept,
      this.sold,
      this.floor,
      this.guarantee,
    );
    this.now = el("span");
    this.after = el("strong");
    this.floorText = el("span", { class: "mark floor" });
    this.guaranteeText = el("span", { class: "mark guarantee" });
    // The picture's name says it all once; its legend would say it twice.
    const legend = el(
      "div",
      { class: "legend", "aria-hidden": "true" },
      el("span", {}, this.now, this.after),
      this.floorText,
      this.guaranteeText,
    );
    this.node = el("div", { class: "battery-part" }, this.svg, legend);
  }

  /** Show percentages; `after` is missing while nothing is offered. */
  paint({ now, after, floor, guarantee }, words, formats) {
    set(this.node, { hidden: isNumber(now) ? null : "" });
    if (!isNumber(now)) return;
    const values = Object.fromEntries(
      Object.entries({ now, after, floor, guarantee }).map(([key, value]) => [
        key,
        formats.percent(value),
      ]),
    );
    const left = isNumber(after) ? Math.min(after, now) : now;
    set(this.kept, { width: left });
    set(this.sold, { x: left, width: Math.max(0, now - left) });
    place(this.floor, floor);
    place(this.guarantee, guarantee);
    set(this.svg, {
      "aria-label": words(isNumber(after) ? "battery_offer" : "battery_live", values),
    });
    say(this.now, words("battery_now", values));
    say(this.after, isNumber(after) ? ` → ${words("battery_after", values)}` : "");
    say(this.floorText, isNumber(floor) ? words("floor", values) : "");
    say(this.guaranteeText, isNumber(guarantee) ? words("guarantee", values) : "");
  }
}

function place(line, percent) {
  const x = isNumber(percent) ? percent : 0;
  set(line, { x1: x, x2: x, visibility: isNumber(percent) ? null : "hidden" });
}
