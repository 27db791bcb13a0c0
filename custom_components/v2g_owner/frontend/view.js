/** What the card says, as plain data: from Home Assistant's states and the open offers. */

import { isNumber } from "./format.js";
import { vehicleById } from "./entities.js";

const LIVE = new Set(["pending_award", "scheduled", "active"]);
// Promise 4: no confirmation in this time, and the owner is told to unplug.
const STOP_CONFIRMATION_MS = 5000;

/**
 * Return what to show: `{ reachable, live, offer, result, idle }`, each part null when it is empty.
 *
 * `offers` are the open offers as the action lists them; `pressed` is what the owner did last here.
 */
export function viewOf(hass, account, offers, pressed, now) {
  const state = (purpose) => hass.states[account.hub.entities[purpose]];
  const concerns = (vehicleId) => !account.only || account.only.id === vehicleId;
  const reachable =
    isKnown(state("sensor.deal_state")) && state("binary_sensor.stream")?.state !== "off";
  const live = liveDeal(hass, account, state, pressed, now);
  const mine = offers.filter((offer) => concerns(offer.vehicle_id));
  return {
    reachable,
    live: live && concerns(live.vehicleId) ? live : null,
    offer: mine.length ? openOffer(mine[0], mine.length - 1, pressed, now) : null,
    result: live ? null : lastResult(state, concerns),
    idle: live || mine.length ? null : account.vehicles.filter(({ id }) => concerns(id)),
    // What nobody can see may still run.
    stoppable: Boolean(live) || !reachable,
    error: pressed.error ?? null,
  };
}

function isKnown(state) {
  return state !== undefined && state.state !== "unavailable" && state.state !== "unknown";
}

function openOffer(offer, more, pressed, now) {
  const { terms, evaluation: found } = offer;
  const left = new Date(offer.respond_by) - now;
  return {
    id: offer.offer_id,
    revision: offer.revision,
    park: offer.park.display_name,
    askedWh: terms.requested_energy_wh,
    offeredWh: found?.quoted_energy_wh ?? terms.requested_energy_wh,
    price: terms.reward.price_per_kwh,
    currency: terms.reward.currency,
    startAt: terms.start_at,
    endAt: terms.end_at,
    left,
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

function liveDeal(hass, account, state, pressed, now) {
  const deal = state("sensor.deal_state");
  const facts = deal?.attributes ?? {};
  const asked = facts.stop_requested_at;
  if (!isKnown(deal) || !(LIVE.has(deal.state) || asked)) return null;
  const vehicle = vehicleById(account, facts.vehicle_id);
  const value = (purpose) => hass.states[vehicle?.entities[purpose]]?.state;
  return {
    id: facts.commitment_id,
    entity: deal,
    vehicleId: facts.vehicle_id,
    car: vehicle?.name ?? "",
    state: deal.state,
    park: facts.park,
    committedWh: facts.committed_energy_wh,
    startAt: facts.start_at,
    endAt: facts.end_at,
    delivered: state("sensor.deal_delivered"),
    powerW: watts(state("sensor.deal_power")),
    earned: state("sensor.deal_earned"),
    battery: {
      now: value("sensor.soc"),
      floor: facts.soc_floor_pct ?? value("number.soc_floor_pct"),
      guarantee: value("number.soc_min_departure_pct"),
    },
    stop: {
      pressed: Boolean(pressed.stopAt),
      asked: Boolean(asked),
      confirmed: Boolean(facts.stop_confirmed_at),
      stopped: Boolean(facts.stopped_at),
      unplug: mustUnplug(state, facts, pressed, now),
    },
  };
}

/** Promise 4, counted here too: the link to Home Assistant may be what is broken. */
function mustUnplug(state, facts, pressed, now) {
  if (facts.stop_confirmed_at) return false;
  const waited = pressed.stopAt && now - pressed.stopAt >= STOP_CONFIRMATION_MS;
  const told = facts.unplug_hint || state("binary_sensor.unplug_to_stop")?.state === "on";
  return Boolean(told || waited || pressed.stopFailed);
}

function watts(state) {
  if (!isNumber(state?.state)) return null;
  return Number(state.state) * (state.attributes.unit_of_measurement === "kW" ? 1000 : 1);
}

function lastResult(state, concerns) {
  const deal = state("event.deals");
  const facts = deal?.attributes ?? {};
  if (!facts.commitment_id || LIVE.has(facts.state) || !concerns(facts.vehicle_id)) return null;
  const reward = state("event.rewards")?.attributes ?? {};
  const settled = reward.commitment_id === facts.commitment_id;
  return {
    id: facts.commitment_id,
    park: facts.park,
    state: facts.state,
    deliveredWh: facts.delivered_wh,
    amountMinor: settled ? reward.amount_minor : null,
    netMinor: settled ? reward.net_minor : null,
    currency: (settled ? reward.currency : facts.currency) || "",
    stopped: Boolean(facts.stopped_at),
    reward: settled ? reward.event_type : null,
  };
}
