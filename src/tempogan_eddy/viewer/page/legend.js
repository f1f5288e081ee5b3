// The colour bars of kelvins, differences, spread and probability, with the values under the cross.

import { drawLine, fitCanvas, niceTicks } from "./chart.js";
import { css, differenceStops, mix, panelColour, STEPS } from "./colours.js";
import { valueAt } from "./facts.js";
import { referenceOf, state, visiblePanels } from "./state.js";

const CELSIUS = 273.15;
const BAR = { x: 42, width: 14 };
const TOP = 30;
const MISSING = 46; // height of the note on missing pixels
const TICK = 36; // least CSS pixels between labels

export function drawLegend() {
  if (!state.scene) return;
  const { context, height } = fitCanvas(document.getElementById("legend"));
  context.textBaseline = "middle";
  const table = state.index.colours.find((entry) => entry.name === state.table);
  const plain = (quantity) => visiblePanels().filter((panel) => panel.quantity === quantity && !referenceOf(panel));
  const bars = [
    { panels: visiblePanels().filter(referenceOf), stops: differenceStops, draw: drawPlain("ΔK") },
    { panels: plain("kelvin"), stops: table.stops, draw: drawKelvins },
    { panels: plain("spread"), stops: state.index.quantities.spread.stops, draw: drawPlain("spread, K") },
    { panels: plain("probability"), stops: state.index.quantities.probability.stops, draw: drawPlain("share, %") },
  ].filter(({ panels }) => panels.length);
  const room = (height - MISSING) / bars.length;
  bars.forEach(({ panels, stops, draw }, i) => {
    const place = { top: i * room + TOP, bottom: (i + 1) * room - 8, low: stops[0][0], high: stops[stops.length - 1][0] };
    place.toY = (value) => place.bottom - ((value - place.low) / (place.high - place.low)) * (place.bottom - place.top);
    drawBar(context, stops, place);
    draw(context, place);
    if (state.cursor && state.shown >= 0) for (const panel of panels) drawPointer(context, panel, place);
  });
  drawMissing(context, table, height - MISSING);
}

function drawBar(context, stops, { top, bottom, low, high }) {
  for (let y = Math.ceil(top); y < bottom; y++) {
    context.fillStyle = css(mix(stops, low + ((bottom - y - 0.5) / (bottom - top)) * (high - low)));
    context.fillRect(BAR.x, y, BAR.width, 1);
  }
  context.strokeStyle = "#3a4553";
  context.lineWidth = 1;
  context.strokeRect(BAR.x - 0.5, Math.ceil(top) - 0.5, BAR.width + 1, Math.floor(bottom - top) + 1);
}

function drawKelvins(context, place) {
  const { low, high, toY } = place;
  drawLabels(context, place, "K", ticksOf(place, low, high), toY, "right");
  const celsius = ticksOf(place, low - CELSIUS, high - CELSIUS);
  drawLabels(context, place, "°C", celsius, (value) => toY(value + CELSIUS), "left");
}

// Of a bar with one scale the name is in the middle, where there is room for a word.
const drawPlain = (name) => (context, place) => {
  drawLabels(context, place, "", ticksOf(place, place.low, place.high), place.toY, "right");
  context.textAlign = "center";
  context.fillText(name, BAR.x + BAR.width / 2, place.top - 18);
};

const ticksOf = ({ top, bottom }, low, high) => niceTicks(low, high, Math.max(2, (bottom - top) / TICK));

function drawLabels(context, { top }, heading, ticks, toY, side) {
  const [edge, x] = side === "right" ? [BAR.x - 4, BAR.x - 6] : [BAR.x + BAR.width, BAR.x + BAR.width + 6];
  Object.assign(context, { textAlign: side, fillStyle: "#aab5c3" });
  for (const value of ticks) {
    const y = Math.round(toY(value)) + 0.5;
    drawLine(context, [[edge, y], [edge + 4, y]], "#55606f");
    context.fillText(String(value).replace("-", "−"), x, y);
  }
  context.fillStyle = "#7c8999";
  context.fillText(heading, x, top - 18);
}

function drawPointer(context, panel, { low, high, toY }) {
  const [here, reference] = [valueAt(panel, state.cursor).value, referenceOf(panel)];
  const other = reference ? valueAt(reference, state.cursor).value : 0;
  if (here <= 0 || (reference && other <= 0)) return;
  const y = toY(Math.min(Math.max((here - other) / STEPS, low), high));
  context.beginPath();
  context.moveTo(BAR.x + BAR.width - 3, y);
  context.lineTo(BAR.x + BAR.width + 6, y - 5);
  context.lineTo(BAR.x + BAR.width + 6, y + 5);
  context.closePath();
  context.fillStyle = panelColour(panel);
  context.strokeStyle = "#0b0e13";
  context.stroke();
  context.fill();
}

function drawMissing(context, table, top) {
  context.fillStyle = css(table.missing);
  context.fillRect(BAR.x, top + 6, BAR.width, 12);
  context.fillStyle = "#8a97a8";
  context.textAlign = "center";
  context.fillText("missing", BAR.x + BAR.width / 2, top + 28);
}
