// The state of the page. Subscribers are called once a screen frame with the names that changed.

export const state = {
  index: null, // scenes, palettes
  number: 0, // of the scene
  member: 0, // of panels that have members: a number, or "mean"
  below: 225, // kelvin of the probability, or "cross": that of the members under the cross
  threshold: 225, // whole kelvins, as `below` has them now
  scene: null, // its description
  frame: 0, // requested
  shown: -1, // drawn: the last requested frame whose tiles had all arrived
  direction: 1, // in which the frame last moved
  playing: false,
  speed: 6, // frames a second
  layout: "side",
  swipe: { left: null, right: null, at: 0.5 },
  hidden: new Set(), // keys of panels
  mode: "kelvin", // or the role of the panel to subtract: "truth", "bicubic"
  table: null, // name of the palette
  size: { width: 0, height: 0 }, // of every panel, CSS pixels
  view: { x: 0, y: 0, zoom: 1, fitted: true }, // centre in highres pixels, CSS pixels a highres pixel
  cursor: null, // {x, y} in highres pixels
  held: false, // the cross stays though the pointer moves
  rested: false, // the cross has stood still
  line: null, // transect, {x0, y0, x1, y1} in highres pixels
  map: true, // coasts and graticule
  maps: 0, // maps that arrived
  drawing: false, // dragging draws a transect
  analysis: false,
  arrivals: 0, // tiles
};

const listeners = [];
let changed = new Set();

export function subscribe(listener) {
  listeners.push(listener);
}

export function change(parts) {
  for (const [key, value] of Object.entries(parts)) {
    if (state[key] === value) continue;
    state[key] = value;
    if (!changed.size) requestAnimationFrame(announce);
    changed.add(key);
  }
}

function announce() {
  const keys = changed;
  changed = new Set();
  for (const listener of listeners) listener((...names) => names.some((name) => keys.has(name)));
}

export const panelOf = (key) => state.scene.panels.find((panel) => panel.key === key);
export const panelOfRole = (role) => state.scene.panels.find((panel) => panel.role === role);

// Panels on the screen, in order.
export function visiblePanels() {
  if (state.layout === "swipe") return [panelOf(state.swipe.left), panelOf(state.swipe.right)];
  return state.scene.panels.filter((panel) => !state.hidden.has(panel.key));
}

// The panel to subtract from a panel in the present mode; never itself.
export function referenceOf(panel) {
  if (panel.quantity !== "kelvin") return null;
  const reference = state.mode === "kelvin" ? null : panelOfRole(state.mode);
  return reference && reference !== panel ? reference : null;
}

// The name of a panel, of its member or of its threshold in addresses.
export function pathOf({ key, members, thresholds }) {
  if (thresholds.length) return `${key}.${state.threshold}`;
  if (!members.length) return key;
  return `${key}.${state.member === "mean" ? "mean" : Math.min(state.member, members.length - 1)}`;
}

export const titleOf = ({ title, thresholds }) => (thresholds.length ? `P(T < ${state.threshold} K)` : title);

export const isAbsent = (panel, frame) => panel.absent.has(frame);
