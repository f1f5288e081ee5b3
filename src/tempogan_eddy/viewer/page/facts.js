// Facts in words: the best track at this time, the kelvin under the cross, the provenance of the files.

import { STEPS } from "./colours.js";
import { PENDING, reader } from "./sample.js";
import { change, panelOfRole, state } from "./state.js";
import { timeText } from "./timeline.js";
import { levelOf } from "./view.js";

const [COLDEST, WARMEST] = [160, 330]; // kelvins that the server takes for a threshold

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

// {value: hundredths or a mark of sample.js, exact: false for the mean of a coarser level} under a place.
export function valueAt(panel, { x, y }) {
  const at = (one, level) => {
    const step = panel.scale * 2 ** level;
    return reader(one, state.shown, level)(Math.floor(y / step), Math.floor(x / step));
  };
  // In a panel of one level nothing coarser replaces a missing tile.
  const value = at({ ...panel, levels: 1 }, 0);
  if (value !== PENDING) return { value, exact: true };
  const level = levelOf(panel);
  return { value: at(panel, level), exact: level === 0 };
}

export function valueText(panel, { value, exact }) {
  if (value === 0) return "missing";
  const text = panel.quantity === "probability" ? `${Math.round(value / STEPS)} %` : `${(value / STEPS).toFixed(2)} K`;
  return value < 0 ? "" : (exact ? "" : "≈ ") + text;
}

// In the mode "cross" the threshold is the kelvin of the members under it, once that is known exactly.
export function followCross() {
  const panel = state.scene.panels.find(({ members }) => members.length);
  const here = state.below === "cross" && panel && state.cursor && valueAt(panel, state.cursor);
  const kelvin = state.below === "cross" ? here?.exact && Math.round(here.value / STEPS) : state.below;
  if (kelvin >= COLDEST && kelvin <= WARMEST) change({ threshold: kelvin });
}

export function updateReadout() {
  const truth = panelOfRole("truth");
  const reference = truth && state.cursor ? valueAt(truth, state.cursor) : null;
  for (const caption of document.querySelectorAll(".caption")) {
    const panel = state.scene.panels.find((one) => one.key === caption.dataset.panel);
    const here = state.cursor && panel && state.shown >= 0 ? valueAt(panel, state.cursor) : null;
    caption.querySelector(".kelvin").textContent = here ? valueText(panel, here) : "";
    const difference = caption.querySelector(".difference");
    const known = here && reference && panel !== truth && panel.quantity === "kelvin" && here.value > 0 && reference.value > 0;
    difference.textContent = known ? "Δ " + signed((here.value - reference.value) / STEPS) : "";
  }
  get("place").textContent = state.cursor ? placeText(state.cursor) : "\u00a0";
}

const signed = (kelvin) => `${kelvin < 0 ? "−" : "+"}${Math.abs(kelvin).toFixed(2)}`;

function placeText({ x, y }) {
  const [column, row] = [Math.floor(x), Math.floor(y)];
  if (column < 0 || row < 0 || column >= state.scene.width || row >= state.scene.height) return "\u00a0";
  const parts = [`row ${row}, column ${column}`];
  const { lat, lon, pixel_km: side } = state.scene.grid;
  if (lat) parts.push(latLon(lat[row], lon[column]));
  const centre = state.scene.track.centre?.[state.shown];
  if (centre) {
    const distance = Math.hypot(x - centre[0], y - centre[1]);
    parts.push(`${side ? `${Math.round(distance * side)} km` : `${distance.toFixed(1)} px`} from the centre`);
  }
  return parts.join(" · ");
}

function latLon(lat, lon) {
  const east = ((lon + 540) % 360) - 180;
  const part = (value, [plus, minus]) => `${Math.abs(value).toFixed(1)}°${value < 0 ? minus : plus}`;
  return `${part(lat, "NS")} ${part(east, "EW")}`;
}
