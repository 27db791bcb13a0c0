/** What the card says, as plain data: from Home Assistant's states and the open offers. */

import { vehicleById } from "./entities.js";
import { pressOn, unanswered } from "./stops.js";

// Promise 4: what holds longer is for backup only, and is shown before the yes.
const LONGEST_USUAL_LEASE_S = 120;
// Why an offer waits for a person where a rule would have said yes.
const LEFT_TO_A_PERSON = new Set([
  "limits_unconfirmed",
  "person_asked_for_more",
  "person_declined",
  "person_stopped",
]);
// Every deal that ends has its charger told to stop; only this one was ended by its owner.
const STOPPED_BY_OWNER = "revoked";
const LIVE = new Set(["pending_award", "scheduled", "active"]);

/**
 * Return what to show: `{ reachable, live, offer, result, idle }`, each part null when it is empty.
 *
 * `offers` are the open offers as the action lists them; `pressed` is what the owner did last here.
 * `running` names every deal that this card's Stop would end, whichever of them is shown.
 */
export function viewOf(hass, account, offers, pressed, now) {
  const state = (purpose) => hass.states[account.hub.entities[purpose]];
  const concerns = (vehicleId) => !account.only || account.only.id === vehicleId;
  const known = isKnown(state("sensor.deal_state"));
  const reachable = known && state("binary_sensor.stream")?.state !== "off";
  const deals = dealsOf(state).filter((deal) => concerns(deal.vehicle_id));
  const stops = pressed.stops ?? {};
  const live = deals.length ? liveDeal(hass, account, state, deals, stops, now) : null;
  const mine = offers.filter((offer) => concerns(offer.vehicle_id));
  return {
    reachable,
    live,
    running: deals.map((deal) => deal.commitment_id),
    offer: mine.length ? openOffer(account, mine[0], mine.length - 1, pressed, now) : null,
    result: live ? null : lastResult(account, state, concerns),
    // Out of sight nobody can say that there is no offer.
    idle: live || mine.length || !known ? null : account.vehicles.filter(({ id }) => concerns(id)),
    // What nobody can see may still run.
    stoppable: Boolean(live) || !reachable,
    stop: live?.stop ?? blindStop(stops, now),
  };
}

function isKnown(state) {
  return state !== undefined && state.state !== "unavailable" && state.state !== "unknown";
}

/** Return a car's name where there are several: with one there is nothing to tell apart. */
function carName(account, vehicleId, told = "") {
  const vehicle = vehicleById(account, vehicleId);
  // A car that is not linked here has only the name that its agent tells.
  return vehicle && account.vehicles.length === 1 ? "" : (vehicle?.name ?? told);
}

function openOffer(account, offer, more, pressed, now) {
  const { terms, evaluation: found } = offer;
  const left = new Date(offer.respond_by) - now;
  return {
    id: offer.offer_id,
    revision: offer.revision,
    car: carName(account, offer.vehicle_id, offer.vehicle_name),
    park: offer.park.display_name,
    askedWh: terms.requested_energy_wh,
    quotedWh: found?.quoted_energy_wh ?? null,
    offeredWh: found?.quoted_energy_wh ?? terms.requested_energy_wh,
    price: terms.reward.price_per_kwh,
    currency: terms.reward.currency,
    netCurrency: offer.net_currency,
    startAt: terms.start_at,
    endAt: terms.end_at,
    left,
    stopMinutes: terms.lease_s > LONGEST_USUAL_LEASE_S ? Math.ceil(terms.lease_s / 60) : null,
    netMinor: found?.net_minor,
    costs: found?.breakdown ?? null,
    battery: {
      now: found?.soc_now_pct,
      after: found?.soc_after_pct,
      floor: found?.soc_floor_pct,
      guarantee: found?.soc_min_departure_pct,
    },
    minWh: terms.min_energy_wh,
    counter: found?.counter ?? null,
    countered: offer.state === "countered",
    leftToYou: LEFT_TO_A_PERSON.has(offer.state_reason) ? offer.state_reason : null,
    state: offer.state,
    sending: answered(offer, pressed.sending),
    open: left > 0,
    more,
  };
}

/** Return the answer on its way to an offer that does not show it yet. */
function answered(offer, sending) {
  const same =
    sending?.id === offer.offer_id &&
    sending.revision === offer.revision &&
    sending.state === offer.state;
  return same ? sending.decision : null;
}

/** Return every deal that is live or being stopped, the one to watch first. */
function dealsOf(state) {
  const deal = state("sensor.deal_state");
  return isKnown(deal) ? (deal.attributes.deals ?? []) : [];
}

function liveDeal(hass, account, state, [facts, ...others], stops, now) {
  const vehicle = vehicleById(account, facts.vehicle_id);
  const value = (purpose) => hass.states[vehicle?.entities[purpose]]?.state;
  const press = pressOn(stops, facts.commitment_id);
  const asked = facts.state === STOPPED_BY_OWNER || Boolean(press);
  return {
    id: facts.commitment_id,
    entity: state("sensor.deal_state"),
    vehicleId: facts.vehicle_id,
    car: carName(account, facts.vehicle_id),
    state: facts.state,
    park: facts.park,
    committedWh: facts.committed_energy_wh,
    startAt: facts.start_at,
    endAt: facts.end_at,
    deliveredWh: facts.delivered_wh,
    powerW: facts.power_w,
    earnedMinor: facts.earned_minor,
    currency: facts.currency ?? "",
    battery: {
      now: value("sensor.soc"),
      floor: facts.soc_floor_pct ?? value("number.soc_floor_pct"),
      guarantee: value("number.soc_min_departure_pct"),
    },
    stop: {
      pressed: Boolean(press),
      asked: asked && Boolean(facts.stop_requested_at),
      confirmed: asked && Boolean(facts.stop_confirmed_at),
      stopped: asked && Boolean(facts.stopped_at),
      unplug: mustUnplug(state, facts, press, now),
    },
    more: others.length,
  };
}

/** Promise 4, counted here too: the link to Home Assistant may be what is broken. */
function mustUnplug(state, facts, press, now) {
  // Also of one that was confirmed: the meter shows that it has not worked.
  if (facts.unplug_hint) return true;
  if (facts.stop_confirmed_at) return false;
  // The account's own sensor does not say of which deal: only one that is being stopped can be it.
  const counted = state("binary_sensor.unplug_to_stop")?.state === "on" && facts.stop_requested_at;
  return Boolean(counted || unanswered(press, now));
}

/** How far a stop has come while nobody can see what runs: only what was done here is known. */
function blindStop(stops, now) {
  const press = pressOn(stops);
  return { pressed: Boolean(press), unplug: unanswered(press, now) };
}

/** Return the deal that ended last: of a car its own, whatever the others did since. */
function lastResult(account, state, concerns) {
  const ended = state("sensor.deal_state")?.attributes.last_deals ?? [];
  const facts = ended.find((deal) => concerns(deal.vehicle_id)) ?? toldLast(state, concerns);
  if (!facts) return null;
  return {
    id: facts.commitment_id,
    car: carName(account, facts.vehicle_id),
    park: facts.park,
    state: facts.state,
    deliveredWh: facts.delivered_wh,
    amountMinor: facts.amount_minor ?? null,
    netMinor: facts.net_minor,
    netCurrency: facts.net_currency || facts.currency || "",
    currency: facts.currency || "",
    stopped: facts.state === STOPPED_BY_OWNER && Boolean(facts.stopped_at),
    early: facts.state !== "completed" && Boolean(facts.stopped_at),
    reward: facts.reward,
  };
}

/** Return a deal that ended longer ago than the API tells, from the last news that there was. */
function toldLast(state, concerns) {
  const deal = state("event.deals")?.attributes ?? {};
  const reward = state("event.rewards")?.attributes ?? {};
  if (!deal.commitment_id || LIVE.has(deal.state) || !concerns(deal.vehicle_id)) return null;
  // The news may be of another deal's reward: then nobody knows here what this one earned.
  if (reward.commitment_id !== deal.commitment_id) return null;
  const { owed_minor, owed_currency, net_minor, net_currency, event_type } = reward;
  const owed = { amount_minor: owed_minor, currency: owed_currency };
  return { ...deal, ...owed, net_minor, net_currency, reward: event_type };
}
