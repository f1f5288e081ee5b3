// Request the tiles of the frame, and show it once all of them have arrived.

import { isAbsent, pathOf, referenceOf, state, visiblePanels } from "./state.js";
import { address, has, want } from "./tiles.js";
import { levelOf, SIDE_BITS, tilesInView } from "./view.js";

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
