// Values from tiles: whole rows of the screen, or single pixels.
// A value is hundredths of a kelvin, 0 missing, OUTSIDE the frame, or PENDING until its tile arrives.

import { isAbsent, pathOf, state } from "./state.js";
import { address, get } from "./tiles.js";
import { levelSize, SIDE_BITS } from "./view.js";

export const OUTSIDE = -1;
export const PENDING = -2;
const MASK = (1 << SIDE_BITS) - 1;

// Return a function from row and column of a level to its value, or to that of a coarser level until the tile arrives.
export function reader(panel, frame, level) {
  const { width, height } = levelSize(panel, level);
  const absent = isAbsent(panel, frame);
  let [lastRow, lastColumn, tile, above, across] = [-1, -1, null, 0, 0];
  return (row, column) => {
    if (absent || row < 0 || column < 0 || row >= height || column >= width) return OUTSIDE;
    if (row >> SIDE_BITS !== lastRow || column >> SIDE_BITS !== lastColumn) {
      [lastRow, lastColumn] = [row >> SIDE_BITS, column >> SIDE_BITS];
      [tile, above] = best(panel, frame, level, row, column);
      across = widthOfTile(panel, level + above, column >> above);
    }
    return tile ? tile[((row >> above) & MASK) * across + ((column >> above) & MASK)] : PENDING;
  };
}

// Pixels across the tile that holds a column; the last one is narrower.
const widthOfTile = (panel, level, column) =>
  Math.min(1 << SIDE_BITS, levelSize(panel, level).width - ((column >> SIDE_BITS) << SIDE_BITS));

function best(panel, frame, level, row, column) {
  for (let above = 0; level + above < panel.levels; above++) {
    const [y, x] = [row >> above >> SIDE_BITS, column >> above >> SIDE_BITS];
    const tile = get(address(state.number, pathOf(panel), frame, level + above, y, x));
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
      const across = widthOfTile(panel, level + above, places[i] >> above);
      const start = ((row >> above) & MASK) * across;
      while (i < places.length && places[i] >> SIDE_BITS === block && places[i] < width) {
        target[i] = tile[start + ((places[i] >> above) & MASK)];
        i += 1;
      }
    }
    target.fill(OUTSIDE, i);
  };
  return { fill, rowOf };
}
