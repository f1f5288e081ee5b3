// The colour bar: kelvin on one side, degrees Celsius on the other, and where the cross is in every panel.

import { fitCanvas, niceTicks } from "./chart.js";
import { css, differenceStops, mix, MOST_DIFFERENCE, STEPS } from "./colours.js";
import { panelColour } from "./palette.js";
import { valueAt } from "./readout.js";
import { referenceOf, state, visiblePanels } from "./state.js";

const CELSIUS = 273.15;
const BAR = { x: 42, width: 14, top: 30, bottom: 52 };

export function drawLegend() {
  if (!state.scene) return;
  const { context, width, height } = fitCanvas(document.getElementById("legend"));
  const table = state.index.colours.find((entry) => entry.name === state.table);
  const differences = state.mode !== "kelvin";
  const stops = differences ? differenceStops : table.stops;
  const [low, high] = [stops[0][0], stops[stops.length - 1][0]];
  const bottom = height - BAR.bottom;
  const toY = (value) => bottom - ((value - low) / (high - low)) * (bottom - BAR.top);
  for (let y = BAR.top; y < bottom; y++) {
    context.fillStyle = css(mix(stops, low + ((bottom - y - 0.5) / (bottom - BAR.top)) * (high - low)));
    context.fillRect(BAR.x, y, BAR.width, 1);
  }
  context.strokeStyle = "#3a4553";
  context.strokeRect(BAR.x - 0.5, BAR.top - 0.5, BAR.width + 1, bottom - BAR.top + 1);
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  labels(context, differences ? niceTicks(-MOST_DIFFERENCE, MOST_DIFFERENCE, 8) : niceTicks(low, high, 16), toY, "right", BAR.x - 6);
  heading(context, differences ? "ΔK" : "K", BAR.x - 6, "right");
  if (!differences) {
    const celsius = niceTicks(low - CELSIUS, high - CELSIUS, 16);
    labels(context, celsius, (value) => toY(value + CELSIUS), "left", BAR.x + BAR.width + 6);
    heading(context, "°C", BAR.x + BAR.width + 6, "left");
  }
  context.fillStyle = css(table.missing);
  context.fillRect(BAR.x, height - 40, BAR.width, 12);
  context.fillStyle = "#8a97a8";
  context.textAlign = "center";
  context.fillText("missing", BAR.x + BAR.width / 2, height - 18);
  if (state.cursor && state.shown >= 0) pointers(context, toY, low, high);
}

function labels(context, ticks, toY, align, x) {
  context.fillStyle = "#aab5c3";
  context.strokeStyle = "#55606f";
  context.textAlign = align;
  for (const value of ticks) {
    const y = Math.round(toY(value)) + 0.5;
    const edge = align === "right" ? BAR.x - 4 : BAR.x + BAR.width;
    context.beginPath();
    context.moveTo(edge, y);
    context.lineTo(edge + 4, y);
    context.stroke();
    context.fillText(String(value).replace("-", "−"), x, y);
  }
}

function heading(context, text, x, align) {
  context.fillStyle = "#6d7a8b";
  context.textAlign = align;
  context.fillText(text, x, 12);
}

function pointers(context, toY, low, high) {
  for (const panel of visiblePanels()) {
    const [here, reference] = [valueAt(panel, state.cursor).value, referenceOf(panel)];
    const other = reference ? valueAt(reference, state.cursor).value : 0;
    // In a picture of differences the panel that others are compared with has no place on the bar.
    if (here <= 0 || other < 0 || (state.mode !== "kelvin" && !reference)) continue;
    const y = toY(Math.min(Math.max((here - other) / STEPS, low), high));
    context.beginPath();
    context.moveTo(BAR.x + BAR.width - 3, y);
    context.lineTo(BAR.x + BAR.width + 6, y - 5);
    context.lineTo(BAR.x + BAR.width + 6, y + 5);
    context.closePath();
    context.fillStyle = panelColour(panel, state.scene.panels);
    context.strokeStyle = "#0b0e13";
    context.stroke();
    context.fill();
  }
}
