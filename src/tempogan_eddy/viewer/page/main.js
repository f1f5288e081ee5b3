// Open a scene, and draw the parts of the page that changed.

import { drawTransect, scheduleSpectrum } from "./analysis.js";
import { setDifferences } from "./colours.js";
import { attachControls, modes, offerModes, updateControls } from "./controls.js";
import { followCross, updateFacts, updateReadout } from "./facts.js";
import { drawLegend } from "./legend.js";
import { arrange, build, drawAllMarks, drawImages, watchSize } from "./panels.js";
import { pause } from "./playback.js";
import { watchRest } from "./pointer.js";
import { change, state, subscribe } from "./state.js";
import { isPatchy, listen, updateTiles } from "./tiles.js";
import { drawTimeline } from "./timeline.js";
import { fit } from "./view.js";

const WIDE = 1100; // CSS pixels: room for the analysis beside the panels

const tell = (text) => (document.getElementById("status").textContent = text);

async function fetchJson(path) {
  const answer = await fetch(path);
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.detail ?? `${path}: ${answer.status}`);
  return content;
}

async function openScene(number) {
  pause();
  try {
    const scene = await fetchJson(`data/${number}/scene.json`);
    scene.moments = scene.times.map((time) => Date.parse(time));
    for (const panel of scene.panels) panel.absent = new Set(panel.absent);
    show(number, scene);
    tell("");
  } catch (error) {
    tell(error.message);
  }
}

function show(number, scene) {
  const keys = scene.panels.map(({ key }) => key);
  const preferred = (...wanted) => wanted.find((key) => keys.includes(key));
  const left = preferred("bicubic", "lowres") ?? keys[0];
  const { width, height } = scene;
  document.title = `${scene.name} · TempoGAN-Eddy`;
  change({
    number, scene, member: 0, frame: 0, shown: -1, direction: 1, cursor: null, held: false,
    hidden: new Set(scene.panels.filter(({ hidden }) => hidden).map(({ key }) => key)),
    swipe: { left, right: preferred("reconstructed", "truth") ?? keys[keys.length - 1], at: 0.5 },
    line: { x0: 0.1 * width, y0: height / 2, x1: 0.9 * width, y1: height / 2 },
  }); // prettier-ignore
  if (scene.panels.length < 2) change({ layout: "side" });
  offerModes();
  if (!modes().includes(state.mode)) change({ mode: "kelvin" });
  updateControls();
  build();
  fit();
}

function update(changed) {
  if (!state.scene) return;
  watchRest(changed);
  if (changed("cursor", "rested", "below") || (state.rested && !state.playing && changed("arrivals"))) followCross();
  const choices = changed("layout", "member", "below", "mode", "table", "hidden");
  if (choices || changed("map", "speed", "analysis", "drawing", "playing", "number")) updateControls();
  if (changed("layout", "hidden", "threshold") || (changed("swipe") && sidesChanged())) build();
  if (changed("analysis")) arrange();
  const display = changed("scene", "member", "threshold", "view", "size", "layout", "hidden", "mode", "swipe", "analysis") || isPatchy();
  const wanted = display || changed("frame", "arrivals", "rested", "playing", "direction");
  const another = wanted && updateTiles(); // frame, drawn in this same turn
  const picture = display || another;
  if (picture || changed("table")) drawImages();
  if (picture || changed("cursor", "held", "line", "rested", "arrivals", "map", "maps")) {
    drawAllMarks();
    updateReadout();
    drawLegend();
  }
  if (changed("table")) drawLegend();
  if (changed("scene") || another) updateFacts();
  if (changed("scene", "frame", "size")) drawTimeline();
  if (picture || changed("line")) drawTransect();
  if (picture || changed("playing")) scheduleSpectrum();
}

let sides = "";
function sidesChanged() {
  const before = sides;
  sides = `${state.swipe.left} ${state.swipe.right}`;
  return state.layout === "swipe" && sides !== before;
}

async function start() {
  try {
    const index = await fetchJson("data/index.json");
    setDifferences(index.differences);
    change({ index, table: index.colours[0].name, analysis: innerWidth >= WIDE });
    listen(
      () => change({ arrivals: state.arrivals + 1 }),
      (error) => tell(error instanceof TypeError ? "The server has ended; start it again and reload." : error.message),
    );
    subscribe(update);
    attachControls(openScene);
    watchSize();
    await openScene(0);
  } catch (error) {
    tell(error.message);
  }
}

start();
