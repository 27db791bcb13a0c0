/** Finds our devices and entities, whatever their names and ids became. */

const PLATFORM = "v2g_owner";
// Only an account has a deal, and only a vehicle a state of charge.
const HUB_MARK = "sensor.deal_state";
const VEHICLE_MARK = "sensor.soc";

/** Return what one of our entities is for, as `domain.translation_key`. */
function purpose(entityId, entry) {
  return `${entityId.split(".", 1)[0]}.${entry.translation_key}`;
}

/** Return the entity ids of one device by their purpose. */
function entitiesOf(hass, deviceId) {
  const found = {};
  for (const [entityId, entry] of Object.entries(hass.entities)) {
    if (entry.platform === PLATFORM && entry.device_id === deviceId) {
      found[purpose(entityId, entry)] = entityId;
    }
  }
  return found;
}

function devicesWith(hass, mark) {
  const ids = Object.entries(hass.entities)
    .filter(([entityId, entry]) => entry.platform === PLATFORM && purpose(entityId, entry) === mark)
    .map(([, entry]) => entry.device_id);
  return [...new Set(ids)].filter((id) => hass.devices[id]).sort();
}

function deviceOf(hass, deviceId) {
  const device = hass.devices[deviceId];
  const identifier = device.identifiers?.find(([domain]) => domain === PLATFORM);
  return {
    deviceId,
    id: identifier?.[1],
    name: device.name_by_user || device.name || "",
    entities: entitiesOf(hass, deviceId),
  };
}

/**
 * Return the account a card shows: its hub, its vehicles, and the one vehicle it is limited to.
 *
 * `deviceId` may be an account, a vehicle, or nothing; null when there is no account.
 */
export function findAccount(hass, deviceId) {
  const hubs = devicesWith(hass, HUB_MARK);
  const chosen = hass.devices[deviceId];
  const hubId = [chosen?.id, chosen?.via_device_id, deviceId ? undefined : hubs[0]].find((id) =>
    hubs.includes(id),
  );
  if (!hubId) return null;
  const vehicles = devicesWith(hass, VEHICLE_MARK)
    .filter((id) => hass.devices[id].via_device_id === hubId)
    .map((id) => deviceOf(hass, id));
  const device = hass.devices[hubId];
  return {
    hub: deviceOf(hass, hubId),
    vehicles,
    only: vehicles.find((vehicle) => vehicle.deviceId === deviceId) ?? null,
    entryId: device.primary_config_entry ?? device.config_entries?.[0],
  };
}

/** Return the device a card for this entity would show; null when it is not ours or a charger's. */
export function deviceToSuggest(hass, entityId) {
  const entry = hass.entities[entityId];
  if (entry?.platform !== PLATFORM || !entry.device_id) return null;
  const ours = [HUB_MARK, VEHICLE_MARK].flatMap((mark) => devicesWith(hass, mark));
  return ours.includes(entry.device_id) ? entry.device_id : null;
}

/** Return the vehicle with the API's id. */
export function vehicleById(account, vehicleId) {
  return account.vehicles.find((vehicle) => vehicle.id === vehicleId) ?? null;
}
