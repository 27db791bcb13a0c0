/** How far a stop has come: asked, confirmed, stopped. */

import { el, say, set } from "./dom.js";

const STEPS = ["asked", "confirmed", "stopped"];

/** Builds the list once; `paint` ticks what is done. */
export class StopSteps {
  constructor() {
    this.node = el("ol", { class: "steps", hidden: "" });
    this.steps = STEPS.map((step) => {
      const icon = el("ha-icon", { role: "img" });
      const label = el("span");
      const node = el("li", { "data-step": step }, icon, label);
      this.node.append(node);
      return { step, icon, label, node };
    });
  }

  /** Show a stop that has begun; `{ pressed }` alone is on its way to the API. */
  paint(stop, words) {
    const begun = Boolean(stop?.pressed || stop?.asked);
    set(this.node, { hidden: begun ? null : "", "aria-label": words("stop_steps") });
    for (const { step, icon, label, node } of this.steps) {
      const done = Boolean(stop?.[step]);
      set(node, { class: done ? "done" : null });
      set(icon, {
        icon: done ? "mdi:check-circle" : "mdi:circle-outline",
        "aria-label": words(done ? "done" : "not_yet"),
      });
      say(label, words(step === "asked" && !done ? "asking" : step));
    }
  }
}
