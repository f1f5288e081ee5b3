// Colours of values: one look-up for kelvins by table, one for differences.

import { OUTSIDE, PENDING } from "./sample.js";

export const STEPS = 100; // of a kelvin
export const MOST_DIFFERENCE = 20; // K at the ends of the scale of differences
const SHIFT = 2; // so that OUTSIDE and PENDING have an entry

const BACKGROUND = [11, 14, 19];
const WAITING = [20, 25, 33];
const DIFFERENCES = [
  [-20, [214, 240, 255]], [-12, [84, 180, 240]], [-4, [26, 84, 150]], [0, [20, 24, 31]],
  [4, [150, 62, 20]], [12, [244, 150, 52]], [20, [255, 240, 200]],
]; // prettier-ignore

const pack = ([red, green, blue]) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
const tables = new Map();

// The colour at a value between stops; of two stops at one value the later counts, as on the warm side of a step.
export function mix(stops, value) {
  if (value < stops[0][0]) return stops[0][1];
  let right = stops.findIndex(([at]) => at > value);
  if (right < 0) return stops[stops.length - 1][1];
  const [[low, from], [high, to]] = [stops[right - 1], stops[right]];
  return from.map((part, i) => Math.round(part + ((value - low) / (high - low)) * (to[i] - part)));
}

// (value in hundredths) -> packed colour, by `lookup[value + SHIFT]`.
function kelvinLookup(table) {
  if (!tables.has(table.name)) {
    const lookup = new Uint32Array(65536 + SHIFT);
    const [first, last] = [table.stops[0], table.stops[table.stops.length - 1]];
    const [low, high] = [Math.ceil(first[0] * STEPS), Math.floor(last[0] * STEPS)];
    lookup.fill(pack(first[1])).fill(pack(last[1]), high + SHIFT);
    for (let value = low; value <= high; value++) lookup[value + SHIFT] = pack(mix(table.stops, value / STEPS));
    lookup[SHIFT] = pack(table.missing);
    lookup[OUTSIDE + SHIFT] = pack(BACKGROUND);
    lookup[PENDING + SHIFT] = pack(WAITING);
    tables.set(table.name, lookup);
  }
  return tables.get(table.name);
}

export function kelvinColours(table) {
  const lookup = kelvinLookup(table);
  return (values, target, start, from, to) => {
    for (let i = from; i < to; i++) target[start + i] = lookup[values[i] + SHIFT];
  };
}

const MOST = MOST_DIFFERENCE * STEPS;
const differenceLookup = Uint32Array.from({ length: 2 * MOST + 1 }, (_, i) => pack(mix(DIFFERENCES, (i - MOST) / STEPS)));

export const differenceStops = DIFFERENCES;

export function differenceColours(table) {
  const special = kelvinLookup(table);
  return (values, references, target, start, from, to) => {
    for (let i = from; i < to; i++) {
      const [value, other] = [values[i], references[i]];
      if (value > 0 && other > 0) {
        target[start + i] = differenceLookup[Math.min(Math.max(value - other, -MOST), MOST) + MOST];
      } else {
        target[start + i] = special[Math.min(value, other) + SHIFT];
      }
    }
  };
}

export const css = (colour) => `rgb(${colour.join(" ")})`;
