/** The V2G Owner card: a plain custom element for Home Assistant's dashboards. */

import { DealPart } from "./deal-part.js";
import { el, say, set } from "./dom.js";
import { deviceToSuggest, findAccount } from "./entities.js";
import { formatsFor } from "./format.js";
import { Announcer } from "./announcer.js";
import { OfferPart } from "./offer-part.js";
import { IdlePart, ResultPart } from "./result-part.js";
import { errorLeft, failedPresses, pressFor, pressesLeft, shownIds } from "./stops.js";
import { STYLES } from "./styles.js";
import { viewOf } from "./view.js";
import { wordsFor } from "./words.js";

const TYPE = "v2g-owner-card";
const DOMAIN = "v2g_owner";
const TICK_MS = 1000;
// Home Assistant has our entities a moment before our actions, and logs an error for who asks then.
const LOADING_MS = 3000;
// Any of these changing may mean that the list of open offers did.
const OFFER_SIGNS = [
  "event.offers",
  "sensor.open_offers",
  "sensor.next_offer_price",
  "binary_sensor.stream",
];

class V2GOwnerCard extends HTMLElement {
  #config = {};
  #hass = null;
  #offers = [];
  #signs = [];
  #asked = 0;
  #pressed = { stops: {} };
  #view = { offer: null, running: [] };
  #timer = null;

  static getStubConfig(hass) {
    const account = findAccount(hass);
    return { device_id: (account?.vehicles[0] ?? account?.hub)?.deviceId ?? "" };
  }

  static getConfigForm() {
    const words = wordsFor(document.documentElement.lang);
    return {
      schema: [
        {
          name: "device_id",
          // Chargers have no button of ours to answer or stop with.
          selector: { device: { entity: [{ integration: DOMAIN, domain: "button" }] } },
        },
      ],
      computeLabel: () => words("form_device"),
      computeHelper: () => words("form_device_help"),
      assertConfig,
    };
  }

  constructor() {
    super();
    this.attachShadow({ mode: "open" });
    this.parts = {
      deal: new DealPart(() => this.#stop()),
      offer: new OfferPart((...answer) => this.#answer(...answer)),
      result: new ResultPart(),
      idle: new IdlePart(),
    };
    this.link = el("p", { class: "alarm", role: "status", hidden: "" });
    this.error = el("p", { class: "alarm", role: "alert", hidden: "" });
    this.announcer = new Announcer();
    const { deal, offer, result, idle } = this.parts;
    this.shadowRoot.append(
      el("style", {}, STYLES),
      el(
        "ha-card",
        {},
        el(
          "div",
          { class: "parts" },
          ...[this.link, deal.node, offer.node, this.error, result.node, idle.node],
        ),
        this.announcer.node,
      ),
    );
  }

  setConfig(config) {
    assertConfig(config);
    this.#config = config;
    this.#signs = [];
    if (this.#hass) this.hass = this.#hass;
  }

  set hass(hass) {
    this.#hass = hass;
    this.account = findAccount(hass, this.#config.device_id);
    const signs = OFFER_SIGNS.map((sign) => hass.states[this.account?.hub.entities[sign]]);
    if (signs.some((sign, at) => sign !== this.#signs[at]) || signs.length !== this.#signs.length) {
      // A live connection is there only when everything is.
      const loading = isDark(this.#signs) && signs[3]?.state !== "on";
      this.#signs = signs;
      this.#readOffers(loading ? LOADING_MS : 0);
    }
    this.#paint();
  }

  connectedCallback() {
    this.#timer = setInterval(() => this.#paint(), TICK_MS);
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
  }

  getCardSize() {
    return 6;
  }

  getGridOptions() {
    return { columns: 12, min_columns: 6, rows: "auto" };
  }

  /** Read the open offers with everything the owner needs to judge them; later news come first. */
  async #readOffers(wait = 0) {
    const asked = ++this.#asked;
    let offers = [];
    if (this.account && !isDark(this.#signs) && this.#signs[1]?.state !== "0") {
      if (wait) await new Promise((done) => setTimeout(done, wait));
      if (asked !== this.#asked) return;
      offers = await this.#call("list_offers", {}, true).then(
        (answer) => answer.response.offers,
        () => [],
      );
    }
    if (asked !== this.#asked) return;
    this.#offers = offers;
    this.#paint();
  }

  async #answer(decision, offer, terms) {
    const { id, revision, state } = offer;
    const sending = { decision, id, revision, state };
    this.#pressed = { ...this.#pressed, sending, error: null };
    this.#paint();
    try {
      await this.#call(`${decision}_offer`, { offer_id: id, revision, ...terms });
      await this.#readOffers();
    } catch (error) {
      this.#pressed = { ...this.#pressed, sending: null, error: await this.#told(error) };
      this.#paint();
    }
  }

  async #stop() {
    this.#pressed = { stops: pressFor(this.#view.running, Date.now()), error: null };
    this.#paint();
    const { only } = this.account;
    try {
      await this.#call("stop", only ? { device_id: [only.deviceId] } : {});
    } catch (error) {
      this.#pressed = {
        ...this.#pressed,
        stops: failedPresses(this.#pressed.stops),
        error: await this.#told(error, true),
      };
    }
    this.#paint();
  }

  /** Call one of our actions; errors are shown in the card, not beside it. */
  #call(action, data, answers = false) {
    const entry = data.device_id ? {} : { config_entry: this.account.entryId };
    return this.#hass.callService(DOMAIN, action, { ...entry, ...data }, undefined, false, answers);
  }

  /** Return why a press failed, and what it was pressed beside. */
  async #told(error, stop = false) {
    const text = await this.#reason(error);
    return { text, stop, seen: shownIds(this.#view) };
  }

  async #reason({ translation_domain: domain, translation_key: key, ...error }) {
    if (domain && key) {
      const localize = await this.#hass.loadBackendTranslation("exceptions", domain);
      const path = `component.${domain}.exceptions.${key}.message`;
      const text = localize(path, error.translation_placeholders);
      if (text) return text;
    }
    return error.message ?? error.error ?? "?";
  }

  #paint() {
    const hass = this.#hass;
    if (!hass) return;
    const words = wordsFor(hass.language);
    if (!this.account) {
      this.#paintNothing(words(findAccount(hass) ? "no_device" : "no_account"));
      return;
    }
    const now = Date.now();
    const formats = formatsFor(hass, now);
    const view = viewOf(hass, this.account, this.#offers, this.#pressed, now);
    const { stops, error } = this.#pressed;
    this.#pressed = {
      ...this.#pressed,
      stops: pressesLeft(stops, view),
      error: errorLeft(error, view),
    };
    this.#view = view;
    const why = this.#pressed.error?.text;
    const held = this.shadowRoot.activeElement;
    this.parts.deal.paint(view, words, formats, hass);
    this.parts.offer.paint(view.offer, words, formats);
    const texts = this.#resultTexts(view.result);
    const told = this.parts.result.paint(view.result, words, formats, texts);
    this.parts.idle.paint(view.idle, words, hass);
    this.#paintLine(this.link, view.reachable ? "" : words("no_connection"));
    this.#paintLine(this.error, why ? words("failed", { why }) : "");
    this.announcer.announce(view, told, words, formats, hass);
    this.#keepFocus(held);
  }

  #paintNothing(text) {
    for (const part of Object.values(this.parts)) set(part.node, { hidden: "" });
    this.#paintLine(this.link, text);
  }

  #paintLine(node, text) {
    set(node, { hidden: text ? null : "" });
    say(node, text);
  }

  /** Return Home Assistant's own words for how a deal ended and where its reward stands. */
  #resultTexts(result) {
    if (!result) return {};
    const { entities } = this.account.hub;
    const states = this.#hass.states;
    const deal = states[entities["sensor.deal_state"]];
    const rewards = states[entities["event.rewards"]];
    return {
      ended: deal && this.#hass.formatEntityState(deal, result.state),
      reward:
        result.reward &&
        this.#hass.formatEntityAttributeValue(rewards, "event_type", result.reward),
    };
  }

  /** A pressed button may be gone: go on from what took its place. */
  #keepFocus(held) {
    if (!held || held.checkVisibility()) return;
    const { deal, offer, result, idle } = this.parts;
    const next = [deal, offer, result, idle].find(({ node }) => !node.hasAttribute("hidden"));
    next?.node.focus({ preventScroll: true });
  }
}

/** Tell whether we are away, or not all there yet; before anything was seen nobody knows. */
function isDark(signs) {
  const away = signs.some((sign) => sign?.state === "unavailable");
  return signs.length > 0 && (away || !signs.some(Boolean));
}

function assertConfig(config) {
  if (config.device_id !== undefined && typeof config.device_id !== "string") {
    throw new Error("device_id must be one device");
  }
}

if (!customElements.get(TYPE)) {
  customElements.define(TYPE, V2GOwnerCard);
  const words = wordsFor(document.documentElement.lang);
  window.customCards = window.customCards ?? [];
  window.customCards.push({
    type: TYPE,
    name: words("name"),
    description: words("description"),
    preview: true,
    documentationURL: "https://github.com/v2g-owner/v2g-owner/blob/main/docs/home-assistant.md",
    getEntitySuggestion: (hass, entityId) => {
      const deviceId = deviceToSuggest(hass, entityId);
      return deviceId ? { config: { type: `custom:${TYPE}`, device_id: deviceId } } : null;
    },
  });
}
