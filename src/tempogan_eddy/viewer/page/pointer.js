// Mouse, pen and fingers on a panel: cross, drag, wheel, pinch, transect.

import { change, state } from "./state.js";
import { pan, toFine, zoomAt } from "./view.js";

const STILL = 4; // CSS pixels: less is a click
const WHEEL = 1 / 400;

export function attachPointer(stage) {
  const pointers = new Map(); // id -> {x, y}
  let moved = 0;
  let start = null; // of a transect, highres pixels
  let spread = 0; // between two fingers
  let latest = null; // place of the mouse with fractions of pixels, which wheel events lack

  const place = (event) => {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const point = (at) => {
    if (!state.held) change({ cursor: toFine(at.x, at.y), rested: false });
  };

  stage.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    stage.setPointerCapture(event.pointerId);
    const at = place(event);
    pointers.set(event.pointerId, at);
    moved = pointers.size > 1 ? Infinity : 0;
    start = pointers.size === 1 && (state.drawing || event.shiftKey) ? toFine(at.x, at.y) : null;
    spread = distance();
  });

  stage.addEventListener("pointermove", (event) => {
    const at = place(event);
    latest = at;
    const before = pointers.get(event.pointerId);
    if (before) {
      pointers.set(event.pointerId, at);
      moved += Math.hypot(at.x - before.x, at.y - before.y);
      if (start) drawLine(at);
      else if (pointers.size === 1 && moved > STILL) pan(at.x - before.x, at.y - before.y);
      else if (pointers.size === 2) pinch(at, before);
    }
    if (event.pointerType === "mouse" && (!before || start)) point(at);
  });

  const end = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    if (moved <= STILL && event.type === "pointerup" && !start) click(event);
    if (start && moved > STILL) change({ drawing: false });
    start = null;
    spread = distance();
  };
  stage.addEventListener("pointerup", end);
  stage.addEventListener("pointercancel", end);
  stage.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse" && !state.held && !pointers.size) change({ cursor: null });
  });
  stage.addEventListener("dblclick", (event) => zoomAt(place(event), event.shiftKey ? 0.5 : 2));
  stage.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 16 : 1;
      const rough = place(event);
      const at = latest && Math.hypot(latest.x - rough.x, latest.y - rough.y) < 1.5 ? latest : rough;
      zoomAt(at, Math.exp(-Math.min(Math.max(event.deltaY * lines, -240), 240) * WHEEL));
      point(at);
    },
    { passive: false },
  );

  // A click holds the cross and lets it go; a tap puts it there.
  function click(event) {
    const at = place(event);
    const hold = event.pointerType !== "mouse" || !state.held;
    change({ held: hold, cursor: toFine(at.x, at.y), rested: false });
  }

  function drawLine(at) {
    const to = toFine(at.x, at.y);
    change({ line: { x0: start.x, y0: start.y, x1: to.x, y1: to.y }, analysis: true });
  }

  function distance() {
    const [one, other] = [...pointers.values()];
    return other ? Math.hypot(one.x - other.x, one.y - other.y) : 0;
  }

  function pinch(at, before) {
    const [one, other] = [...pointers.values()];
    const middle = { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 };
    pan((at.x - before.x) / 2, (at.y - before.y) / 2);
    if (spread > 0) zoomAt(middle, distance() / spread);
    spread = distance();
  }
}

// Fetch the exact kelvin once the cross stands still.
let timer = 0;
export function watchRest(changed) {
  if (!changed("cursor") || !state.cursor) return;
  clearTimeout(timer);
  timer = setTimeout(() => change({ rested: true }), 60);
}
