// Frames in time: step, play, pause.

import { change, state } from "./state.js";

export const SPEEDS = [1, 2, 4, 6, 10, 15, 25];
let timer = 0;

export function go(frame) {
  const last = state.scene.times.length - 1;
  const next = Math.min(Math.max(frame, 0), last);
  if (next !== state.frame) change({ direction: next > state.frame ? 1 : -1, frame: next });
}

export const step = (count) => {
  pause();
  go(state.frame + count);
};

export function pause() {
  clearTimeout(timer);
  change({ playing: false });
}

export function toggle() {
  if (state.playing) pause();
  else if (state.scene.times.length > 1) {
    change({ playing: true });
    advance(performance.now());
  }
}

// Never faster than frames arrive: request the next frame once this one is on the screen.
function advance(due) {
  if (!state.playing) return;
  const now = performance.now();
  if (state.shown === state.frame && now >= due - 2) {
    const last = state.scene.times.length - 1;
    change({ direction: 1, frame: state.frame === last ? 0 : state.frame + 1 });
    due = Math.max(due + 1000 / state.speed, now);
  }
  timer = setTimeout(advance, Math.max(4, Math.min(due - now, 40)), due);
}

export function faster(by) {
  const place = SPEEDS.indexOf(state.speed) + by;
  change({ speed: SPEEDS[Math.min(Math.max(place, 0), SPEEDS.length - 1)] });
}
