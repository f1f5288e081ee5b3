// The analysis of what is in view, in every panel: kelvin along a transect, and the spectrum of the view.

import { drawChart, niceTicks } from "./chart.js";
import { panelColour, STEPS } from "./colours.js";
import { radialSpectrum } from "./fourier.js";
import { PENDING, reader } from "./sample.js";
import { panelOfRole, state, visiblePanels } from "./state.js";
import { levelOf, toFine } from "./view.js";

const MOST = 512; // pixels of the finest panel along a side
const LEAST = 16;

const inKelvin = () => visiblePanels().filter(({ quantity }) => quantity === "kelvin");

// Draw the truth under what is compared with it.
const truthFirst = () => inKelvin().toSorted((a, b) => (b.role === "truth") - (a.role === "truth"));

// Kelvin along a line: the pixels as shown, not interpolated.
export function along(panel, line, frame) {
  const length = Math.hypot(line.x1 - line.x0, line.y1 - line.y0);
  const count = Math.max(2, Math.ceil(2 * length));
  const level = levelOf(panel);
  const [read, step] = [reader(panel, frame, level), panel.scale * 2 ** level];
  const xs = Float64Array.from({ length: count }, (_, i) => (i / (count - 1)) * length);
  const ys = Float64Array.from({ length: count }, (_, i) => {
    const share = i / (count - 1);
    const [x, y] = [line.x0 + share * (line.x1 - line.x0), line.y0 + share * (line.y1 - line.y0)];
    const value = read(Math.floor(y / step), Math.floor(x / step));
    return value > 0 ? value / STEPS : NaN;
  });
  return { xs, ys };
}

export function drawTransect() {
  const { line, scene, shown } = state;
  if (!state.analysis || !line || shown < 0) return;
  const side = scene.grid.pixel_km ?? 1;
  const series = truthFirst().map((panel) => {
    const { xs, ys } = along(panel, line, shown);
    return { colour: panelColour(panel), xs: xs.map((x) => x * side), ys };
  });
  const values = series.flatMap(({ ys }) => [...ys].filter((value) => !Number.isNaN(value)));
  const [low, high] = values.length ? [Math.min(...values) - 2, Math.max(...values) + 2] : [200, 300];
  const length = side * Math.hypot(line.x1 - line.x0, line.y1 - line.y0);
  drawChart(document.getElementById("transect"), {
    x: { low: 0, high: length, ticks: niceTicks(0, length, 6).map(label), label: scene.grid.pixel_km ? "km from A" : "px from A" },
    // Cold is up: a transect looks like the cloud tops it crosses.
    y: { low: high, high: low, ticks: niceTicks(low, high, 5).map(label), label: "K, cold is up" },
    series,
  });
  const coarse = Math.max(...visiblePanels().map((panel) => (panel.scale === 1 ? levelOf(panel) : 0)));
  document.getElementById("transect-note").textContent = coarse ? `means of ${2 ** coarse}×${2 ** coarse} px` : "";
}

const label = (value) => [value, String(Math.round(value * 1000) / 1000)];

// The largest square of a power of two of shown pixels in the middle of the view: {x, y, side} in highres pixels.
export function spectrumRegion() {
  const fine = Math.min(...inKelvin().map(stepOf));
  const [first, last] = [toFine(0, 0), toFine(state.size.width, state.size.height)];
  const bounds = (from, to, most) => [Math.max(0, from), Math.min(to, most)];
  const [left, right] = bounds(first.x, last.x, state.scene.width);
  const [top, bottom] = bounds(first.y, last.y, state.scene.height);
  const room = Math.min(right - left, bottom - top) / fine;
  if (room < LEAST) return null;
  const side = Math.min(MOST, 2 ** Math.floor(Math.log2(room + 1e-6))) * fine;
  const place = (from, to) => Math.round((from + to - side) / 2 / fine) * fine;
  return { x: place(left, right), y: place(top, bottom), side };
}

const stepOf = (panel) => panel.scale * 2 ** levelOf(panel);

// {xs: wavelength in highres pixels, ys: power} of a panel; null where tiles or half of the pixels are missing.
function spectrumOf(panel, area, frame) {
  const step = stepOf(panel);
  const side = 2 ** Math.floor(Math.log2(area.side / step + 1e-6));
  if (side < 4) return null;
  const read = reader(panel, frame, levelOf(panel));
  const [row, column] = [Math.round(area.y / step), Math.round(area.x / step)];
  const field = new Float64Array(side * side);
  for (let i = 0; i < field.length; i++) {
    const value = read(row + ((i / side) | 0), column + (i % side));
    if (value === PENDING) return null;
    field[i] = value > 0 ? value / STEPS : NaN;
  }
  const power = radialSpectrum(field, side);
  // A mode of a smaller square stands for a wider band: densities compare.
  const density = ((side * step) / area.side) ** 2;
  return power && { xs: power.map((_, i) => (side * step) / (i + 1)), ys: power.map((value) => value * density) };
}

let timer = 0;
let run = 0;

// Compute with a delay and in pieces, so that the page stays responsive.
export function scheduleSpectrum() {
  clearTimeout(timer);
  run += 1;
  if (state.analysis && !state.playing && state.shown >= 0) timer = setTimeout(compute, 120, run);
}

async function compute(mine) {
  const area = spectrumRegion();
  const series = [];
  for (const panel of area ? truthFirst() : []) {
    const found = spectrumOf(panel, area, state.shown);
    if (found) series.push({ colour: panelColour(panel), ...found });
    await new Promise((resolve) => setTimeout(resolve));
    if (mine !== run) return;
  }
  draw(area, series);
}

function draw(area, series) {
  const canvas = document.getElementById("spectrum");
  canvas.dataset.lines = series.length;
  const kilometres = state.scene.grid.pixel_km;
  const unit = kilometres ?? 1;
  const note = document.getElementById("spectrum-note");
  note.textContent = area ? `${Math.round(area.side)}×${Math.round(area.side)} px` : "zoom out: too few pixels";
  const fine = series.length ? Math.min(...series.flatMap(({ xs }) => xs[xs.length - 1])) : 2;
  const powers = series.flatMap(({ ys }) => [...ys].filter((power) => power > 0));
  const [low, high] = powers.length ? [Math.log10(Math.min(...powers)), Math.log10(Math.max(...powers))] : [-6, 1];
  const [least, most] = [Math.max(Math.floor(low), Math.ceil(high) - 12), Math.ceil(high)];
  const exponents = Array.from({ length: most - least + 1 }, (_, i) => least + i);
  const every = Math.ceil(exponents.length / 6);
  const waves = wavelengths(fine * unit, (area?.side ?? 512) * unit);
  drawChart(canvas, {
    x: { low: (area?.side ?? 512) * unit, high: fine * unit, log: true, ticks: waves, label: kilometres ? "wavelength, km" : "wavelength, px" },
    y: {
      low: 10 ** least, high: 10 ** most, log: true,
      ticks: exponents.filter((_, i) => i % every === 0).map((e) => [10 ** e, `10${superscript(e)}`]), label: "power, K²",
    }, // prettier-ignore
    series: series.map(({ xs, ...rest }) => ({ ...rest, xs: xs.map((x) => x * unit) })),
    marks: nyquist(unit, fine * unit),
  });
}

// Below this wavelength the lowres holds nothing.
function nyquist(unit, fine) {
  const coarse = panelOfRole("lowres");
  const limit = coarse && 2 * coarse.scale * unit;
  return limit > fine ? [{ x: limit, text: "lowres limit" }] : [];
}

function wavelengths(low, high) {
  const ticks = [];
  for (let power = 1; power <= high; power *= 2) if (power >= low * 0.99) ticks.push(power);
  const every = Math.ceil(ticks.length / 8);
  return ticks.filter((_, i) => i % every === 0).map((value) => [value, String(value)]);
}

const superscript = (number) => String(number).replace(/[-0-9]/g, (digit) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(digit)]);
