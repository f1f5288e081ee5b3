// The head of the page: the time, and what the best track knows at it.

import { latLon } from "./readout.js";
import { state } from "./state.js";
import { timeText } from "./timeline.js";

export function updateFacts() {
  const { scene } = state;
  const frame = Math.max(state.shown, 0);
  document.getElementById("time").dateTime = scene.times[frame];
  document.getElementById("time").textContent = `${timeText(frame)} UTC`;
  document.getElementById("count").textContent = `frame ${frame + 1} of ${scene.times.length}`;
  document.body.dataset.shown = String(state.shown);
  const { track } = scene;
  const at = (name) => track[name]?.[frame] ?? null;
  const [lat, lon] = [at("center_lat"), at("center_lon")];
  const rows = [
    ["Centre", lat === null || lon === null ? null : latLon(lat, lon)],
    ["Grade", at("grade")],
    ["Pressure", at("pressure") === null ? null : `${Math.round(at("pressure"))} hPa`],
    ["Wind", at("wind") === null ? null : `${Math.round(at("wind"))} kt`],
    ["Satellite", at("satellite")],
  ];
  const known = { Centre: track.center_lat, Grade: track.grade, Pressure: track.pressure, Wind: track.wind, Satellite: track.satellite };
  document.getElementById("facts").replaceChildren(
    ...rows.filter(([name]) => known[name]).map(([name, value]) => {
      const [pair, term, detail] = ["div", "dt", "dd"].map((tag) => document.createElement(tag));
      [term.textContent, detail.textContent] = [name, value ?? "–"];
      pair.append(term, detail);
      return pair;
    }),
  );
}
