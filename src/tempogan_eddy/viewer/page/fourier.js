// Radially averaged power spectra, as docs/metrics.md defines them, of square fields whose side is a power of two.

const TAPER = 16; // pixels over which the weight rises from 0 at a missing pixel to 1

// In place, of complex numbers, length a power of two.
function transform(real, imaginary) {
  const n = real.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let size = 2; size <= n; size <<= 1) {
    const half = size >> 1;
    const { cos, sin } = circle(size);
    for (let start = 0; start < n; start += size) {
      for (let k = 0; k < half; k++) {
        const [a, b] = [start + k, start + k + half];
        const re = real[b] * cos[k] - imaginary[b] * sin[k];
        const im = real[b] * sin[k] + imaginary[b] * cos[k];
        real[b] = real[a] - re;
        imaginary[b] = imaginary[a] - im;
        real[a] += re;
        imaginary[a] += im;
      }
    }
  }
}

const circles = new Map();
function circle(size) {
  if (!circles.has(size)) {
    const angle = (k) => (-2 * Math.PI * k) / size;
    circles.set(size, {
      cos: Float64Array.from({ length: size / 2 }, (_, k) => Math.cos(angle(k))),
      sin: Float64Array.from({ length: size / 2 }, (_, k) => Math.sin(angle(k))),
    });
  }
  return circles.get(size);
}

// Weights: 0 at missing pixels, 1 far from them; null if nothing is missing, undefined if more than half is.
function weights(field, side) {
  let missing = 0;
  for (const value of field) missing += Number.isNaN(value);
  if (!missing) return null;
  if (missing > field.length / 2) return undefined;
  const distance = Float64Array.from(field, (value) => (Number.isNaN(value) ? 0 : 1e6));
  const reach = (i, row, column, cost) => {
    if (row < 0 || row >= side || column < 0 || column >= side) return;
    distance[i] = Math.min(distance[i], distance[row * side + column] + cost);
  };
  const pass = (order, sign) => {
    for (const row of order) {
      for (const column of order) {
        const i = row * side + column;
        reach(i, row, column - sign, 1);
        reach(i, row - sign, column, 1);
        reach(i, row - sign, column - sign, Math.SQRT2);
        reach(i, row - sign, column + sign, Math.SQRT2);
      }
    }
  };
  const forward = Array.from({ length: side }, (_, i) => i);
  pass(forward, 1);
  pass(forward.toReversed(), -1);
  return distance.map((d) => Math.sin((Math.PI / 2) * Math.min(d / TAPER, 1)) ** 2);
}

// Mean power of a mode, K^2, at k = 1 .. side / 2 cycles a side; null where half of the field is missing.
export function radialSpectrum(field, side) {
  const weight = weights(field, side);
  if (weight === undefined) return null;
  let [sum, total] = [0, 0];
  for (let i = 0; i < field.length; i++) {
    const w = weight ? weight[i] : 1;
    if (w) sum += w * field[i];
    total += w;
  }
  const mean = sum / total;
  const hann = Float64Array.from({ length: side }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (side - 1)));
  const norm = hann.reduce((square, value) => square + value * value, 0) / side;
  const real = new Float64Array(field.length);
  for (let i = 0; i < field.length; i++) {
    const w = weight ? weight[i] : 1;
    if (w) real[i] = ((field[i] - mean) * w * hann[(i / side) | 0] * hann[i % side]) / norm;
  }
  return averageRings(plane(real, side), side);
}

// Power of every mode of the plane.
function plane(real, side) {
  const imaginary = new Float64Array(real.length);
  for (let row = 0; row < side; row++) {
    transform(real.subarray(row * side, (row + 1) * side), imaginary.subarray(row * side, (row + 1) * side));
  }
  const [re, im] = [new Float64Array(side), new Float64Array(side)];
  const power = new Float64Array(real.length);
  for (let column = 0; column < side; column++) {
    for (let row = 0; row < side; row++) [re[row], im[row]] = [real[row * side + column], imaginary[row * side + column]];
    transform(re, im);
    for (let row = 0; row < side; row++) power[row * side + column] = (re[row] ** 2 + im[row] ** 2) / real.length ** 2;
  }
  return power;
}

function averageRings(power, side) {
  const [sums, counts] = [new Float64Array(side / 2 + 1), new Float64Array(side / 2 + 1)];
  const frequency = (i) => (i <= side / 2 ? i : i - side);
  for (let i = 0; i < power.length; i++) {
    const ring = Math.round(Math.hypot(frequency((i / side) | 0), frequency(i % side)));
    if (ring > side / 2) continue;
    sums[ring] += power[i];
    counts[ring] += 1;
  }
  return sums.map((sum, ring) => sum / counts[ring]).subarray(1);
}
