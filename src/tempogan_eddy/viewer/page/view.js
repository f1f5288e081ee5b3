// Geometry: highres pixels, screen pixels, levels and tiles. All panels have the same size and the same view.

import { change, state } from "./state.js";

const MOST_ZOOM = 96; // CSS pixels a highres pixel
const BIAS = 0.3; // a level serves until its pixels are 2^0.3 times as wide as those of the screen
export const SIDE_BITS = 8; // tiles have 256 pixels a side

export const toScreen = (x, y) => ({
  x: (x - state.view.x) * state.view.zoom + state.size.width / 2,
  y: (y - state.view.y) * state.view.zoom + state.size.height / 2,
});

export const toFine = (x, y) => ({
  x: (x - state.size.width / 2) / state.view.zoom + state.view.x,
  y: (y - state.size.height / 2) / state.view.zoom + state.view.y,
});

const fitting = () => Math.min(state.size.width / state.scene.width, state.size.height / state.scene.height);

export function fit() {
  const { width, height } = state.scene;
  if (state.size.width) change({ view: { x: width / 2, y: height / 2, zoom: fitting(), fitted: true } });
}

// Zoom so that the pixel under a place on the screen stays there.
export function zoomAt(place, factor) {
  const fine = toFine(place.x, place.y);
  const zoom = Math.min(Math.max(state.view.zoom * factor, fitting() / 2), MOST_ZOOM);
  moveTo(fine.x - (place.x - state.size.width / 2) / zoom, fine.y - (place.y - state.size.height / 2) / zoom, zoom);
}

export function pan(x, y) {
  moveTo(state.view.x - x / state.view.zoom, state.view.y - y / state.view.zoom, state.view.zoom);
}

// The centre of the view stays on the frame.
function moveTo(x, y, zoom) {
  const within = (value, most) => Math.min(Math.max(value, 0), most);
  change({ view: { x: within(x, state.scene.width), y: within(y, state.scene.height), zoom, fitted: false } });
}

// The coarsest level whose pixels are not much larger than those of the screen.
export function levelOf(panel) {
  const fine = 1 / (state.view.zoom * devicePixelRatio * panel.scale);
  return Math.min(Math.max(Math.floor(Math.log2(fine) + BIAS), 0), panel.levels - 1);
}

export const levelSize = (panel, level) => ({
  width: Math.ceil(panel.width / 2 ** level),
  height: Math.ceil(panel.height / 2 ** level),
});

// The tiles of a panel on the screen: rows and columns from .. to, none where from > to.
export function tilesInView(panel, level) {
  const { width, height } = levelSize(panel, level);
  const first = toFine(0, 0);
  const last = toFine(state.size.width, state.size.height);
  const step = panel.scale * 2 ** level;
  const tile = (fine, most) => Math.min(Math.max(Math.floor(fine / step), 0), most - 1) >> SIDE_BITS;
  const beside = last.x < 0 || last.y < 0 || first.x >= width * step || first.y >= height * step;
  return {
    rows: [tile(first.y, height), beside ? -1 : tile(last.y - 1e-6, height)],
    columns: [tile(first.x, width), beside ? -1 : tile(last.x - 1e-6, width)],
  };
}
