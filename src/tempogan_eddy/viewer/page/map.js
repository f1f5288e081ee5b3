// Coasts and the graticule over the pictures.

import { drawLine } from "./chart.js";
import { change, state } from "./state.js";
import { toScreen } from "./view.js";

const MOST = 400; // maps to keep
const kept = new Map(); // address -> lines, null until they arrive

const addressOf = (frame) => `data/${state.number}/map-${state.scene.map === "fixed" ? 0 : frame}.json`;

function linesAt(frame) {
  const key = addressOf(frame);
  if (!kept.has(key)) load(key);
  return kept.get(key);
}

async function load(key) {
  kept.set(key, null);
  if (kept.size > MOST) kept.delete(kept.keys().next().value);
  const answer = await fetch(key).catch(() => null); // tiles report a server that has ended
  kept.set(key, answer?.ok ? await answer.json() : []);
  change({ maps: state.maps + 1 });
}

export function drawMap(context) {
  if (!state.map || !state.scene.map) return;
  const lines = linesAt(state.shown) ?? [];
  if (state.shown + 1 < state.scene.times.length) linesAt(state.shown + 1);
  context.font = "10px system-ui, sans-serif";
  for (const line of lines) {
    const points = [];
    for (let i = 0; i < line.at.length; i += 2) {
      const { x, y } = toScreen(line.at[i], line.at[i + 1]);
      points.push([x, y]);
    }
    if (line.kind === "coast") {
      drawLine(context, points, "rgb(0 0 0 / 0.55)", 2.4);
      drawLine(context, points, "#ffe9b0", 1);
    } else {
      drawLine(context, points, "rgb(255 255 255 / 0.28)", 1);
      label(context, line, points);
    }
  }
}

// At the left end of a parallel that is in view, at the lower end of a meridian.
function label(context, { kind, label: text }, points) {
  const { width, height } = state.size;
  const seen = points.filter(([x, y]) => x >= 0 && y >= 0 && x <= width && y <= height);
  if (!seen.length) return;
  const [x, y] = seen.reduce((best, one) => ((kind === "parallel" ? one[0] < best[0] : one[1] > best[1]) ? one : best));
  const [at, up] = [Math.min(x + 3, width - context.measureText(text).width - 2), Math.max(y - 3, 10)];
  Object.assign(context, { lineWidth: 3, strokeStyle: "rgb(0 0 0 / 0.55)", fillStyle: "#dfe6ee" });
  context.strokeText(text, at, up);
  context.fillText(text, at, up);
}
