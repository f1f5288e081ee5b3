// The panels on the page: their frames, captions and canvases, and the slider between two of them.

import { panelColour } from "./colours.js";
import { drawPanels } from "./draw.js";
import { element } from "./facts.js";
import { drawMarks } from "./marks.js";
import { change, isAbsent, panelOf, referenceOf, state, titleOf, visiblePanels } from "./state.js";
import { fit } from "./view.js";
import { attachPointer } from "./pointer.js";

// As in style.css, CSS pixels.
const HEAD = 34;
const LEGEND = 100;
const BESIDE = 340; // the analysis at least
const BELOW = 260;
const BELOW_NARROW = 420;
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

function cell(keys) {
  const figure = element("figure", "cell");
  const figcaption = element("figcaption");
  figcaption.append(...keys.map((key, place) => caption(panelOf(key), keys.length > 1 ? ["left", "right"][place] : null)));
  const stage = element("div", "stage");
  const [image, marks] = [element("canvas", "image"), element("canvas", "marks")];
  image.dataset.panel = keys.join(" ");
  stage.append(image, marks, element("p", "absent"));
  figure.append(figcaption, stage);
  holder.append(figure);
  attachPointer(stage);
  const made = { panels: keys, figcaption, stage, image, marks };
  if (keys.length > 1) made.handle = slider(stage);
  return made;
}

function caption(panel, side) {
  const made = element("div", "caption");
  made.dataset.panel = panel.key;
  const difference = element("output", "difference");
  difference.title = "difference from the truth, K";
  const chip = element("i", "chip");
  chip.style.setProperty("background", panelColour(panel));
  made.title = [panel.note, `${panel.width}×${panel.height} pixels`].filter(Boolean).join("; ");
  made.append(chip, side ? chooser(panel, side) : element("b", "", titleOf(panel)));
  made.append(element("span", "note"));
  made.append(difference, element("output", "kelvin"));
  return made;
}

function chooser(panel, side) {
  const select = element("select");
  select.setAttribute("aria-label", side === "left" ? "Left panel" : "Right panel");
  for (const one of state.scene.panels) select.add(new Option(titleOf(one), one.key, false, one === panel));
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

// Choose the number of columns and the place of the analysis that make the pictures largest.
export function arrange() {
  if (!state.scene || !cells.length) return;
  const main = holder.parentElement;
  const { width, height } = main.getBoundingClientRect();
  const options = analysisPlaces(width - LEGEND, height).flatMap((room) =>
    cells.map((_, i) => {
      const [across, down] = [i + 1, Math.ceil(cells.length / (i + 1))];
      const zoom = Math.min(room.width / across / state.scene.width, (room.height / down - HEAD) / state.scene.height);
      return { ...room, across, down, zoom };
    }),
  );
  const { analysis, across, down, zoom } = options.reduce((best, one) => (one.zoom > best.zoom * 1.02 ? one : best));
  main.dataset.analysis = analysis;
  const style = { "--across": across, "--down": down, "--wide": pixels(across * zoom * state.scene.width), "--high": pixels(down * (zoom * state.scene.height + HEAD)) };
  for (const [name, value] of Object.entries(style)) main.style.setProperty(name, value);
  measure();
}

const pixels = (length) => `${Math.ceil(length)}px`;

// Possible places of the analysis, and the room that they leave to the panels.
function analysisPlaces(width, height) {
  if (!state.analysis) return [{ analysis: "none", width, height }];
  if (innerWidth <= NARROW) return [{ analysis: "below", width, height: height - BELOW_NARROW }];
  return [
    { analysis: "beside", width: width - BESIDE, height },
    { analysis: "below", width, height: height - BELOW },
  ];
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
  for (const { panels, figcaption, image, stage, handle } of cells) {
    drawPanels(image, panels, handle ? state.swipe.at : 1);
    const absent = panels.filter((key) => state.shown >= 0 && isAbsent(panelOf(key), state.shown));
    stage.querySelector(".absent").textContent = absent.length ? "no frame at this time" : "";
    figcaption.querySelectorAll(".note").forEach((note, place) => (note.textContent = noteOf(panelOf(panels[place]))));
    if (!handle) continue;
    handle.style.setProperty("left", `${100 * state.swipe.at}%`);
    handle.setAttribute("aria-valuenow", String(Math.round(100 * state.swipe.at)));
  }
}

// The reference if there is one, else the size.
function noteOf(panel) {
  const reference = referenceOf(panel);
  return reference ? `− ${reference.title.toLowerCase()}` : `${panel.width}×${panel.height}`;
}

export function drawAllMarks() {
  for (const { panels, marks, handle } of cells) drawMarks(marks, panels, handle ? state.swipe.at : 1);
}
