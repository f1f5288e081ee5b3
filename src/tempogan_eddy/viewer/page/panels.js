// The panels on the page: their frames, captions and canvases, and the slider between two of them.

import { drawPanels } from "./draw.js";
import { drawMarks } from "./marks.js";
import { panelColour } from "./palette.js";
import { change, isAbsent, panelOf, state, visiblePanels } from "./state.js";
import { fit } from "./view.js";
import { attachPointer } from "./pointer.js";

// As in style.css, CSS pixels.
const HEAD = 34;
const LEGEND = 100;
const ANALYSIS = 340;
const NARROW = 760;

const holder = document.getElementById("panels");
let cells = []; // {panels: [keys], stage, image, marks}

export function build() {
  holder.replaceChildren();
  holder.dataset.layout = state.layout;
  cells =
    state.layout === "swipe"
      ? [cell([state.swipe.left, state.swipe.right])]
      : visiblePanels().map((panel) => cell([panel.key]));
  arrange();
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function cell(keys) {
  const figure = element("figure", "cell");
  const captions = element("figcaption");
  captions.append(...keys.map((key, place) => caption(panelOf(key), keys.length > 1 ? ["left", "right"][place] : null)));
  const stage = element("div", "stage");
  const [image, marks] = [element("canvas", "image"), element("canvas", "marks")];
  image.dataset.panel = keys.join(" ");
  stage.append(image, marks, element("p", "absent"));
  figure.append(captions, stage);
  holder.append(figure);
  attachPointer(stage);
  const made = { panels: keys, stage, image, marks };
  if (keys.length > 1) made.handle = slider(stage);
  return made;
}

function caption(panel, side) {
  const made = element("div", "caption");
  made.dataset.panel = panel.key;
  const difference = element("output", "difference");
  difference.title = "difference from the truth, K";
  const chip = element("i", "chip");
  chip.style.setProperty("background", panelColour(panel, state.scene.panels));
  made.title = [panel.note, `${panel.width}×${panel.height} pixels`].filter(Boolean).join("; ");
  made.append(chip, side ? chooser(panel, side) : element("b", "", panel.title));
  made.append(element("span", "note", panel.scale > 1 ? `${panel.width}×${panel.height}, ×${panel.scale} coarser` : `${panel.width}×${panel.height}`));
  made.append(difference, element("output", "kelvin"));
  return made;
}

function chooser(panel, side) {
  const select = element("select");
  select.setAttribute("aria-label", side === "left" ? "Left panel" : "Right panel");
  for (const one of state.scene.panels) select.add(new Option(one.title, one.key, false, one === panel));
  select.addEventListener("change", () => change({ swipe: { ...state.swipe, [side]: select.value } }));
  return select;
}

function slider(stage) {
  const handle = element("div", "handle");
  handle.tabIndex = 0;
  handle.setAttribute("role", "slider");
  handle.setAttribute("aria-label", "Border between the two panels");
  handle.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    handle.setPointerCapture(event.pointerId);
  });
  handle.addEventListener("pointermove", (event) => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const box = stage.getBoundingClientRect();
    slideTo((event.clientX - box.left) / box.width);
  });
  stage.append(handle);
  return handle;
}

export function slideTo(at) {
  change({ swipe: { ...state.swipe, at: Math.min(Math.max(at, 0), 1) } });
}

// As many columns as make the pictures largest.
export function arrange() {
  if (!state.scene || !cells.length) return;
  const { width, height } = room();
  const options = cells.map((_, i) => {
    const [across, down] = [i + 1, Math.ceil(cells.length / (i + 1))];
    const zoom = Math.min(width / across / state.scene.width, (height / down - HEAD) / state.scene.height);
    return { across, down, zoom };
  });
  const { across, down } = options.reduce((best, one) => (one.zoom > best.zoom * 1.02 ? one : best));
  holder.style.setProperty("--across", across);
  holder.style.setProperty("--down", down);
  // What the pictures leave is for the analysis.
  const wanted = across * Math.ceil((height / down - HEAD) * (state.scene.width / state.scene.height));
  holder.parentElement.style.setProperty("--wanted", state.analysis ? `${wanted}px` : "100%");
  measure();
}

// What panels may take at most.
function room() {
  const { width, height } = holder.parentElement.getBoundingClientRect();
  if (innerWidth <= NARROW) return holder.getBoundingClientRect();
  return { width: width - LEGEND - (state.analysis ? ANALYSIS : 0), height };
}

function measure() {
  if (!cells.length) return;
  const { width, height } = cells[0].stage.getBoundingClientRect();
  for (const { image, marks } of cells) {
    for (const canvas of [image, marks]) {
      [canvas.width, canvas.height] = [Math.round(width * devicePixelRatio), Math.round(height * devicePixelRatio)];
    }
  }
  change({ size: { width, height } });
  if (state.view.fitted) fit();
}

export function watchSize() {
  const observer = new ResizeObserver(arrange);
  observer.observe(holder.parentElement);
  observer.observe(holder);
}

export function drawImages() {
  for (const { panels, image, stage, handle } of cells) {
    drawPanels(image, panels, handle ? state.swipe.at : 1);
    const absent = panels.filter((key) => state.shown >= 0 && isAbsent(panelOf(key), state.shown));
    stage.querySelector(".absent").textContent = absent.length ? "no frame at this time" : "";
    if (!handle) continue;
    handle.style.setProperty("left", `${100 * state.swipe.at}%`);
    handle.setAttribute("aria-valuenow", String(Math.round(100 * state.swipe.at)));
  }
}

export function drawAllMarks() {
  for (const { panels, marks, handle } of cells) drawMarks(marks, panels, handle ? state.swipe.at : 1);
}
