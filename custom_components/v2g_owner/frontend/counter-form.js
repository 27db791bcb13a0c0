/** Other terms to ask for: opened by Counter, filled with the best that is known. */

import { el, say, set } from "./dom.js";

const FIELDS = ["energy_kwh", "price_per_kwh"];

/** Builds the form once; `send(terms)` is called with what the owner wants. */
export class CounterForm {
  constructor(send) {
    this.fields = FIELDS.map((name) => {
      const input = el("input", {
        ...{ type: "number", name, id: `counter-${name}`, step: "any" },
        ...{ required: "", inputmode: "decimal", autocomplete: "off" },
      });
      return { name, input, label: el("label", { for: input.id }) };
    });
    this.sendLabel = el("span");
    this.node = el(
      "form",
      {
        id: "counter-form",
        hidden: "",
        submit: (event) => {
          event.preventDefault();
          const terms = this.fields.map(({ name, input }) => [name, Number(input.value)]);
          send(Object.fromEntries(terms));
        },
      },
      ...this.fields.map(({ input, label }) => el("div", {}, label, input)),
      el("button", { type: "submit" }, this.sendLabel),
    );
  }

  get open() {
    return !this.node.hidden;
  }

  /** Open with terms that make sense, or close. */
  toggle(offer, words) {
    this.close(this.open);
    if (!this.open) return;
    this.of = `${offer.id} ${offer.revision}`;
    const { counter, offeredWh, minWh, price, currency, netCurrency } = offer;
    const energyWh = counter?.energy_wh ?? offeredWh;
    const [energy, asked] = this.fields.map(({ input }) => input);
    set(energy, { min: minWh / 1000, max: offeredWh / 1000 });
    set(asked, { min: 0 });
    energy.value = energyWh / 1000;
    // What the owner could live with may be less than what is offered: nobody asks for less.
    // It is also counted in the owner's money, which is no price in points.
    const least = currency === netCurrency ? Number(counter?.price_per_kwh ?? 0) : 0;
    asked.value = Math.max(Number(price), least);
    const labels = [words("counter_energy"), words("counter_price", { currency })];
    this.fields.forEach(({ label }, at) => say(label, labels[at]));
    say(this.sendLabel, words("counter_send"));
    asked.focus();
    asked.select();
  }

  /** Close, by default; `close(false)` opens. */
  close(closed = true) {
    set(this.node, { hidden: closed ? "" : null });
  }

  /** Close when what it was opened for has changed or can no longer be countered. */
  paint(offer, can) {
    if (!can || this.of !== `${offer.id} ${offer.revision}`) this.close();
  }
}
