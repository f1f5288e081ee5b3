// Kelvin along a line, in every panel: the pixels as shown, not interpolated.

import { drawChart, niceTicks } from "./chart.js";
import { STEPS } from "./colours.js";
import { panelColour } from "./palette.js";
import { reader } from "./sample.js";
import { state, visiblePanels } from "./state.js";
import { levelOf } from "./view.js";

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
  // The truth lies under what is compared with it.
  const panels = visiblePanels().toSorted((a, b) => (b.role === "truth") - (a.role === "truth"));
  const series = panels.map((panel) => {
    const { xs, ys } = along(panel, line, shown);
    return { colour: panelColour(panel, scene.panels), xs: xs.map((x) => x * side), ys };
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
