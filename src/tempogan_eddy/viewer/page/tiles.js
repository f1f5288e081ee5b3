// Tiles: request those of the frame and show it once all have arrived; abort requests no longer wanted; keep the latest.

import { isAbsent, pathOf, referenceOf, state, visiblePanels } from "./state.js";
import { levelOf, SIDE_BITS, tilesInView } from "./view.js";

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

const has = (key) => kept.has(key);

export function get(key) {
  const tile = kept.get(key);
  if (tile) {
    kept.delete(key);
    kept.set(key, tile);
  }
  return tile;
}

// Want these addresses, in this order, and no others.
function want(addresses) {
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

let complete = false;

// Whether a tile that arrives belongs to the picture on the screen; tiles of the next frame must not redraw it.
export const isPatchy = () => !complete && state.shown === state.frame;

// Request missing tiles; return true once the requested frame is complete and must be drawn.
export function updateTiles() {
  if (!state.scene || !state.size.width) return false;
  const needed = tilesOf(state.frame);
  const whole = needed.every(has);
  const exact = state.rested && !state.playing ? cursorTiles(state.frame) : [];
  const next = (state.frame + state.direction + state.scene.times.length) % state.scene.times.length;
  // Fetch the next frame once this one is complete.
  want([...needed, ...exact, ...(whole && exact.every(has) ? tilesOf(next) : [])]);
  complete = whole;
  document.body.dataset.busy = String(!whole);
  if (!whole || state.shown === state.frame) return false;
  state.shown = state.frame;
  return true;
}

// Panels on the screen and their references.
function panelsNeeded() {
  const panels = visiblePanels();
  return new Set([...panels, ...panels.map(referenceOf).filter(Boolean)]);
}

function tilesOf(frame) {
  const addresses = [];
  for (const panel of panelsNeeded()) {
    if (isAbsent(panel, frame)) continue;
    const level = levelOf(panel);
    const { rows, columns } = tilesInView(panel, level);
    for (let row = rows[0]; row <= rows[1]; row++) {
      for (let column = columns[0]; column <= columns[1]; column++) {
        addresses.push(address(state.number, pathOf(panel), frame, level, row, column));
      }
    }
  }
  return addresses;
}

// The full resolution under the cross, for its exact kelvin.
function cursorTiles(frame) {
  if (!state.cursor) return [];
  const addresses = [];
  for (const panel of panelsNeeded()) {
    const [x, y] = [Math.floor(state.cursor.x / panel.scale), Math.floor(state.cursor.y / panel.scale)];
    if (isAbsent(panel, frame) || x < 0 || y < 0 || x >= panel.width || y >= panel.height) continue;
    addresses.push(address(state.number, pathOf(panel), frame, 0, y >> SIDE_BITS, x >> SIDE_BITS));
  }
  return addresses;
}
