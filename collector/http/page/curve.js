// The small curve of a row.

import { SPAN_MS } from "./series.js";

const PAD = 3;

/** The size and colour that CSS gives a canvas; to ask for each curve would cost a layout each. */
export function penOf(canvas) {
  const { color } = getComputedStyle(canvas);
  const { clientWidth: width, clientHeight: height } = canvas;
  return { width, height, colour: color, scale: window.devicePixelRatio };
}

/** Draw the points of the last minutes into `canvas`. */
export function drawCurve(canvas, row, { width, height, colour, scale }) {
  canvas.width = width * scale;
  canvas.height = height * scale;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  const start = Math.max(row.times[0], row.ts - SPAN_MS);
  const first = row.times.findIndex((ts) => ts >= start);
  const values = row.values.slice(first);
  const low = Math.min(...values);
  const [span, size] = [row.times.at(-1) - start || 1, Math.max(...values) - low];
  const x = (i) => PAD + ((row.times[first + i] - start) / span) * (width - 2 * PAD);
  const y = (value) =>
    size ? height - PAD - ((value - low) / size) * (height - 2 * PAD) : height / 2;

  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = 1.5;
  context.lineJoin = "round";
  context.beginPath();
  values.forEach((value, i) => context.lineTo(x(i), y(value)));
  context.stroke();
  context.beginPath();
  const end = values.length - 1;
  context.arc(end ? x(end) : width - PAD, y(values[end]), 2, 0, 2 * Math.PI);
  context.fill();
}
