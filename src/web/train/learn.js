// A card that lets a model learn before one's eyes: its losses as a curve, and what it comes to on rows that it does not learn from.

import { tensors } from "./runtime.js";

const FRAME = 40, LOOK = 1500, MOST = 50;
const bare = () => Object.create(null);

/** Numbers in a line of a chart: round ones, few of them. */
function ticks(from, to, log) {
  if (log) {
    const all = [];
    for (let e = Math.floor(Math.log10(from)); e <= Math.ceil(Math.log10(to)); e++) for (const m of [1, 2, 5]) all.push(m * 10 ** e);
    const inside = all.filter((v) => v >= from * 0.999 && v <= to * 1.001);
    return inside.length > 5 ? inside.filter((v) => /^1/.test(v.toExponential())) : inside;
  }
  const rough = (to - from) / 5, unit = 10 ** Math.floor(Math.log10(rough || 1)), step = [1, 2, 5, 10].find((m) => m * unit >= rough) * unit;
  return Array.from({ length: 12 }, (_, k) => Math.ceil(from / step) * step + k * step).filter((v) => v <= to);
}

const short = (v) => (Math.abs(v) >= 1000 ? v.toLocaleString("en") : String(Number(v.toPrecision(3))));

/** The curve of a loss: each step as it was, and how it goes on the whole. */
class Curve {
  constructor(canvas) {
    this.canvas = canvas;
    this.clear();
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  clear() {
    this.points = [];
    this.smooth = [];
  }

  add(step, loss) {
    // Steps that are not drawn count, too: a mean over about twenty of them.
    const [before, last] = this.smooth.at(-1) ?? [], share = Math.max(1 - 0.95 ** (step - (before ?? 0)), 1 / (this.smooth.length + 1));
    this.points.push([step, loss]);
    this.smooth.push([step, last === undefined ? loss : last + (loss - last) * share]);
  }

  draw(all = this.all ?? 1) {
    this.all = all;
    const near = Math.max(50, 1.25 * (this.points.at(-1)?.[0] ?? 0)), unit = 10 ** Math.floor(Math.log10(near));
    const steps = Math.min(all, [1, 2, 5, 10].map((m) => m * unit).find((v) => v >= near));
    const { canvas, points } = this, ratio = devicePixelRatio || 1, [wide, high] = [canvas.clientWidth, canvas.clientHeight];
    if (!wide) return;
    [canvas.width, canvas.height] = [wide * ratio, high * ratio];
    const c = canvas.getContext("2d"), style = getComputedStyle(canvas);
    // A colour that hangs on the scheme is known where it is used.
    const colour = (name) => {
      canvas.style.color = `var(${name})`;
      return style.color;
    };
    c.scale(ratio, ratio);
    c.font = `12px ${style.fontFamily}`;
    const left = 46, bottom = high - 24, top = 10, right = wide - 12;
    const values = points.map((p) => p[1]).filter(Number.isFinite);
    const log = values.length > 1 && Math.min(...values) > 0 && Math.max(...values) > 4 * Math.min(...values);
    let [low, up] = values.length ? [Math.min(...values), Math.max(...values)] : [0, 1];
    if (low === up) [low, up] = [low - 0.5, up + 0.5];
    const scale = log ? Math.log : (v) => v;
    const x = (step) => left + ((right - left) * step) / Math.max(1, steps);
    const y = (v) => bottom - ((bottom - top) * (scale(v) - scale(low))) / (scale(up) - scale(low));
    c.strokeStyle = colour("--line");
    c.fillStyle = colour("--soft");
    c.textBaseline = "middle";
    c.textAlign = "right";
    for (const v of values.length ? ticks(low, up, log) : []) {
      c.beginPath();
      c.moveTo(left, y(v));
      c.lineTo(right, y(v));
      c.stroke();
      c.fillText(short(v), left - 8, y(v));
    }
    c.textAlign = "center";
    for (const v of ticks(0, steps, false)) c.fillText(short(v), Math.min(x(v), right - c.measureText(short(v)).width / 2), high - 8);
    const line = (list, name, width) => {
      c.strokeStyle = colour(name);
      c.lineWidth = width;
      c.lineJoin = "round";
      c.beginPath();
      list.forEach(([step, v], k) => (k ? c.lineTo(x(step), y(v)) : c.moveTo(x(step), y(v))));
      c.stroke();
    };
    line(points, "--quiet", 1);
    line(this.smooth, "--accent", 2.2);
    c.lineWidth = 1;
  }
}

/** What the model reports on rows that it does not learn from, for each group of them. */
async function judge(model, spec, held) {
  if (!held) return null;
  const answer = await fetch("held.safetensors");
  if (!answer.ok) return null;
  const file = tensors(await answer.arrayBuffer());
  const numbers = (t) => new (t.dtype === "F32" ? Float32Array : Int32Array)(t.buffer, t.byteOffset, t.byteLength / 4);
  const groups = new Map();
  if (held.group) numbers(file.get(held.group[1])).forEach((v, row) => (groups.get(v) ?? groups.set(v, []).get(v)).push(row));
  else groups.set(null, null);
  const parts = [...groups].sort((a, b) => a[0] - b[0]).map(([value, rows]) => {
    const inputs = bare(), conditions = bare();
    for (const [name, column] of held.columns) {
      const input = spec.inputs.find((i) => i.name === name), t = file.get(column);
      if (value !== null && name === held.group[0]) {
        conditions[name] = value;
        continue;
      }
      let data = numbers(t), shape = [...t.shape];
      if (rows && input.shape.length) {
        const inner = data.length / shape[0], own = new data.constructor(rows.length * inner);
        rows.forEach((row, k) => own.set(data.subarray(row * inner, (row + 1) * inner), k * inner));
        [data, shape] = [own, [rows.length, ...shape.slice(1)]];
      }
      (input.condition ? conditions : inputs)[name] = { shape, data };
    }
    return { value, inputs, conditions };
  });
  return {
    groups: parts.map((p) => (p.value === null ? "all rows" : `${held.group[0]} ${p.value}`)),
    async look() {
      const out = [];
      for (const { inputs, conditions } of parts) {
        model.prepare(conditions);
        const got = await model.run(inputs, { outputs: held.report });
        out.push(held.report.map((name) => got[name].data[0]));
      }
      return out;
    },
  };
}

/** The card. `update` shows what else hangs on the weights. */
export function learning(model, spec, demo, { make, button, card, update, say }) {
  const { train } = model;
  const canvas = make("canvas", { className: "curve", role: "img", ariaLabel: "The loss by steps" });
  const curve = new Curve(canvas);
  const facts = make("p", { className: "facts", role: "status" });
  const bars = make("div", { className: "scores" });
  let rows = [], judged;
  const ready = judge(model, spec, demo.held).then((found) => {
    judged = found;
    rows = (judged?.groups ?? []).map((name) => [make("b", {}, name), make("i"), make("span", {}, "–")]);
    bars.append(...rows.flat());
  });
  let running = false, every = 1, speed = 0, last = null, looked = 0;

  const look = async () => {
    await ready;
    if (!judged) return;
    (await judged.look()).forEach(([v], k) => {
      const [, bar, text] = rows[k];
      bar.classList.add("best");
      bar.style.width = `${100 * Math.min(1, Math.max(0, v))}%`;
      text.textContent = Number(v.toPrecision(3));
    });
    looked = performance.now();
  };
  const tell = () => {
    const all = train.steps * (spec.train.each ? Math.max(0, spec.train.each[2] - spec.train.each[1]) : 1);
    const parts = [`step ${train.taken.toLocaleString("en")} of ${all.toLocaleString("en")}`];
    if (train.round !== null) parts.push(`${spec.train.each[0]} ${train.round}`);
    if (last) parts.push(`loss ${Number((curve.smooth.at(-1)?.[1] ?? 0).toPrecision(3))}`);
    if (last?.rates.rate !== undefined) parts.push(`rate ${last.rates.rate.toPrecision(2)}`);
    if (speed) parts.push(`${speed.toFixed(speed < 10 ? 1 : 0)} steps a second`);
    facts.textContent = parts.join(" · ");
    curve.draw(all);
    go.textContent = running ? "Stop" : train.done ? "Done" : train.taken ? "Go on" : "Start";
    go.disabled = train.done;
    [one, again].forEach((b) => (b.disabled = running));
    one.disabled ||= train.done;
    document.body.dataset.steps = String(train.taken);
  };
  const take = async (count) => {
    const start = performance.now();
    for (let k = 1; k < count; k++) await train.step(null, { losses: false });
    last = await train.step();
    curve.add(last.step, Object.values(last.losses)[0]);
    const time = performance.now() - start, now = (1000 * count) / time;
    speed = speed ? speed + 0.1 * (now - speed) : now;
    // As many steps from one look at the loss to the next as make a frame.
    every = time < FRAME / 2 ? Math.min(MOST, every + 1) : time > FRAME ? Math.max(1, every - 1) : every;
  };
  const guarded = (work) => async () => {
    try {
      await work();
      say("");
    } catch (e) {
      say(e.message, true);
    }
    tell();
  };
  const run = guarded(async () => {
    if (running) return void (running = false);
    running = true;
    try {
      for (let shown = 0; running && !train.done;) {
        const left = train.steps - (train.taken % train.steps || 0);
        await take(Math.max(1, Math.min(every, left)));
        tell();
        if (performance.now() - looked > LOOK) await look();
        if (performance.now() - shown > 400) {
          await update();
          shown = performance.now();
        }
        await new Promise((done) => setTimeout(done));
      }
    } finally {
      running = false;
    }
    await look();
    await update();
  });
  const go = button("Start", run);
  go.classList.add("main");
  const one = button("One step", guarded(async () => {
    await take(1);
    await look();
    await update();
  }));
  const again = button("Reset", guarded(async () => {
    await train.reset();
    curve.clear();
    [last, speed, every] = [null, 0, 1];
    await look();
    await update();
  }));
  const store = button("Store", guarded(async () => {
    const bytes = await train.state(), link = make("a", { download: `${spec.name}.state.safetensors` });
    link.href = URL.createObjectURL(new Blob([bytes]));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }));
  const file = make("input", { type: "file", accept: ".safetensors", hidden: true });
  file.onchange = guarded(async () => {
    if (!file.files.length) return;
    running = false;
    await train.load(await file.files[0].arrayBuffer());
    file.value = "";
    curve.clear();
    last = null;
    await look();
    await update();
  });
  const fetchFile = button("Load …", () => file.click());
  const title = make("h2", {}, "Learn ", make("small", {}, `${train.name}, as its train block says, on this machine`));
  const about = demo.held ? make("div", {}, make("h2", {}, demo.held.report[0], " ", make("small", {}, "on rows that it does not learn from")), bars) : "";
  const left = make("div", {}, canvas, facts, make("div", { className: "row" }, go, one, again, store, fetchFile, file));
  const out = card(title, make("div", { className: "learn" }, left, about));
  out.classList.add("wide");
  queueMicrotask(guarded(look));
  return out;
}
