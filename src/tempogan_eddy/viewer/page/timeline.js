// The time axis to scrub on: every frame at its time, gaps hatched, the storm's pressure above.

import { drawLine, fitCanvas } from "./chart.js";
import { go, pause } from "./playback.js";
import { state } from "./state.js";

const canvas = document.getElementById("timeline");
const EDGE = 16;
const HOUR = 3600e3;
let hover = null; // frame under the pointer

const moments = () => state.scene.moments;

// Place of a frame: at its time; in the middle if all times are equal.
function place(frame, width) {
  const times = moments();
  const span = times[times.length - 1] - times[0];
  return EDGE + (span ? (times[frame] - times[0]) / span : 0.5) * (width - 2 * EDGE);
}

function frameAt(x, width) {
  let [low, high] = [0, moments().length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (place(middle, width) < x) low = middle + 1;
    else high = middle;
  }
  return low > 0 && x - place(low - 1, width) < place(low, width) - x ? low - 1 : low;
}

export function timeText(frame) {
  const text = state.scene.times[frame];
  return `${text.slice(0, 10)} ${text.slice(11, 16)}`;
}

export function drawTimeline() {
  if (!state.scene) return;
  const { context, width, height } = fitCanvas(canvas);
  const base = height - 20;
  const label = labelOf(context, hover ?? state.frame, width);
  drawGaps(context, width, base);
  drawDays(context, width, height, base, label);
  drawPressure(context, width, base);
  drawFrames(context, width, base);
  if (hover !== null) drawCursor(context, hover, width, base, "#8a97a8");
  drawCursor(context, state.frame, width, base, "#f0a83a");
  context.fillText(label.text, label.middle, height - 4);
  canvas.setAttribute("aria-valuemax", String(moments().length - 1));
  canvas.setAttribute("aria-valuemin", "0");
  canvas.setAttribute("aria-valuenow", String(state.frame));
  canvas.setAttribute("aria-valuetext", `${timeText(state.frame)} UTC`);
}

function usualStep(times) {
  const steps = times.slice(1).map((time, i) => time - times[i]).sort((a, b) => a - b);
  return steps[steps.length >> 1] || HOUR;
}

function drawGaps(context, width, base) {
  const times = moments();
  const usual = usualStep(times);
  for (let i = 1; i < times.length; i++) {
    if (times[i] - times[i - 1] < 1.5 * usual) continue;
    const [from, to] = [place(i - 1, width) + 2, place(i, width) - 2];
    context.save();
    context.beginPath();
    context.rect(from, 6, to - from, base - 6);
    context.clip();
    for (let x = from - base; x < to; x += 5) drawLine(context, [[x, base], [x + base, 0]], "#3a4553");
    context.restore();
  }
}

function drawDays(context, width, height, base, label) {
  const times = moments();
  const [first, last] = [times[0], times[times.length - 1]];
  const room = ((width - 2 * EDGE) * 24 * HOUR) / Math.max(last - first, HOUR);
  const every = Math.ceil(52 / room) * 24 * HOUR;
  Object.assign(context, { fillStyle: "#8a97a8", textBaseline: "alphabetic", textAlign: "center" });
  for (let day = Math.ceil(first / every) * every; day <= last; day += every) {
    const x = Math.round(EDGE + ((day - first) / (last - first || 1)) * (width - 2 * EDGE)) + 0.5;
    drawLine(context, [[x, 4], [x, base + 5]], "#2a3340");
    const name = new Date(day).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
    const middle = Math.min(Math.max(x, 20), width - 20);
    if (Math.abs(middle - label.middle) > label.half + 20) context.fillText(name, middle, height - 4);
  }
}

function drawPressure(context, width, base) {
  const pressure = state.scene.track.pressure;
  const known = pressure?.filter((value) => value !== null);
  if (!known?.length || known.length < 2) return;
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const y = (value) => base - 6 - ((value - low) / (high - low || 1)) * (base - 14);
  const points = pressure.map((value, frame) => [place(frame, width), value === null ? NaN : y(value)]);
  drawLine(context, points, "rgb(255 93 115 / 0.75)", 1.25);
}

function drawFrames(context, width, base) {
  drawLine(context, [[EDGE, base + 0.5], [width - EDGE, base + 0.5]], "#55606f");
  let before = -Infinity;
  for (let frame = 0; frame < moments().length; frame++) {
    const x = Math.round(place(frame, width)) + 0.5;
    if (x - before < 3) continue;
    before = x;
    drawLine(context, [[x, base], [x, base + 4]], "#55606f");
  }
}

function drawCursor(context, frame, width, base, colour) {
  const x = Math.round(place(frame, width)) + 0.5;
  drawLine(context, [[x, 2], [x, base + 4]], colour, 2);
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, base, 4.5, 0, 2 * Math.PI);
  context.fill();
}

// Time and pressure of a frame, near it and within the edges.
function labelOf(context, frame, width) {
  const pressure = state.scene.track.pressure?.[frame];
  const text = timeText(frame) + (pressure ? `  ${Math.round(pressure)} hPa` : "");
  const half = context.measureText(text).width / 2 + 6;
  return { text, half, middle: Math.min(Math.max(place(frame, width), half + 2), width - half - 2) };
}

const pointed = (event) => {
  const box = canvas.getBoundingClientRect();
  return frameAt(event.clientX - box.left, box.width);
};

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  pause();
  go(pointed(event));
});
canvas.addEventListener("pointermove", (event) => {
  hover = event.pointerType === "mouse" ? pointed(event) : null;
  if (canvas.hasPointerCapture(event.pointerId)) go(pointed(event));
  drawTimeline();
});
canvas.addEventListener("pointerleave", () => {
  hover = null;
  drawTimeline();
});
