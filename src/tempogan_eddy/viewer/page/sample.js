// Values out of tiles: whole rows of the screen, or single pixels.
// A value is hundredths of a kelvin, 0 missing, OUTSIDE the frame, or PENDING until its tile is there.

import { isAbsent, state } from "./state.js";
import { address, get } from "./tiles.js";
import { levelSize, SIDE_BITS } from "./view.js";

export const OUTSIDE = -1;
export const PENDING = -2;
const MASK = (1 << SIDE_BITS) - 1;

// A function that gives row and column of a level its value; of coarser levels where the tile is not there yet.
export function reader(panel, frame, level) {
  const { width, height } = levelSize(panel, level);
  const absent = isAbsent(panel, frame);
  let [last, tile, above] = ["", null, 0];
  return (row, column) => {
    if (absent || row < 0 || column < 0 || row >= height || column >= width) return OUTSIDE;
    const key = `${row >> SIDE_BITS},${column >> SIDE_BITS}`;
    if (key !== last) {
      last = key;
      [tile, above] = best(panel, frame, level, row, column);
    }
    if (!tile) return PENDING;
    const [y, x] = [row >> above, column >> above];
    const across = Math.min(1 << SIDE_BITS, levelSize(panel, level + above).width - ((x >> SIDE_BITS) << SIDE_BITS));
    return tile[(y & MASK) * across + (x & MASK)];
  };
}

function best(panel, frame, level, row, column) {
  for (let above = 0; level + above < panel.levels; above++) {
    const [y, x] = [row >> above >> SIDE_BITS, column >> above >> SIDE_BITS];
    const tile = get(address(state.number, panel.key, frame, level + above, y, x));
    if (tile) return [tile, above];
  }
  return [null, 0];
}

// Fills rows of a panel for the screen: `columns` are fine coordinates of the screen's pixels.
export function rowSampler(panel, frame, level, columns) {
  const { width, height } = levelSize(panel, level);
  const step = panel.scale * 2 ** level;
  const places = Int32Array.from(columns, (x) => Math.floor(x / step));
  const absent = isAbsent(panel, frame);
  const rowOf = (y) => Math.floor(y / step);
  const fill = (y, target) => {
    const row = rowOf(y);
    if (absent || row < 0 || row >= height) {
      target.fill(OUTSIDE);
      return;
    }
    let i = 0;
    while (i < places.length && places[i] < 0) target[i++] = OUTSIDE;
    while (i < places.length && places[i] < width) {
      const block = places[i] >> SIDE_BITS;
      const [tile, above] = best(panel, frame, level, row, places[i]);
      if (!tile) {
        while (i < places.length && places[i] >> SIDE_BITS === block && places[i] < width) target[i++] = PENDING;
        continue;
      }
      const origin = ((places[i] >> above) >> SIDE_BITS) << SIDE_BITS;
      const across = Math.min(1 << SIDE_BITS, levelSize(panel, level + above).width - origin);
      const start = ((row >> above) & MASK) * across - origin;
      while (i < places.length && places[i] >> SIDE_BITS === block && places[i] < width) {
        target[i] = tile[start + (places[i++] >> above)];
      }
    }
    target.fill(OUTSIDE, i);
  };
  return { fill, rowOf };
}
