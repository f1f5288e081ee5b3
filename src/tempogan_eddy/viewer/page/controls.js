// Buttons, menus and keys.

import { element, showAbout } from "./facts.js";
import { slideTo } from "./panels.js";
import { faster, SPEEDS, step, toggle } from "./playback.js";
import { change, panelOfRole, state } from "./state.js";
import { fit, pan, toFine, toScreen, zoomAt } from "./view.js";

const get = (id) => document.getElementById(id);
const MODES = { kelvin: "Kelvin", truth: "Minus truth", bicubic: "Minus bicubic" };

export function attachControls(openScene) {
  for (const [id, key] of Object.entries(BUTTONS)) get(id).addEventListener("click", () => KEYS[key]());
  get("scene").addEventListener("change", () => openScene(Number(get("scene").value)));
  for (const name of ["member", "below"]) get(name).addEventListener("change", () => change({ [name]: choice(get(name).value) }));
  for (const name of ["table", "mode"]) get(name).addEventListener("change", () => change({ [name]: get(name).value }));
  get("speed").addEventListener("change", () => change({ speed: Number(get("speed").value) }));
  get("tool").addEventListener("click", () => change({ drawing: !state.drawing }));
  for (const button of get("layout").children) button.addEventListener("click", () => change({ layout: button.dataset.value }));
  for (const speed of SPEEDS) get("speed").add(new Option(`${speed} /s`, String(speed)));
  for (const table of state.index.colours) get("table").add(new Option(table.title, table.name));
  state.index.scenes.forEach((name, number) => get("scene").add(new Option(name, String(number))));
  document.addEventListener("keydown", onKey);
  // A menu that keeps the focus would take the keys that follow.
  document.addEventListener("change", (event) => event.target.tagName === "SELECT" && event.target.blur());
}

// Of a menu whose values are numbers or words.
const choice = (value) => (Number.isNaN(Number(value)) ? value : Number(value));

export const modes = () => Object.keys(MODES).filter((mode) => mode === "kelvin" || panelOfRole(mode));

// Names of the members of the panel that has most.
const members = () => state.scene.panels.reduce((most, { members }) => (members.length > most.length ? members : most), []);

// Values and words of the menus of members and of thresholds.
function offered() {
  const names = members().map((name, number) => [number, `Member ${name}`]);
  const kelvins = state.scene.panels.find(({ thresholds }) => thresholds.length)?.thresholds ?? [];
  const cross = state.index.live && kelvins.length ? [["cross", "P below the cross"]] : [];
  return {
    member: names.length > 1 ? [...names, ["mean", "Mean"]] : [],
    below: [...kelvins.map((kelvin) => [kelvin, `P below ${kelvin} K`]), ...cross],
  };
}

const nextOffered = (name) => {
  const values = offered()[name].map(([value]) => value);
  if (values.length) change({ [name]: next(values, state[name]) });
};

export function offerModes() {
  for (const [name, choices] of Object.entries(offered())) {
    get(name).replaceChildren(...choices.map(([value, text]) => new Option(text, value)));
    get(name).hidden = choices.length < 2;
  }
  get("shown-panels").replaceChildren(...state.scene.panels.map(panelSwitch));
  get("mode").replaceChildren(...modes().map((mode) => new Option(MODES[mode], mode)));
  get("mode").hidden = modes().length < 2;
  get("map-button").hidden = !state.scene.map;
  get("layout").hidden = state.scene.panels.length < 2;
}

export function updateControls() {
  get("scene").value = String(state.number);
  for (const box of get("shown-panels").querySelectorAll("input")) box.checked = !state.hidden.has(box.value);
  for (const name of ["member", "below", "table", "mode", "speed"]) get(name).value = String(state[name]);
  get("map-button").setAttribute("aria-pressed", String(state.map));
  get("analyse").setAttribute("aria-pressed", String(state.analysis));
  get("tool").setAttribute("aria-pressed", String(state.drawing));
  get("play").setAttribute("aria-label", state.playing ? "Pause" : "Play");
  document.body.dataset.playing = String(state.playing);
  document.body.dataset.drawing = String(state.drawing);
  showAnalysis(get("analysis"));
  for (const button of get("layout").children) button.setAttribute("aria-pressed", String(button.dataset.value === state.layout));
}

// On a phone it lies below the panels.
function showAnalysis(analysis) {
  const opens = analysis.hidden && state.analysis;
  analysis.hidden = !state.analysis;
  if (opens) requestAnimationFrame(() => analysis.scrollIntoView({ block: "nearest" }));
}

const next = (list, item) => list[(list.indexOf(item) + 1) % list.length];

const KEYS = {
  " ": toggle,
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
  PageUp: () => step(-10),
  PageDown: () => step(10),
  Home: () => step(-Infinity),
  End: () => step(Infinity),
  ",": () => faster(-1),
  ".": () => faster(1),
  "+": () => zoomAt(anchor(), 1.5),
  "=": () => zoomAt(anchor(), 1.5),
  "-": () => zoomAt(anchor(), 1 / 1.5),
  0: fit,
  h: () => nudge(-1, 0),
  j: () => nudge(0, 1),
  k: () => nudge(0, -1),
  l: () => nudge(1, 0),
  w: () => state.scene.panels.length > 1 && change({ layout: state.layout === "swipe" ? "side" : "swipe" }),
  "[": () => slideTo(state.swipe.at - 0.02),
  "]": () => slideTo(state.swipe.at + 0.02),
  c: () => change({ table: next(state.index.colours.map(({ name }) => name), state.table) }),
  d: () => change({ mode: next(modes(), state.mode) }),
  m: () => nextOffered("member"),
  p: () => nextOffered("below"),
  s: () => get("show").showModal(),
  g: () => change({ map: !state.map }),
  a: () => change({ analysis: !state.analysis }),
  t: () => change({ drawing: !state.drawing, analysis: true }),
  Escape: () => change({ held: false, cursor: null, drawing: false }),
  i: showAbout,
  "?": () => get("help").showModal(),
};

// The key that does the same as a button.
const BUTTONS = { first: "Home", back: "ArrowLeft", play: " ", forward: "ArrowRight", last: "End", analyse: "a", "show-button": "s", "map-button": "g", "about-button": "i", "help-button": "?" };

const SHIFTED = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") || event.target.tagName === "SELECT") return;
  // Space and Enter press the button that has the focus.
  if (event.target.tagName === "BUTTON" && event.key === " ") return;
  const letter = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.shiftKey && SHIFTED[event.key]) pan(...SHIFTED[event.key]);
  else if (event.target.className === "handle" && event.key.startsWith("Arrow")) {
    slideTo(state.swipe.at + (event.key === "ArrowLeft" ? -0.02 : 0.02));
  } else if (/^[1-9]$/.test(event.key)) togglePanel(Number(event.key) - 1);
  else if (KEYS[letter]) KEYS[letter]();
  else return;
  event.preventDefault();
}

const anchor = () => (state.cursor ? toScreen(state.cursor.x, state.cursor.y) : { x: state.size.width / 2, y: state.size.height / 2 });

function nudge(x, y) {
  const from = state.cursor ?? toFine(state.size.width / 2, state.size.height / 2);
  const within = (value, most) => Math.min(Math.max(Math.floor(value), 0), most - 1) + 0.5;
  const to = { x: within(from.x + x, state.scene.width), y: within(from.y + y, state.scene.height) };
  change({ cursor: to, held: true, rested: false });
}

// A box to tick for a panel.
function panelSwitch(panel, place) {
  const [label, box] = [element("label"), element("input")];
  Object.assign(box, { type: "checkbox", value: panel.key });
  box.addEventListener("change", () => {
    togglePanel(place);
    box.checked = !state.hidden.has(panel.key);
  });
  label.append(box, element("span", "", panel.title), element("small", "", panel.note));
  return label;
}

function togglePanel(place) {
  const panel = state.scene.panels[place];
  if (!panel) return;
  const hidden = new Set(state.hidden);
  if (!hidden.delete(panel.key)) hidden.add(panel.key);
  // One always stays.
  if (hidden.size < state.scene.panels.length) change({ hidden });
}

