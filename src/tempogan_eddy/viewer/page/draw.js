// Pictures of panels: a pixel of the screen shows the pixel under it, or the mean of those it covers, without interpolation.

import { differenceColours, plainColours, tableOf } from "./colours.js";
import { rowSampler } from "./sample.js";
import { panelOf, referenceOf, state } from "./state.js";
import { levelOf, toFine } from "./view.js";

// Draw one panel, or two with the border between them at a share of the width.
export function drawPanels(canvas, panels, split = 1) {
  const { width, height } = canvas;
  if (!width || !height || state.shown < 0) return;
  const ratio = width / state.size.width;
  const columns = Float64Array.from({ length: width }, (_, i) => toFine((i + 0.5) / ratio, 0).x);
  const border = Math.round(split * width);
  const context = canvas.getContext("2d", { alpha: false });
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  panels.forEach((key, place) => {
    const [from, to] = place ? [border, width] : [0, border];
    fill(pixels, width, height, ratio, layer(panelOf(key), columns), from, to);
  });
  context.putImageData(image, 0, 0);
}

// Samplers and colours of a panel minus its reference, if it has one.
function layer(panel, columns) {
  const table = tableOf(panel);
  const reference = referenceOf(panel);
  const sampler = (one) => samplerFor(one, columns);
  return {
    samplers: reference ? [sampler(panel), sampler(reference)] : [sampler(panel)],
    colour: reference ? differenceColours(table) : plainColours(table),
  };
}

// Where a level is finer than the screen, a pixel takes the mean of four places in it.
function samplerFor(panel, columns) {
  const level = levelOf(panel);
  const width = columns[1] - columns[0]; // of a pixel of the screen, in highres pixels
  if (panel.scale * 2 ** level >= 0.99 * width) return rowSampler(panel, state.shown, level, columns);
  const doubled = Float64Array.from({ length: 2 * columns.length }, (_, i) => columns[i >> 1] + (i % 2 ? 0.25 : -0.25) * width);
  const { fill: fillRow, rowOf } = rowSampler(panel, state.shown, level, doubled);
  const rows = [new Int32Array(doubled.length), new Int32Array(doubled.length)];
  return {
    rowOf,
    fill: (y, target) => {
      fillRow(y - 0.25 * width, rows[0]);
      fillRow(y + 0.25 * width, rows[1]);
      average(...rows, target);
    },
  };
}

// The mean of the valid ones among each four.
function average(upper, lower, target) {
  for (let i = 0, j = 0; i < target.length; i++, j += 2) {
    const [a, b, c, d] = [upper[j], upper[j + 1], lower[j], lower[j + 1]];
    const count = (a > 0) + (b > 0) + (c > 0) + (d > 0);
    const sum = (a > 0 ? a : 0) + (b > 0 ? b : 0) + (c > 0 ? c : 0) + (d > 0 ? d : 0);
    target[i] = count ? Math.round(sum / count) : a;
  }
}

function fill(pixels, width, height, ratio, { samplers, colour }, from, to) {
  const values = samplers.map(() => new Int32Array(width));
  let before = "";
  for (let j = 0; j < height; j++) {
    const y = toFine(0, (j + 0.5) / ratio).y;
    const rows = samplers.map((sampler) => sampler.rowOf(y)).join();
    const start = j * width;
    if (rows === before) {
      pixels.copyWithin(start + from, start - width + from, start - width + to);
      continue;
    }
    before = rows;
    samplers.forEach((sampler, i) => sampler.fill(y, values[i]));
    colour(...values, pixels, start, from, to);
  }
}
