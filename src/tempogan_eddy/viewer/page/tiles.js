// Tiles by address: fetch wanted ones, abort requests that are no longer wanted, keep the latest.

const LIMIT = 192 * 2 ** 20; // bytes

const kept = new Map(); // address -> Uint16Array, the longest unused first
const pending = new Map(); // address -> AbortController
let bytes = 0;
let wanted = new Set();
let onArrival = () => {};
let onFailure = () => {};

export function listen(arrival, failure) {
  onArrival = arrival;
  onFailure = failure;
}

export const address = (scene, panel, frame, level, row, column) =>
  `data/${scene}/${panel}/${frame}/${level}/${row}-${column}.u16`;

export const has = (key) => kept.has(key);

export function get(key) {
  const tile = kept.get(key);
  if (tile) {
    kept.delete(key);
    kept.set(key, tile);
  }
  return tile;
}

// Want these addresses, in this order, and no others.
export function want(addresses) {
  wanted = new Set(addresses);
  for (const [key, controller] of pending) if (!wanted.has(key)) controller.abort();
  for (const key of wanted) if (!kept.has(key) && !pending.has(key)) load(key);
}

async function load(key) {
  const controller = new AbortController();
  pending.set(key, controller);
  try {
    const answer = await fetch(key, { signal: controller.signal });
    if (!answer.ok) throw new Error(`${key}: ${answer.status}`);
    keep(key, new Uint16Array(await answer.arrayBuffer()));
    release(key, controller);
    onArrival();
  } catch (error) {
    release(key, controller);
    if (error.name !== "AbortError") onFailure(error);
  }
}

// An address that was aborted and is wanted again has another controller by now.
function release(key, controller) {
  if (pending.get(key) === controller) pending.delete(key);
}

function keep(key, tile) {
  kept.set(key, tile);
  bytes += tile.byteLength;
  for (const [old, data] of kept) {
    if (bytes <= LIMIT) break;
    if (wanted.has(old)) continue;
    kept.delete(old);
    bytes -= data.byteLength;
  }
}
