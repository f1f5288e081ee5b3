// Marks over the pictures: cross, storm centre, transect, kelvins written into large pixels.

import { drawMap } from "./map.js";
import { OUTSIDE, reader } from "./sample.js";
import { panelOf, referenceOf, state } from "./state.js";
import { STEPS } from "./colours.js";
import { levelOf, toFine, toScreen } from "./view.js";
import { spectrumRegion } from "./analysis.js";

const LARGE = 44; // CSS pixels: there is room for a number

export function drawMarks(canvas, panels, split = 1) {
  const ratio = canvas.width / state.size.width;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, state.size.width, state.size.height);
  if (state.shown < 0) return;
  panels.forEach((key, place) => {
    context.save();
    const border = split * state.size.width;
    context.beginPath();
    context.rect(place ? border : 0, 0, place ? state.size.width - border : border, state.size.height);
    context.clip();
    numbers(context, panelOf(key));
    context.restore();
  });
  drawMap(context);
  if (state.analysis) region(context);
  if (state.line && state.analysis) line(context);
  centre(context);
  if (state.cursor) cross(context);
}

function stroke(context, colour, width) {
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.stroke();
}

// Legible on black and on white.
function outlined(context, path, colour) {
  context.beginPath();
  path();
  stroke(context, "rgb(0 0 0 / 0.5)", 2.5);
  stroke(context, colour, 1);
}

function write(context, text, x, y, colour) {
  Object.assign(context, { lineWidth: 3, strokeStyle: "rgb(0 0 0 / 0.55)", fillStyle: colour });
  context.strokeText(text, x, y);
  context.fillText(text, x, y);
}

function cross(context) {
  const { x, y } = toScreen(state.cursor.x, state.cursor.y);
  const { width, height } = state.size;
  const arms = [[0, y, x - 7, y], [x + 7, y, width, y], [x, 0, x, y - 7], [x, y + 7, x, height]];
  const path = () => arms.forEach(([x0, y0, x1, y1]) => (context.moveTo(x0, y0), context.lineTo(x1, y1)));
  outlined(context, path, state.held ? "#f0a83a" : "#cdd6e0");
}

function centre(context) {
  const place = state.scene.track.centre?.[state.shown];
  if (!place) return;
  const { x, y } = toScreen(...place);
  outlined(context, () => {
    context.moveTo(x + 5, y);
    context.arc(x, y, 5, 0, 2 * Math.PI);
    // The symbol of a tropical cyclone; it turns the other way south of the equator.
    const side = state.scene.track.center_lat[state.shown] < 0 ? -1 : 1;
    for (const end of [1, -1]) {
      context.moveTo(x - end * side * 5, y);
      context.quadraticCurveTo(x - end * side * 5, y - end * 9, x + end * side * 4, y - end * 12);
    }
  }, "#ff5d73");
}

function line(context) {
  const [from, to] = [toScreen(state.line.x0, state.line.y0), toScreen(state.line.x1, state.line.y1)];
  outlined(context, () => (context.moveTo(from.x, from.y), context.lineTo(to.x, to.y)), "#7fe0c2");
  for (const [name, place] of [["A", from], ["B", to]]) {
    outlined(context, () => context.arc(place.x, place.y, 3, 0, 2 * Math.PI), "#7fe0c2");
    context.font = "600 12px system-ui, sans-serif";
    write(context, name, place.x - 4, place.y - 8, "#7fe0c2");
  }
}

function region(context) {
  const area = spectrumRegion();
  if (!area) return;
  const [from, to] = [toScreen(area.x, area.y), toScreen(area.x + area.side, area.y + area.side)];
  if (area.side >= 0.97 * Math.min(state.scene.width, state.scene.height)) return;
  context.setLineDash([2, 5]);
  context.beginPath();
  context.rect(from.x, from.y, to.x - from.x, to.y - from.y);
  stroke(context, "rgb(255 255 255 / 0.45)", 1);
  context.setLineDash([]);
}

function numbers(context, panel) {
  const side = panel.scale * state.view.zoom;
  if (side < LARGE || levelOf(panel) || referenceOf(panel)) return;
  const [first, last] = [toFine(0, 0), toFine(state.size.width, state.size.height)];
  const read = reader(panel, state.shown, 0);
  context.font = `${Math.min(13, side / 4)}px system-ui, sans-serif`;
  Object.assign(context, { textAlign: "center", textBaseline: "middle" });
  for (let row = Math.floor(first.y / panel.scale); row * panel.scale < last.y; row++) {
    for (let column = Math.floor(first.x / panel.scale); column * panel.scale < last.x; column++) {
      const value = read(row, column);
      if (value <= OUTSIDE) continue;
      const { x, y } = toScreen((column + 0.5) * panel.scale, (row + 0.5) * panel.scale);
      write(context, value ? (value / STEPS).toFixed(panel.quantity === "probability" ? 0 : 1) : "–", x, y, "#fff");
    }
  }
  Object.assign(context, { textAlign: "start", textBaseline: "alphabetic" });
}
