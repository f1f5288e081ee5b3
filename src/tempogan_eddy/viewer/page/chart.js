// A small line chart on a canvas, and the canvas and the lines that other drawings share.

const MARGIN = { left: 42, right: 10, top: 8, bottom: 30 };

export function niceTicks(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((part) => part * power).find((candidate) => candidate >= raw * 0.999);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) ticks.push(i * step);
  return ticks;
}

export function fitCanvas(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const [across, down] = [Math.round(width * devicePixelRatio), Math.round(height * devicePixelRatio)];
  if (canvas.width !== across || canvas.height !== down) [canvas.width, canvas.height] = [across, down];
  const context = canvas.getContext("2d");
  context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = "11px system-ui, sans-serif";
  return { context, width, height };
}

// Draw a line through points [x, y]; NaN interrupts it.
export function drawLine(context, points, colour, width = 1) {
  Object.assign(context, { strokeStyle: colour, lineWidth: width, lineJoin: "round" });
  context.beginPath();
  let pen = false;
  for (const [x, y] of points) {
    if (pen) context.lineTo(x, y);
    else context.moveTo(x, y);
    pen = !Number.isNaN(y);
  }
  context.stroke();
}

// x, y: {low, high, log, ticks: [[value, text]], label}; series: [{colour, xs, ys}], NaN is a break; marks: [{x, text}]
// vertical lines.
export function drawChart(canvas, { x, y, series, marks = [] }) {
  const { context, width, height } = fitCanvas(canvas);
  if (!width) return;
  const scale = ({ low, high, log }, from, to) => {
    const map = log ? Math.log : (value) => value;
    return (value) => from + ((map(value) - map(low)) / (map(high) - map(low))) * (to - from);
  };
  const area = { left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: height - MARGIN.bottom };
  const [toX, toY] = [scale(x, area.left, area.right), scale(y, area.bottom, area.top)];
  drawAxes(context, area, x, y, toX, toY);
  for (const mark of marks) drawMark(context, area, toX(mark.x), mark.text);
  context.save();
  context.beginPath();
  context.rect(area.left, area.top, area.right - area.left, area.bottom - area.top);
  context.clip();
  for (const { colour, xs, ys } of series) drawLine(context, Array.from(xs, (x, i) => [toX(x), toY(ys[i])]), colour, 1.4);
  context.restore();
}

function drawAxes(context, area, x, y, toX, toY) {
  Object.assign(context, { fillStyle: "#8a97a8", textBaseline: "middle", textAlign: "right" });
  for (const [value, text] of y.ticks) {
    const at = Math.round(toY(value)) + 0.5;
    drawLine(context, [[area.left, at], [area.right, at]], "#1e2631");
    context.fillText(text, area.left - 6, at);
  }
  Object.assign(context, { textBaseline: "top", textAlign: "center" });
  for (const [value, text] of x.ticks) {
    const at = Math.round(toX(value)) + 0.5;
    drawLine(context, [[at, area.top], [at, area.bottom]], "#1e2631");
    context.fillText(text, at, area.bottom + 4);
  }
  Object.assign(context, { fillStyle: "#6d7a8b", textAlign: "right" });
  context.fillText(x.label, area.right, area.bottom + 17);
  context.textAlign = "left";
  context.fillText(y.label, area.left, area.bottom + 17);
}

function drawMark(context, area, at, text) {
  context.setLineDash([3, 3]);
  drawLine(context, [[at, area.top], [at, area.bottom]], "#55606f");
  context.setLineDash([]);
  Object.assign(context, { fillStyle: "#8a97a8", textAlign: "right", textBaseline: "top" });
  context.fillText(text, at - 4, area.top + 2);
}
