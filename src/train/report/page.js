// Draws the panels of the page: curves or stacked shares as SVG, values under the pointer, a linear or a logarithmic axis.
"use strict";
const NS = "http://www.w3.org/2000/svg";
const HEIGHT = 230, LEFT = 54, RIGHT = 14, TOP = 16, BOTTOM = 24;

const colour = (k) => `var(--c${k % 12})`;

function make(name, attributes, parent, text) {
  const e = document.createElementNS(NS, name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  if (text !== undefined) e.textContent = text;
  parent?.append(e);
  return e;
}

function tag(name, parent, text, classes) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (classes) e.className = classes;
  parent?.append(e);
  return e;
}

function short(v) {
  if (v === null || v === undefined) return "not finite";
  const a = Math.abs(v);
  if (a !== 0 && (a < 1e-3 || a >= 1e6)) return v.toExponential(2).replace(/\.?0+e/, "e").replace("-", "−").replace("e-", "e−").replace("e+", "e");
  return String(Number(v.toPrecision(4))).replace("-", "−");
}

const steps = (v) => v.toLocaleString("en");

// About `n` even numbers between two ends.
function ticks(from, to, n) {
  const raw = (to - from) / Math.max(1, n), base = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((k) => k * base).find((s) => s >= raw * 0.999) || base * 10;
  const out = [];
  for (let k = Math.ceil(from / step - 1e-9); k * step <= to + step * 1e-9; k++) out.push(Number((k * step).toPrecision(12)));
  return out;
}

function logTicks(from, to) {
  const decades = Math.log10(to / from), out = [];
  const within = decades > 6 ? [1] : decades > 2 ? [1, 3] : decades > 0.8 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 7, 8];
  const every = Math.max(1, Math.ceil(decades / 8));
  for (let d = Math.floor(Math.log10(from)); d <= Math.ceil(Math.log10(to)); d++)
    if (d % every === 0) for (const k of within) out.push(k * 10 ** d);
  return out.filter((v) => v >= from * 0.999 && v <= to * 1.001);
}

// The greatest place whose step is not beyond `x`, or the next if that is nearer.
function nearest(list, x) {
  let low = 0, high = list.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (list[middle] <= x) low = middle; else high = middle - 1;
  }
  return low + 1 < list.length && list[low + 1] - x < x - list[low] ? low + 1 : low;
}

// Layers on top of each other: for each the lower and the upper edge.
function stacked(series, off) {
  const sum = series[0].x.map(() => 0);
  return series.map((s, k) => {
    const low = sum.slice();
    if (!off.has(k)) s.y.forEach((v, i) => (sum[i] += v ?? 0));
    return { low, high: sum.slice() };
  });
}

// Ends of the vertical axis: of what is drawn bold, and of the rest without the hundredth that lies furthest out.
function ends(panel, off, log) {
  if (panel.kind === "stack") return [0, 1];
  const good = (v) => v !== null && (!log || v > 0);
  let low = Infinity, high = -Infinity;
  panel.series.forEach((s, k) => {
    if (off.has(k)) return;
    for (const v of s.y) if (good(v)) { low = Math.min(low, v); high = Math.max(high, v); }
    const raw = (s.raw?.y ?? []).filter(good).sort((a, b) => a - b);
    if (raw.length) {
      low = Math.min(low, raw[Math.floor(raw.length * 0.01)]);
      high = Math.max(high, raw[Math.ceil(raw.length * 0.99) - 1]);
    }
  });
  if (panel.even !== undefined && good(panel.even)) { low = Math.min(low, panel.even); high = Math.max(high, panel.even); }
  if (low > high) return log ? [0.1, 1] : [0, 1];
  if (log) {
    const room = Math.max((high / low) ** 0.04, 1.02);
    return [low / room, high * room];
  }
  if (low >= 0 && low < 0.35 * high) low = 0;
  const room = (high - low || Math.abs(high) || 1) * 0.04;
  return [low === 0 ? 0 : low - room, high + room];
}

function path(x, y, px, py) {
  let out = "", pen = false;
  for (let i = 0; i < x.length; i++) {
    const v = y[i] === null ? NaN : py(y[i]);
    if (!Number.isFinite(v)) { pen = false; continue; }
    out += `${pen ? "L" : "M"}${px(x[i]).toFixed(1)} ${v.toFixed(1)}`;
    pen = true;
  }
  return out;
}

function draw(view) {
  const { panel, plot, off, log } = view;
  const width = Math.max(220, plot.clientWidth), right = width - RIGHT, bottom = HEIGHT - BOTTOM;
  const [low, high] = ends(panel, off, log);
  const px = (x) => LEFT + ((x - first) / (last - first)) * (right - LEFT);
  const scale = log ? Math.log : (v) => v;
  const py = (v) => (log && v <= 0 ? NaN : bottom - ((scale(v) - scale(low)) / (scale(high) - scale(low))) * (bottom - TOP));
  plot.replaceChildren();
  const svg = make("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: "img", "aria-label": label(panel) }, plot);
  const clip = `clip${view.number}`;
  make("rect", { x: LEFT, y: TOP - 2, width: right - LEFT, height: bottom - TOP + 4 }, make("clipPath", { id: clip }, svg));
  for (const v of log ? logTicks(low, high) : ticks(low, high, 5)) {
    make("line", { class: "grid", x1: LEFT, x2: right, y1: py(v), y2: py(v) }, svg);
    make("text", { x: LEFT - 6, y: py(v) + 4, "text-anchor": "end" }, svg, short(v));
  }
  for (const v of ticks(first, last, Math.max(2, Math.floor(width / 110))))
    if (Number.isInteger(v)) {
      const ends = px(v) > right - 4 * steps(v).length;
      make("text", { x: ends ? Math.min(px(v) + 12, right + RIGHT) : px(v), y: HEIGHT - 7, "text-anchor": ends ? "end" : "middle" }, svg, steps(v));
    }
  let free = LEFT;
  for (const [x, name] of panel.marks) {
    if (px(x) > LEFT + 1) make("line", { class: "mark", x1: px(x), x2: px(x), y1: 2, y2: bottom }, svg);
    if (px(x) >= free && px(x) < right - 20) {
      make("text", { x: px(x) + (px(x) > LEFT + 1 ? 4 : 0), y: 10 }, svg, name);
      free = px(x) + 10 + 7 * name.length;
    }
  }
  const inside = make("g", { "clip-path": `url(#${clip})` }, svg);
  if (panel.kind === "stack") {
    stacked(panel.series, off).forEach(({ low, high }, k) => {
      const x = panel.series[k].x, back = x.map((_, i) => `L${px(x[x.length - 1 - i]).toFixed(1)} ${py(low[x.length - 1 - i]).toFixed(1)}`);
      if (!off.has(k)) make("path", { d: path(x, high, px, py) + back.join("") + "Z", style: `fill:${colour(k)}`, "fill-opacity": 0.85 }, inside);
    });
  } else {
    panel.series.forEach((s, k) => {
      if (s.raw && !off.has(k)) make("path", { class: "raw", d: path(s.raw.x, s.raw.y, px, py), style: `stroke:${colour(k)}` }, inside);
    });
    panel.series.forEach((s, k) => {
      if (off.has(k)) return;
      make("path", { class: "curve", d: path(s.x, s.y, px, py), style: `stroke:${colour(k)}` }, inside);
      if (s.x.length < 60) s.x.forEach((x, i) => s.y[i] !== null && make("circle", { class: "dot", cx: px(x), cy: py(s.y[i]) || 0, r: 3, style: `fill:${colour(k)}` }, inside));
      const measured = s.raw ?? s;
      measured.y.forEach((v, i) => v === null && make("line", { class: "gap", x1: px(measured.x[i]), x2: px(measured.x[i]), y1: bottom - 10, y2: bottom }, inside));
    });
  }
  if (panel.even !== undefined) make("line", { class: "even", x1: LEFT, x2: right, y1: py(panel.even), y2: py(panel.even) }, svg);
  const over = make("g", {}, svg);
  Object.assign(view, { over, px, py, right, bottom });
}

// What somebody hears who does not see the panel; the table has the figures.
function label(panel) {
  const say = (s) => {
    const finite = s.y.filter((v) => v !== null);
    return finite.length ? `${s.name} from ${short(finite[0])} to ${short(finite[finite.length - 1])}` : s.name;
  };
  return `${panel.title} by step: ${panel.series.map(say).join("; ")}`;
}

function point(view, x) {
  const { panel, over, px, py, plot, off } = view;
  over.replaceChildren();
  plot.querySelector(".tip")?.remove();
  if (x === null) return;
  const at = panel.series.find((s, k) => !off.has(k) && s.x.length);
  if (!at) return;
  const step = at.x[nearest(at.x, x)], tip = tag("div", plot, undefined, "tip");
  tag("small", tip, `step ${steps(step)}`);
  make("line", { class: "hair", x1: px(step), x2: px(step), y1: TOP, y2: view.bottom }, over);
  const layers = panel.kind === "stack" ? stacked(panel.series, off) : null;
  panel.series.forEach((s, k) => {
    if (off.has(k) || !s.x.length) return;
    const i = nearest(s.x, step), v = s.y[i], y = py(layers ? layers[k].high[i] : v ?? NaN);
    // A curve that has nothing near this step says nothing here.
    if (Math.abs(px(s.x[i]) - px(step)) > 24) return;
    if (Number.isFinite(y) && !layers) make("circle", { class: "dot", cx: px(s.x[i]), cy: y, r: 4, style: `fill:${colour(k)}` }, over);
    const line = tag("div", tip);
    line.style.setProperty("--own", colour(k));
    tag("i", line);
    line.append(s.name);
    const raw = s.raw ? s.raw.y[nearest(s.raw.x, step)] : undefined;
    tag("span", line, short(v));
    if (raw !== undefined) tag("small", line, `(${short(raw)})`);
  });
  const room = plot.clientWidth - tip.offsetWidth, beside = px(step) + 12;
  tip.style.left = `${Math.max(0, beside > room ? px(step) - tip.offsetWidth - 12 : beside)}px`;
  view.at = step;
}

function show(panel, number, main) {
  const figure = tag("figure", main, undefined, `card ${panel.kind}`), caption = tag("figcaption", figure);
  tag("b", caption, panel.title);
  tag("small", caption, panel.about);
  const plot = tag("div", figure, undefined, "plot"), view = { panel, number, plot, off: new Set(), log: panel.log };
  const positive = panel.kind === "lines" && panel.series.every((s) => s.y.every((v) => v === null || v > 0));
  if (positive) {
    const other = tag("button", caption, view.log ? "linear" : "log");
    other.title = "the other kind of axis";
    other.onclick = () => {
      view.log = !view.log;
      other.textContent = view.log ? "linear" : "log";
      draw(view);
    };
  }
  if (panel.series.length > 1) {
    const legend = tag("div", figure, undefined, "legend");
    panel.series.forEach((s, k) => {
      const b = tag("button", legend);
      b.style.setProperty("--own", colour(k));
      tag("i", b);
      b.append(s.name);
      b.setAttribute("aria-pressed", "true");
      b.onclick = () => {
        view.off.has(k) ? view.off.delete(k) : view.off.add(k);
        b.setAttribute("aria-pressed", String(!view.off.has(k)));
        draw(view);
      };
    });
  }
  plot.tabIndex = 0;
  const here = (e) => first + ((e.clientX - plot.getBoundingClientRect().left - LEFT) / (view.right - LEFT)) * (last - first);
  plot.onpointermove = plot.onpointerdown = (e) => point(view, here(e));
  plot.onpointerleave = plot.onblur = () => point(view, null);
  plot.onkeydown = (e) => {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
    if (!way) return;
    e.preventDefault();
    const next = (view.at ?? first) + (way * (last - first)) / 50;
    point(view, Math.min(last, Math.max(first, next)));
  };
  return view;
}

const main = document.getElementById("panels");
const panels = JSON.parse(document.getElementById("data").textContent);
// All panels share their steps, so that what lies above each other belongs together.
const reach = panels.flatMap((p) => p.series.flatMap((s) => [s.x[0], s.x[s.x.length - 1]])).filter((v) => v !== undefined);
const first = Math.min(...reach), last = Math.max(...reach, first + 1);
const views = panels.map((panel, k) => show(panel, k, main));
const redraw = () => views.forEach(draw);
redraw();
let waiting;
addEventListener("resize", () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(redraw); });
