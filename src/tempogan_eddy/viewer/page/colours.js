// Colours of values, by one look-up for each palette and one for differences, and of panels.

import { OUTSIDE, PENDING } from "./sample.js";
import { state } from "./state.js";

export const STEPS = 100; // of a kelvin or a percent
const SHIFT = 2; // so that OUTSIDE and PENDING have an entry

const BACKGROUND = [11, 14, 19];
const WAITING = [20, 25, 33];

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
function lookupOf(table) {
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

// The palette of a panel's quantity.
export const tableOf = ({ quantity }) =>
  state.index.quantities[quantity] ?? state.index.colours.find((entry) => entry.name === state.table);

export function plainColours(table) {
  const lookup = lookupOf(table);
  return (values, target, start, from, to) => {
    for (let i = from; i < to; i++) target[start + i] = lookup[values[i] + SHIFT];
  };
}

// Stops of differences in kelvin, the same on both sides of 0, and the colour of (difference in hundredths) + most.
export let differenceStops = [];
let most = 0;
let differenceLookup = null;

export function setDifferences(stops) {
  differenceStops = stops;
  most = stops[stops.length - 1][0] * STEPS;
  differenceLookup = Uint32Array.from({ length: 2 * most + 1 }, (_, i) => pack(mix(stops, (i - most) / STEPS)));
}

export function differenceColours(table) {
  const special = lookupOf(table);
  return (values, references, target, start, from, to) => {
    for (let i = from; i < to; i++) {
      const [value, other] = [values[i], references[i]];
      if (value > 0 && other > 0) {
        target[start + i] = differenceLookup[Math.min(Math.max(value - other, -most), most) + most];
      } else {
        target[start + i] = special[Math.min(value, other) + SHIFT];
      }
    }
  };
}

export const css = (colour) => `rgb(${colour.join(" ")})`;

const ROLES = { lowres: "#93a1b3", bicubic: "#5aaef2", reconstructed: "#f0a83a", truth: "#f3f6fa", spread: "#e25460", probability: "#16847f" };
const OTHERS = ["#f0a83a", "#c98bf0", "#72d28f", "#f27d72", "#5ad1d8", "#d8d06a"];

// One colour for each panel, wherever it appears.
export function panelColour(panel) {
  const others = state.scene.panels.filter(({ role }) => !ROLES[role] || role === "reconstructed");
  const place = others.indexOf(panel);
  return place > 0 || !ROLES[panel.role] ? OTHERS[Math.max(place, 0) % OTHERS.length] : ROLES[panel.role];
}
