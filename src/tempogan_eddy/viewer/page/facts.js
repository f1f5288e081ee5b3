// Facts in words: what the best track knows at this time, and where the files come from.

import { latLon } from "./readout.js";
import { state } from "./state.js";
import { timeText } from "./timeline.js";

const get = (id) => document.getElementById(id);

export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

export function updateFacts() {
  const { scene } = state;
  const frame = Math.max(state.shown, 0);
  get("time").dateTime = scene.times[frame];
  get("time").textContent = `${timeText(frame)} UTC`;
  get("count").textContent = `frame ${frame + 1} of ${scene.times.length}`;
  document.body.dataset.shown = String(state.shown);
  const { center_lat: lats, center_lon: lons, grade, pressure, wind, satellite } = scene.track;
  const rows = [
    ["Centre", lats, (lat) => (lons?.[frame] ?? null) !== null && latLon(lat, lons[frame])],
    ["Grade", grade, String],
    ["Pressure", pressure, (value) => `${Math.round(value)} hPa`],
    ["Wind", wind, (value) => `${Math.round(value)} kt`],
    ["Satellite", satellite, String],
  ];
  get("facts").replaceChildren(
    ...rows.filter(([, values]) => values).map(([name, values, text]) => {
      const pair = element("div");
      pair.append(element("dt", "", name), element("dd", "", (values[frame] !== null && text(values[frame])) || "–"));
      return pair;
    }),
  );
}

export function showAbout() {
  const { origin } = state.scene;
  const commands = [...origin.commands, state.index.command].filter(Boolean);
  get("facts-of-files").replaceChildren(...origin.facts.flatMap(factsOf));
  get("commands").textContent = [`# with TempoGAN-Eddy ${state.index.version}`, ...commands].join("\n");
  get("about").showModal();
}

function factsOf({ title, rows }) {
  const list = element("dl");
  for (const [name, text] of rows) list.append(element("dt", "", name), element("dd", "", text));
  return [element("h3", "", title), list];
}
