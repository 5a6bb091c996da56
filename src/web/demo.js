// A page to try a model with. What it shows follows from the shapes of the model:
//   an input [n, 2] of coordinates with an output [n, 3] or [n, 1]   → the picture that the network paints
//   an input [b, s*s], an output [b, classes] and whole numbers [b]    → a pad to draw on, and the scores
//   anything else                                                      → values that are drawn or come with the model

import { load, spec } from "./model.js";

const at = (id) => document.getElementById(id);
function make(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes)) k in e && k !== "list" ? (e[k] = v) : e.setAttribute(k, v);
  e.append(...children);
  return e;
}
const named = (i) => make("h2", {}, i.name, " ", make("small", {}, `${i.type}${i.axes.length ? `[${i.axes.join(", ")}]` : ""}`));
const button = (text, onclick) => make("button", { type: "button", onclick }, text);

// Drawn values: the same for the same page.
let state = 7;
function uniform() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
function drawn(input, shape) {
  const below = typeof input.below === "function" ? input.below(dims) : dims[input.below] ?? input.below ?? 2;
  const one = input.type === "f32" ? normal : () => Math.floor(uniform() * (input.type === "bool" ? 2 : below));
  return { shape, data: Array.from({ length: shape.reduce((n, s) => n * s, 1) }, one) };
}

// Names may be any: none of these objects has names of its own.
const bare = (...parts) => Object.assign(Object.create(null), ...parts);
const dims = bare(spec.dims);
const sized = (i) => i.shape.map((a) => (typeof a === "string" ? dims[a] : typeof a === "function" ? a(dims) : a));
const fixed = (i) => i.shape.every((a) => typeof a === "number");
const conditions = bare(), inputs = bare();
const exampleOf = (name) => (demo.examples && Object.hasOwn(demo.examples, name) ? demo.examples[name] : undefined);
let model, demo, task = () => null, shows = [], wanted;

/** Says something above everything else. */
function say(text, wrong = false) {
  at("message").textContent = text;
  at("message").classList.toggle("wrong", wrong);
  at("message").setAttribute("role", wrong ? "alert" : "status");
}

// One run at a time; what changes meanwhile is run afterwards.
let busy = false, again = false;
async function update() {
  if (busy) return void (again = true);
  busy = true;
  do {
    again = false;
    try {
      model.prepare(conditions);
      const values = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, typeof value === "function" ? value() : value]));
      const start = performance.now();
      const out = await model.run(values, { dims, outputs: wanted });
      const time = performance.now() - start;
      shows.forEach((show) => show(out));
      say("");
      const numbers = demo.numbers.toLocaleString("en");
      at("footer").textContent = `${numbers} weights · ${time.toFixed(1)} ms for this run, results read back · computed by WebGPU on this machine`;
    } catch (e) {
      say(e.message, true);
    }
  } while (again);
  busy = false;
  document.body.dataset.done = String(1 + Number(document.body.dataset.done ?? 0));
}

function slider(text, value, set, span = 3) {
  const out = make("output", {}, value.toFixed(2));
  const range = make("input", { type: "range", min: -span, max: span, step: 0.01, value });
  range.oninput = () => {
    out.textContent = Number(range.value).toFixed(2);
    set(Number(range.value));
    update();
  };
  const move = (v) => {
    range.value = v;
    out.textContent = v.toFixed(2);
  };
  return [make("label", { className: "slider" }, text, range, out), move];
}

/** A control for a condition. */
function control(c) {
  const legend = make("legend", {}, c.name);
  const box = make("fieldset", {}, legend);
  const set = (value) => {
    conditions[c.name] = value;
    if (c.kind === "size") dims[c.name] = value;
  };
  const example = exampleOf(c.name);
  const choices = c.allowed ?? (c.type === "i32" && c.below <= 16 ? Array.from({ length: c.below }, (_, k) => k) : null);
  if (!c.shape.length && choices) {
    set(c.default ?? choices[0]);
    const one = (v) => make("label", {}, make("input", { type: "radio", name: c.name, value: v, checked: v === conditions[c.name], onchange: () => (set(v), update()) }), make("span", {}, v));
    box.append(make("div", { className: "choices" }, ...choices.map(one)));
    if (demo.orders?.condition === c.name) task = () => demo.orders.of.find(([g]) => g === conditions[c.name])?.[1];
  } else if (!c.shape.length && c.type === "f32") {
    const start = c.default ?? example?.data[0] ?? 0;
    set(start);
    box.append(slider(c.name, start, set, Math.max(3, 2 * Math.abs(start)))[0]);
  } else if (!c.shape.length) {
    set(c.default ?? example?.data[0] ?? (c.kind === "size" ? 4 : 0));
    const field = make("input", { type: "number", value: conditions[c.name], min: 0, ariaLabel: c.name });
    if (c.below) legend.append(" ", make("small", {}, `0 to ${c.below - 1}`));
    field.onchange = () => (set(Math.max(0, Math.round(Number(field.value)))), update());
    box.append(field);
  } else if (c.type === "f32" && fixed(c) && c.shape.length === 1) {
    // Some components, and a way along one direction of all of them.
    const base = [...(example?.data ?? (Array.isArray(c.default) ? c.default : c.default !== undefined ? Array(c.shape[0]).fill(c.default) : drawn(c, c.shape).data))];
    let direction = base.map(normal), along = 0;
    const give = () => set(base.map((v, k) => v + along * direction[k]));
    give();
    const [way, reset] = slider("direction", 0, (v) => ((along = v), give()), 2);
    const parts = base.slice(0, 4).map((v, k) => slider(`${c.name}[${k}]`, v, (x) => ((base[k] = x), give())));
    const fresh = (all) => () => {
      if (all) base.forEach((_, k) => parts[k]?.[1]((base[k] = normal())) ?? (base[k] = base[k] || normal()));
      direction = base.map(normal);
      reset((along = 0));
      give();
      update();
    };
    box.append(way, ...parts.map((p) => p[0]));
    box.append(make("div", { className: "row" }, button("Another direction", fresh(false)), button(`Another ${c.name}`, fresh(true))));
  } else {
    const fresh = () => set(drawn(c, sized(c)));
    example ? set(example) : fresh();
    box.append(button("Draw other values", () => (fresh(), update())));
  }
  return box;
}

const card = (title, ...children) => make("section", { className: "card" }, title, ...children);

// The picture that a network of coordinates paints.
function painting(input, output) {
  const canvas = make("canvas", { className: "paint", role: "img", ariaLabel: `the picture of ${output.name}` });
  const detail = make("select", { ariaLabel: "points along an edge" }, ...[32, 64, 128, 256].map((n) => make("option", { value: n, selected: n === 128 }, `${n} × ${n}`)));
  let reach = 12;
  const grid = () => {
    const side = Number(detail.value), data = new Float32Array(2 * side * side);
    for (let k = 0; k < side * side; k++) {
      data[2 * k] = reach * ((2 * (k % side) + 1) / side - 1);
      data[2 * k + 1] = reach * ((2 * Math.floor(k / side) + 1) / side - 1);
    }
    dims[input.shape[0]] = side * side;
    return { shape: [side * side, 2], data };
  };
  let points = grid();
  inputs[input.name] = () => points;
  detail.onchange = () => ((points = grid()), update());
  shows.push((out) => {
    const { data, shape: [count, channels] } = out[output.name];
    const side = Math.sqrt(count), image = new ImageData(side, side);
    const ends = Array.from({ length: channels }, () => [Infinity, -Infinity]);
    data.forEach((v, k) => {
      const e = ends[k % channels];
      if (v < e[0]) e[0] = v;
      if (v > e[1]) e[1] = v;
    });
    for (let k = 0; k < count; k++) {
      for (let c = 0; c < 3; c++) {
        const [low, high] = ends[c % channels];
        image.data[4 * k + c] = (255 * (data[k * channels + (c % channels)] - low)) / (high - low || 1);
      }
      image.data[4 * k + 3] = 255;
    }
    canvas.width = canvas.height = side;
    canvas.getContext("2d").putImageData(image, 0, 0);
  });
  const [zoom] = slider("reach", reach, (v) => ((reach = v), (points = grid())), 24);
  zoom.querySelector("input").min = 0.5;
  const caption = make("figcaption", {}, "Each point of the square is one row of the input, from −reach to reach along both axes; colours are stretched to their full range.");
  const about = card(named(input), zoom, make("div", { className: "row" }, detail, "points"), make("div", { className: "row" }, caption));
  return [about, card(named(output), make("figure", {}, canvas))];
}

// A pad to draw on; the model sees it coarsely, as its data were made.
function pad(input, side, output) {
  const FINE = 4, n = side * FINE;
  const ink = new Float32Array(n * n);
  const canvas = make("canvas", { className: "pad", width: 320, height: 320, tabIndex: 0, role: "application", ariaLabel: "Drawing pad. Arrow keys move, space draws, delete clears." });
  const seen = make("canvas", { className: "seen", width: side, height: side, role: "img", ariaLabel: "what the model sees" });
  const example = exampleOf(input.name);
  const full = example ? Math.max(...example.data) : 1;
  let image = new Float32Array(side * side), next = 0, last = null, cursor = null;

  /** The drawing, moved and scaled to fill the square, as means over the cells. */
  const coarse = () => {
    let [x0, y0, x1, y1] = [n, n, -1, -1];
    ink.forEach((v, k) => {
      if (v < 0.25) return;
      const x = k % n, y = Math.floor(k / n);
      [x0, y0, x1, y1] = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x), Math.max(y1, y)];
    });
    image = new Float32Array(side * side);
    if (x1 < 0) return;
    const scale = Math.max(x1 - x0, y1 - y0, n / 3) / (n - 1), [mx, my] = [(x0 + x1) / 2, (y0 + y1) / 2];
    for (let k = 0; k < n * n; k++) {
      const x = Math.round(mx + ((k % n) - (n - 1) / 2) * scale), y = Math.round(my + (Math.floor(k / n) - (n - 1) / 2) * scale);
      const on = x >= 0 && y >= 0 && x < n && y < n ? ink[y * n + x] : 0;
      image[Math.floor(Math.floor(k / n) / FINE) * side + Math.floor((k % n) / FINE)] += (on * full) / FINE ** 2;
    }
  };
  const given = () => {
    const order = task();
    return order ? order.map((c) => image[c]) : image;
  };
  const paint = () => {
    const c = canvas.getContext("2d"), cell = 320 / n;
    c.clearRect(0, 0, 320, 320);
    c.fillStyle = "#f3efe2";
    ink.forEach((v, k) => {
      c.globalAlpha = v;
      if (v) c.fillRect((k % n) * cell, Math.floor(k / n) * cell, cell, cell);
    });
    c.globalAlpha = 1;
    if (cursor) {
      c.strokeStyle = "#8db4f5";
      c.strokeRect(cursor[0] * cell - 6, cursor[1] * cell - 6, 12, 12);
    }
    const s = seen.getContext("2d"), pixels = s.createImageData(side, side);
    given().forEach((v, k) => pixels.data.set([...Array(3).fill(20 + (235 * v) / full), 255], 4 * k));
    s.putImageData(pixels, 0, 0);
  };
  const stroke = ([x0, y0], [x1, y1]) => {
    const steps = Math.max(1, Math.ceil(2 * Math.hypot(x1 - x0, y1 - y0))), r = FINE * 0.55;
    for (let t = 0; t <= steps; t++) {
      const [x, y] = [x0 + ((x1 - x0) * t) / steps, y0 + ((y1 - y0) * t) / steps];
      for (let j = Math.max(0, Math.floor(y - r)); j <= Math.min(n - 1, y + r); j++)
        for (let i = Math.max(0, Math.floor(x - r)); i <= Math.min(n - 1, x + r); i++) if (Math.hypot(i - x, j - y) <= r) ink[j * n + i] = 1;
    }
    coarse();
    paint();
    update();
  };
  const clear = () => {
    ink.fill(0);
    coarse();
    paint();
    update();
  };
  const show = () => {
    const data = example.data.slice(next * side * side, (next + 1) * side * side);
    next = (next + 1) % (example.data.length / side ** 2);
    image = Float32Array.from(data);
    ink.forEach((_, k) => (ink[k] = data[Math.floor(Math.floor(k / n) / FINE) * side + Math.floor((k % n) / FINE)] / full));
    paint();
    update();
  };
  const place = (e) => [(e.offsetX / canvas.clientWidth) * n, (e.offsetY / canvas.clientHeight) * n];
  canvas.onpointerdown = (e) => {
    canvas.setPointerCapture(e.pointerId);
    cursor = null;
    stroke((last = place(e)), last);
  };
  canvas.onpointermove = (e) => last && stroke(last, (last = place(e)));
  canvas.onpointerup = canvas.onpointercancel = () => (last = null);
  canvas.onkeydown = (e) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (!move && e.key !== " " && e.key !== "Delete") return;
    e.preventDefault();
    if (e.key === "Delete") return clear();
    cursor ??= [n / 2, n / 2];
    if (move) cursor = cursor.map((v, k) => Math.min(n, Math.max(0, v + 2 * move[k])));
    e.key === " " || e.shiftKey ? stroke(cursor, cursor) : paint();
  };
  inputs[input.name] = () => ({ shape: [1, ...sized(input).slice(1)], data: given() });
  dims[input.shape[0]] = 1;
  const bars = make("div", { className: "scores" });
  const classes = output.shape[1];
  const rows = Array.from({ length: classes }, (_, k) => [make("b", {}, k), make("i"), make("span")]);
  bars.append(...rows.flat());
  const best = make("div", { className: "big", ariaLive: "polite" });
  shows.push((out) => {
    paint();
    const data = [...out[output.name].data], top = Math.max(...data);
    const odds = data.map((v) => Math.exp(v - top)), sum = odds.reduce((a, b) => a + b, 0);
    best.textContent = image.some((v) => v) ? data.indexOf(top) : "–";
    rows.forEach(([name, bar, text], k) => {
      [name, bar].forEach((e) => e.classList.toggle("best", data[k] === top));
      bar.style.width = `${(100 * odds[k]) / sum}%`;
      text.textContent = `${((100 * odds[k]) / sum).toFixed(1)} %`;
    });
  });
  const buttons = make("div", { className: "row" }, button("Clear", clear), ...(example ? [button("Example", show)] : []));
  const note = demo.orders?.input === input.name ? `What the model sees: each ${demo.orders.condition} has the pixels in an order of its own.` : "What the model sees.";
  const sees = make("figure", { className: "row" }, seen, make("figcaption", { style: "flex: 1" }, note));
  if (example) queueMicrotask(show);
  return [card(make("h2", {}, `Draw ${input.name}`), canvas, buttons, sees), card(named(output), best, bars)];
}

/** Any output as numbers, bars or a map of colours. */
function view(o) {
  const body = make("div"), rest = make("tbody");
  const numbers = make("details", {}, make("summary", {}, "Numbers"), make("table", {}, rest));
  shows.push((out) => {
    const { shape, data } = out[o.name];
    const columns = shape.length > 1 ? shape.at(-1) : o.type === "f32" && data.length > 24 ? Math.ceil(Math.sqrt(data.length * 4)) : data.length;
    const number = (v) => (Number.isInteger(v) ? v : Number(v.toPrecision(4)));
    numbers.hidden = data.length <= 1 || (o.type !== "f32" && data.length <= 24);
    if (numbers.hidden) {
      body.replaceChildren(make("div", { className: "big" }, [...data].map(number).join(", ") || "empty"));
      return;
    }
    const lines = Math.ceil(data.length / columns), most = data.reduce((m, v) => Math.max(m, Number.isFinite(v) ? Math.abs(v) : 0), 0) || 1;
    const map = make("canvas", { className: "heat", width: columns, height: lines, role: "img", ariaLabel: `${o.name} as colours` });
    map.style.aspectRatio = `${columns} / ${Math.max(lines, columns / 16)}`;
    const c = map.getContext("2d"), image = c.createImageData(columns, lines);
    data.forEach((v, k) => image.data.set([...(v < 0 ? [200, 85, 61] : [47, 95, 179]), Math.min(255, (255 * Math.abs(v)) / most)], 4 * k));
    c.putImageData(image, 0, 0);
    rest.replaceChildren();
    for (let r = 0; r < Math.min(lines, 12); r++) {
      const cells = [...data.slice(r * columns, Math.min((r + 1) * columns, r * columns + 16))];
      rest.append(make("tr", {}, ...cells.map((v) => make("td", {}, number(v)))));
    }
    const about = make("figcaption", {}, `[${shape.join(", ")}], blue above zero, red below; the largest is ${number(most)}`);
    body.replaceChildren(make("figure", {}, map, about));
  });
  return card(named(o), body, numbers);
}

/** Free dims and inputs for a model of no known kind. */
function generic() {
  for (const i of spec.inputs) i.shape.forEach((a, k) => typeof a === "string" && (dims[a] ??= exampleOf(i.name)?.shape[k] ?? 4));
  for (const f of spec.families) f.dims.forEach((d) => spec.measures.some((m) => m.dim === d) || (dims[d] ??= 4));
  const free = Object.keys(dims).filter((d) => !(d in spec.dims) && !spec.inputs.some((i) => i.name === d));
  const fill = (random) => {
    for (const i of spec.inputs.filter((i) => !i.condition)) {
      const example = exampleOf(i.name), shape = sized(i);
      const fits = example && !random && String(example.shape) === String(shape);
      inputs[i.name] = fits ? example : drawn(i, shape);
    }
    for (const c of spec.inputs.filter((i) => i.condition && !fixed(i) && i.name in conditions)) conditions[c.name] = drawn(c, sized(c));
  };
  fill(false);
  const size = (d) => {
    const field = make("input", { type: "number", min: 0, max: 4096, value: dims[d], id: `dim-${d}` });
    field.onchange = () => {
      dims[d] = Math.min(4096, Math.max(0, Math.round(Number(field.value))));
      fill(false);
      update();
    };
    return make("div", { className: "row" }, make("label", { htmlFor: `dim-${d}` }, d), field);
  };
  const list = spec.inputs.filter((i) => !i.condition).map((i) => make("li", {}, i.name, " ", make("small", {}, `${i.type}[${i.axes.join(", ")}]`)));
  const buttons = make("div", { className: "row" }, button("Draw inputs", () => (fill(true), update())), ...(demo.examples ? [button("Examples", () => (fill(false), update()))] : []));
  return card(make("h2", {}, "Inputs"), make("ul", {}, ...list), ...free.map(size), buttons);
}

/** Looks at the shapes. */
function kind() {
  const given = spec.inputs.filter((i) => !i.condition);
  const free = (a) => typeof a === "string" && !(a in spec.dims);
  for (const i of given.filter((i) => i.type === "f32" && i.shape.length === 2 && free(i.shape[0]))) {
    const only = (o) => o.needs.every((n) => n === i.name || spec.inputs.find((c) => c.name === n).condition);
    const match = (width) => spec.outputs.filter((o) => only(o) && o.shape.length === 2 && o.shape[0] === i.shape[0] && width(o.shape[1]));
    const colours = match((w) => w === 3 || w === 1).find((o) => o.type === "f32");
    if (i.shape[1] === 2 && colours) return () => painting(i, colours);
    const side = Math.sqrt(i.shape[1]), scores = match((w) => w >= 2 && w <= 64).find((o) => o.type === "f32");
    const decided = spec.outputs.some((o) => only(o) && o.type === "i32" && String(o.shape) === String([i.shape[0]]));
    if (Number.isInteger(side) && side >= 5 && scores && decided) return () => pad(i, side, scores);
  }
}

/** Runs the model on inputs whose outputs are known, and shows how far this device is from them. */
async function check() {
  const box = make("div", { role: "status" }, "Testing …");
  at("checked").replaceChildren(box);
  try {
    const { test } = await import("./test.js");
    const { programs, tested, answers } = await test(model, (_, of) => (box.textContent = `Testing ${of} cases …`));
    const wrong = answers.filter((a) => !a.right).length;
    const all = `${programs} ${programs === 1 ? "program" : "programs"}`;
    const some = tested === programs ? all : `${tested} of ${all}, as far as answers are known`;
    const verdict = wrong ? `${wrong} of ${answers.length} answers are wrong on this device` : `${answers.length} of ${answers.length} answers are right on this device`;
    const sizes = (d) => Object.entries(d).map(([name, n]) => `${name} = ${n}`).join(", ");
    const off = (a) => a.error ?? (a.far === Infinity ? "not the same" : a.far === 0 ? "the same" : `${a.far.toExponential(1)} of the largest off`);
    const row = (a) => make("tr", { className: a.right ? "" : "wrong" }, ...[a.right ? "✓" : "✗", a.output, sizes(a.dims), off(a)].map((t) => make("td", {}, t)));
    const list = make("table", { className: "answers" }, ...answers.map(row));
    box.replaceChildren(make("p", { className: wrong ? "wrong" : "" }, `${verdict} (${some}).`), make("details", { open: wrong > 0 }, make("summary", {}, "Answers"), list));
    box.dataset.wrong = String(wrong);
  } catch (e) {
    box.replaceChildren(make("p", { className: "wrong" }, e.message));
  }
  await update();
}

async function start() {
  try {
    demo = await (await fetch("demo.json")).json();
    // JSON has no infinities: they are words.
    Object.values(demo.examples ?? {}).forEach((e) => (e.data = e.data.map(Number)));
    // `code` between grave accents.
    at("doc").append(...demo.doc.split("`").map((text, k) => (k % 2 ? make("code", {}, text) : text)));
    model = await load();
  } catch (e) {
    const help = "Chrome and Edge have WebGPU on most machines, Safari since version 26 and Firefox on some; it may be switched off in the settings.";
    say(e.code === "no-webgpu" ? `This page needs WebGPU: ${e.message}. ${help}` : e.message, true);
    at("message").dataset.code = e.code ?? "";
    return;
  } finally {
    at("main").ariaBusy = "false";
  }
  const special = kind();
  const parts = special?.();
  // Shapes of conditions may hang on sizes that inputs decide.
  const other = special ? null : generic();
  const controls = spec.inputs.filter((i) => i.condition).map(control);
  const left = make("div", {}), right = make("div", {});
  if (controls.length) left.append(card(make("h2", {}, "Conditions"), ...controls));
  left.append(...[parts?.[0] ?? other].filter(Boolean));
  if (parts) right.append(parts[1]);
  const have = new Set([...Object.keys(inputs), ...Object.keys(conditions)]);
  const can = spec.outputs.filter((o) => o.needs.every((n) => have.has(n) || spec.inputs.find((i) => i.name === n).default !== undefined));
  wanted = can.map((o) => o.name);
  right.append(...can.filter((o) => !parts || !parts[1].textContent.startsWith(`${o.name} `)).map(view));
  if (model.train?.hasRows) {
    const { learning } = await import("./learn.js");
    at("main").append(learning(model, spec, demo, { make, button, card, update, say }));
  }
  at("main").append(left, right);
  const device = card(make("h2", {}, "This device"), make("p", { className: "facts" }, "Runs the model on inputs whose outputs are known."), make("div", { className: "row" }, button("Test it", check)), make("div", { id: "checked" }));
  device.classList.add("wide");
  at("main").append(device);
  if (!right.children.length) say("No output can be computed from what this page has.", true);
  await update();
}

start();
