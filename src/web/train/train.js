// Takes the steps of a `train` block on WebGPU. Written by hand; the same for every model. No dependency.
//
// spec.train: name, seed, steps (of a round), each [word, from, to] of the rounds, begin and every [interval, ..] what is set.
// An arm: turns, accumulate, key of its draws, dims that the block says, inputs, rows (what went with the page), parts of its step:
//   told [list, name, shape, must be finite] · carried [path] a parameter, [path, like] a copy, [path, like, v] filled with v
//   numbers [path, kind, factor] that count updates · asks of sizes · family of programs: first what is told, then what is carried
//
// What a step hands to the next lies on the device, in `model.store`, and is copied there and from there; nothing but what is told is read.

import { bare, declared, fail, inside, learn, list, read, tensors } from "./runtime.js";
import { batch, seedOf } from "./order.js";

const AHEAD = 16, VERSION = 1;
const LISTS = ["losses", "rates", "loads", "dropped"];

/** A model that learns. */
export function teach(model) {
  model.train = new Train(model);
  return model;
}

/** A number that hangs on how many updates there were; this one is number `t`, from 1. */
function number(kind, factor, t) {
  const left = factor === 0 ? 1 : -Math.expm1(t * Math.log(factor));
  if (kind === "correction") return 1 / left;
  return kind === "root" ? 1 / Math.sqrt(left) : t <= 1 ? 1 : 1 - factor;
}

const equal = (a, b) => a?.length === b.length && a.every((v, k) => Object.is(v, b[k]));
const first = () => ({ round: 0, step: 0, updates: 0 });

class Train {
  #model; #spec; #place = first(); #begun = false; #busy = false; #ahead = 0; #file; #groups = new Map(); #last; #spare = new Map();

  constructor(model) {
    this.#model = model;
    this.#spec = model.spec.train;
    this.steps = this.#spec.steps;
    const programs = this.#spec.arms.reduce((n, a) => n + Object.keys(a.parts).length, this.#spec.every.length + 1);
    model.kept += programs;
  }

  get name() { return this.#spec.name; }
  get taken() { return this.#place.updates; }
  get round() { return this.#spec.each && !this.done ? this.#spec.each[1] + this.#next().round : null; }
  get done() { return !(this.steps > 0) || this.#next().round >= this.#rounds; }
  get wants() { return this.#turn(this.#next().step).arm.inputs.filter((i) => i.wanted).map((i) => i.name); }
  get hasRows() { return this.#spec.arms.every((a) => a.rows); }
  get #rounds() { return this.#spec.each ? Math.max(0, this.#spec.each[2] - this.#spec.each[1]) : 1; }

  /** Where the next step is. */
  #next() {
    const { round, step, updates } = this.#place;
    return step >= this.steps ? { round: round + 1, step: 0, updates } : { round, step, updates };
  }

  /** Which arm takes a step, and how many steps it took before. */
  #turn(step) {
    const { arms } = this.#spec, cycle = arms.reduce((n, a) => n + a.turns, 0);
    let rest = step % cycle;
    for (const arm of arms) {
      if (rest < arm.turns) return { arm, before: Math.floor(step / cycle) * arm.turns + rest };
      rest -= arm.turns;
    }
  }

  /** Takes a step, on rows that are given or on the next ones of the file that went with the page. */
  async step(rows, options = {}) {
    if (this.#busy) fail("value", "a step is under way: await it before the next one");
    this.#busy = true;
    try {
      return await this.#model.turn(() => this.#take(rows, options));
    } finally {
      this.#busy = false;
    }
  }

  async #take(given, options) {
    const model = this.#model;
    await this.#ready();
    if (this.done) fail("value", `all ${this.taken} steps of \`${this.name}\` are taken: reset() begins anew, and \`steps\` can be raised`);
    const place = this.#next(), { arm, before } = this.#turn(place.step);
    const list = given == null ? await this.#rows(arm, before, place) : Array.isArray(given) ? given : [given];
    if (list.length !== arm.accumulate) {
      const wanted = arm.accumulate === 1 ? "one batch" : `a list of ${arm.accumulate} batches`;
      fail("value", `a step of \`${this.name}\` takes ${wanted}, and ${list.length} are given`);
    }
    const batches = list.map((values) => this.#read(arm, values, options, place));
    if (place.step === 0 && !(this.#begun && this.#place.step === 0)) this.#begun = false;
    this.#place = place;
    if (arm === this.#spec.arms[0]) this.#last = batches[0];
    if (!this.#begun) await this.#begin(place);
    const told = options.losses !== false, out = told ? this.#empty() : undefined;
    if (arm.accumulate > 1) this.#save(arm);
    try {
      for (const [j, one] of batches.entries()) {
        const part = arm.parts[arm.accumulate === 1 ? "whole" : j + 1 === arm.accumulate ? "last" : "gather"];
        const results = await this.#batch(arm, part, one, place, before, before * arm.accumulate + j, told);
        if (told) this.#tell(out, part, results, j);
      }
    } catch (e) {
      if (arm.accumulate > 1) this.#restore();
      if (model.gone) fail("lost", `${model.gone}, and what was learned with it: load() or reset()`);
      throw e;
    }
    this.#place = { round: place.round, step: place.step + 1, updates: place.updates + 1 };
    for (const [interval, change] of this.#spec.every) if (this.#place.step % interval === 0) await this.#change(change, this.#place);
    if (!told && (this.#ahead += 1) >= AHEAD) {
      this.#ahead = 0;
      await model.device.queue.onSubmittedWorkDone();
    }
    if (out) out.step = this.taken;
    return out;
  }

  async #ready() {
    await this.#model.present();
    if (this.#model.forgot) fail("lost", "the GPU was lost, and what was learned with it: load() or reset()");
  }

  /** Looks at what is given: nothing is changed before all of it is right. */
  #read(arm, values, { dims: asked } = {}, place) {
    const { spec } = this.#model, { each } = this.#spec;
    if (values === null || typeof values !== "object" || Array.isArray(values) || ArrayBuffer.isView(values)) {
      fail("value", `a step of \`${this.name}\` takes { ${this.wants.join(", ")} }`);
    }
    const taken = Object.entries(values).map(([name, value]) => {
      const input = arm.inputs.find((i) => i.name === name);
      if (!input) fail("value", `a step of \`${this.name}\` takes no \`${name}\`; it takes ${list(arm.inputs.map((i) => i.name))}`);
      return read(input, value);
    });
    const set = (i) => this.#model.store.has(`#set.${i.name}`);
    const missing = arm.inputs.filter((i) => i.wanted && !taken.some((t) => t.input === i) && !set(i));
    if (missing.length) fail("value", `a step of \`${this.name}\` needs ${missing.map((i) => `\`${i.name}\`, ${declared(i)}`).join(", and ")}`);
    const dims = bare(spec.dims, arm.dims, asked);
    for (const i of arm.inputs.filter((i) => i.kind === "size" && i.default !== undefined)) dims[i.name] = i.default;
    let open = taken;
    for (let before; open.length && open.length !== before;) {
      before = open.length;
      open = open.filter((t) => !learn(t, dims));
    }
    if (open.length) fail("size", `nothing says the shape of \`${open[0].input.name}\`, ${declared(open[0].input)}: give { shape, data }`);
    taken.forEach((t) => inside(t, dims, [{ name: "step" }]));
    const words = new Map(taken.map((t) => [t.input.name, t.words]));
    if (each) words.set(each[0], Int32Array.of(each[1] + place.round));
    return { words, dims };
  }

  /** Begins a round: what the rules of the last one remembered is over. */
  async #begin(place) {
    this.#averaged();
    this.#forget((path) => !path.startsWith("#set."));
    if (this.#spec.begin) await this.#change(this.#spec.begin, place);
    this.#begun = true;
  }

  /** What a round leaves are the running averages. */
  #averaged() {
    const { store } = this.#model, average = "#average.";
    for (const [path, value] of [...store].filter(([path]) => path.startsWith(average))) {
      const own = path.slice(average.length);
      store.get(own)?.buffer.destroy();
      store.set(own, { ...value, version: this.#model.tick() });
      store.delete(path);
    }
  }

  /** Drops what is no parameter. */
  #forget(which = () => true) {
    const { store } = this.#model;
    for (const [path, { buffer }] of [...store].filter(([path]) => path[0] === "#" && which(path))) {
      buffer.destroy();
      store.delete(path);
    }
  }

  /** A place for a value on the device. */
  #made(path, size, about) {
    const { device, store } = this.#model, { COPY_SRC, COPY_DST } = GPUBufferUsage;
    const buffer = device.createBuffer({ size: Math.max(4, size), usage: COPY_SRC | COPY_DST });
    const value = { buffer, size, ...about, version: this.#model.tick() };
    store.set(path, value);
    return value;
  }

  #write(path, words, { shape, dtype }) {
    const { device, store } = this.#model;
    const value = store.get(path) ?? this.#made(path, words.byteLength, { shape, dtype });
    if (words.byteLength) device.queue.writeBuffer(value.buffer, 0, words.buffer, words.byteOffset, words.byteLength);
    value.version = this.#model.tick();
  }

  /** What is carried has a value: what it begins with where it has none yet. */
  #hold(carried) {
    const { device, store, weights } = this.#model;
    const known = (path) => weights.get(path) ?? fail("value", `\`${path}\` has no value`);
    for (const [path] of carried.filter((c) => c.length === 1 && !store.has(c[0]))) this.#write(path, known(path), known(path));
    for (const [path, like, fill] of carried.filter((c) => c.length > 1 && !store.has(c[0]))) {
      const words = known(like), about = { shape: words.shape, dtype: "F32" };
      if (fill !== undefined) {
        this.#write(path, new Float32Array(words.byteLength / 4).fill(fill), about);
        continue;
      }
      const made = this.#made(path, words.byteLength, about), encoder = device.createCommandEncoder();
      if (made.size) encoder.copyBufferToBuffer(store.get(like).buffer, 0, made.buffer, 0, made.size);
      device.queue.submit([encoder.finish()]);
    }
  }

  /** What the outcome of a step is written to. */
  #empty() {
    return { step: 0, ...Object.fromEntries(LISTS.map((l) => [l, bare()])), norm: 0 };
  }

  /** One batch: its results where they are told. */
  async #batch(arm, part, { words, dims }, place, before, q, told) {
    this.#ask(part.asks, dims);
    this.#hold(part.carried);
    const heard = part.told.map(([, , axes], at) => ({ name: String(at), type: "f32", shape: axes, at }));
    const stays = part.carried.map(([name], k) => ({ name, type: "f32", shape: [], at: heard.length + k, stays: true }));
    const all = new Map(words);
    for (const [path, kind, factor] of part.numbers) all.set(path, Float32Array.of(number(kind, factor, before + 1)));
    const placement = await this.#run(arm, part.family, [...heard, ...stays], all, dims, place, arm.key, q, told);
    let results;
    if (told) {
      const out = await placement.read();
      results = heard.map(({ name }) => out[name].data);
      const wrong = part.told.findIndex(([, , , finite], k) => finite && !Number.isFinite(results[k][0]));
      if (wrong >= 0) {
        const [where, name] = part.told[wrong], what = where === "norms" ? "gradient" : where === "rates" ? "learning rate" : `loss${name === "loss" ? "" : ` \`${name}\``}`;
        fail("not-finite", `the ${what} of step ${place.updates + 1} is ${results[wrong][0]}: nothing was changed by this step`);
      }
    }
    this.#keep(placement.kept);
    return results;
  }

  /** What a program asks of sizes. */
  #ask(asks, dims) {
    for (const ask of asks) {
      const [least, most] = ask.sizes(dims);
      if (least > most) fail("size", `${ask.say(least, most)}${ask.place && ` (${ask.place})`}`);
    }
  }

  /** Runs a program on what is given and what lies on the device. */
  async #run(arm, family, outputs, words, dims, place, key, q, told) {
    const model = this.#model, round = this.#spec.each ? this.#spec.each[1] + place.round : 0;
    const placement = await model.placement([family], outputs, dims);
    words.set("seed", Int32Array.of(seedOf(this.#spec.seed, key, round, q)));
    words.set("step", Int32Array.of(Math.min(place.step, 2 ** 31 - 1)));
    for (const g of placement.given.filter((g) => !g.early)) {
      const own = words.get(g.path);
      if (own) placement.versions.delete(g.path);
      if (own || !placement.pull(model, g, true)) {
        placement.upload(model, g, own ?? model.source(new Map(), g.path, g.length, arm.inputs));
      }
    }
    // Conditions that are sizes: what hangs on them alone is computed again only when one of them differs.
    const early = placement.given.filter((g) => g.early && words.has(g.path));
    if (!early.every((g) => equal(placement.state?.get(g.path)?.words, words.get(g.path)))) placement.state = undefined;
    const state = placement.state ?? new Map(early.map((g) => [g.path, { words: words.get(g.path) }]));
    await model.submit(placement, placement.settle(model, state, true), told ? placement.results : []);
    return placement;
  }

  /** Hands results on. */
  #keep(kept) {
    const { device, store } = this.#model, encoder = device.createCommandEncoder();
    for (const { path, from } of kept) {
      const value = store.get(path) ?? this.#made(path, from.size, { shape: [from.size / 4], dtype: "F32" });
      if (value.size) encoder.copyBufferToBuffer(from.buffer, from.offset, value.buffer, 0, value.size);
      value.version = this.#model.tick();
    }
    device.queue.submit([encoder.finish()]);
  }

  /** Keeps what the batches of a step change before all of them are right. */
  #save(arm) {
    const { device, store } = this.#model, { COPY_SRC, COPY_DST } = GPUBufferUsage;
    this.#hold(arm.parts.gather.carried);
    const encoder = device.createCommandEncoder(), saved = new Map();
    for (const [path] of arm.parts.gather.carried) {
      const { buffer, size } = store.get(path);
      const spare = this.#spare.get(path) ?? device.createBuffer({ size: Math.max(4, size), usage: COPY_SRC | COPY_DST });
      if (size) encoder.copyBufferToBuffer(buffer, 0, spare, 0, size);
      saved.set(path, spare);
    }
    device.queue.submit([encoder.finish()]);
    this.#spare = saved;
  }

  #restore() {
    const { device, store, gone } = this.#model;
    if (gone) return;
    const encoder = device.createCommandEncoder();
    for (const [path, spare] of this.#spare) {
      const value = store.get(path);
      if (value.size) encoder.copyBufferToBuffer(spare, 0, value.buffer, 0, value.size);
      value.version = this.#model.tick();
    }
    device.queue.submit([encoder.finish()]);
  }

  /** Sets values to others, where what it hangs on holds. */
  async #change({ when, paths, asks, family }, place) {
    this.#hold(paths.filter((p) => p[0] !== "#").map((p) => [p]));
    const [arm] = this.#spec.arms, { words, dims } = this.#last ?? { words: new Map(), dims: bare(this.#model.spec.dims, arm.dims) };
    this.#ask(asks, dims);
    const flag = when ? [{ name: "when", type: "bool", shape: [], at: 0 }] : [];
    const stays = paths.map((name, k) => ({ name, type: "f32", shape: [], at: flag.length + k, stays: true }));
    const placement = await this.#run(arm, family, [...flag, ...stays], new Map(words), dims, place, this.#spec.setKey, place.step, true);
    const out = await placement.read();
    if (!when || out.when.data[0]) this.#keep(placement.kept);
  }

  /** Writes what a batch told; a step of several tells their mean loss, and else what the last one told. */
  #tell(out, part, results, j) {
    let squares = 0, chosen = 1;
    part.told.forEach(([where, name], k) => {
      const [one] = results[k], sum = results[k].reduce((a, b) => a + b, 0);
      if (where === "losses") out.losses[name] = j ? out.losses[name] + (one - out.losses[name]) / (j + 1) : one;
      else if (where === "rates") out.rates[name] = one;
      else if (where === "norms") squares += one * one;
      else if (where === "loads") out.loads[name] = Array.from(results[k], (n) => n / (chosen = Math.max(1, sum)));
      else out.dropped[name] = 1 - sum / chosen;
    });
    out.norm = Math.sqrt(squares);
  }

  /** The rows of the next step, as `hnet train` takes them. */
  async rows() {
    const place = this.#next(), { arm, before } = this.#turn(place.step);
    return this.#rows(arm, before, place);
  }

  async #rows(arm, before, place) {
    if (!arm.rows) fail("value", `a step of \`${this.name}\` takes { ${this.wants.join(", ")} }: no rows went with this page`);
    this.#file ??= this.#model.get("rows.safetensors", "arrayBuffer").then(tensors);
    const file = await this.#file.catch((e) => {
      this.#file = undefined;
      throw e;
    });
    const { each, seed } = this.#spec;
    const fixed = each && !arm.rows.group?.[2] ? each[1] + place.round : null;
    return Array.from({ length: arm.accumulate }, (_, j) => {
      const taken = batch(arm.rows, this.#grouped(file, arm.rows), before * arm.accumulate + j, seed, arm.key, fixed);
      if (taken.parts.some(([, rows]) => !rows.length)) fail("value", `the data have no rows${fixed === null ? "" : ` for round ${fixed}`}`);
      const out = bare();
      for (const [name, column] of arm.rows.columns) {
        const input = arm.inputs.find((i) => i.name === name);
        if (!input) continue;
        const shared = name === arm.rows.group?.[0] && !input.shape.length && taken.shared !== null;
        out[name] = shared ? taken.shared : selected(file.get(column), input, taken.parts);
      }
      return out;
    });
  }

  /** The rows of each group. */
  #grouped(file, rows) {
    if (!rows.group) return null;
    const [, column] = rows.group;
    if (!this.#groups.has(column)) {
      const groups = new Map();
      numbers(file.get(column)).forEach((v, row) => (groups.get(v) ?? groups.set(v, []).get(v)).push(row));
      this.#groups.set(column, groups);
    }
    return this.#groups.get(column);
  }

  /** Weights, running averages in the place of what they are averages of; `apart` has a tensor for each net of an array. */
  params({ apart = false } = {}) {
    return this.#model.turn(async () => {
      await this.#ready();
      const { weights } = this.#model;
      const all = await this.#fetched([...weights].map(([path, words]) => [path, this.#model.stored(path) ?? words]));
      return written(apart ? all.flatMap(nets) : all);
    });
  }

  /** All that going on needs. */
  state() {
    return this.#model.turn(async () => {
      await this.#ready();
      const { weights, store } = this.#model;
      const all = new Map([...weights].map(([path, words]) => [path, store.get(path) ?? words]));
      store.forEach((value, path) => all.set(path, value));
      const { seed } = this.#spec, about = { version: VERSION, name: this.name, seed, place: this.#place, begun: this.#begun };
      return written(await this.#fetched([...all]), { "hnet.page": JSON.stringify(about) });
    });
  }

  /** Values, those on the device read from there. */
  async #fetched(entries) {
    const { device } = this.#model, far = entries.filter(([, v]) => v.buffer instanceof GPUBuffer);
    const total = far.reduce((n, [, v]) => n + Math.max(4, v.size), 0);
    const staging = device.createBuffer({ size: Math.max(4, total), usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = device.createCommandEncoder(), read = new Map();
    let at = 0;
    for (const [path, { buffer, size }] of far) {
      if (size) encoder.copyBufferToBuffer(buffer, 0, staging, at, size);
      read.set(path, [at, size]);
      at += Math.max(4, size);
    }
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const bytes = staging.getMappedRange();
    const out = entries.map(([path, value]) => {
      const [from, size] = read.get(path) ?? [];
      const words = from === undefined ? value : new Uint8Array(bytes.slice(from, from + size));
      return [path, { words, shape: value.shape, dtype: value.dtype }];
    });
    staging.destroy();
    return out;
  }

  /** Takes weights, and where they came with a state, goes on from there. */
  load(bytes) {
    return this.#model.turn(async () => {
      await this.#model.present();
      const { all, about } = this.#opened(bytes);
      const { weights } = this.#model;
      this.#forget();
      weights.forEach((words, path) => this.#write(path, all.get(path), words));
      if (about) all.forEach((words, path) => path[0] === "#" && this.#write(path, words, words));
      this.#settle(about?.place ?? first(), about?.begun ?? false);
    });
  }

  /** Looks at a file before anything is changed. */
  #opened(bytes) {
    const { weights } = this.#model;
    let all;
    try {
      // A copy that begins where words may.
      all = tensors(ArrayBuffer.isView(bytes) ? bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) : bytes.slice(0));
      all = Object.assign(new Map([...all].map(([path, w]) => [path, Object.assign(w.slice(), { shape: w.shape, dtype: w.dtype })])), { about: all.about });
    } catch (e) {
      fail("value", `this is no safetensors file: ${e.message}`);
    }
    const text = all.about["hnet.page"];
    const about = text === undefined ? null : JSON.parse(text);
    if (about && (about.version !== VERSION || about.name !== this.name)) {
      fail("value", `this is the state of \`${about.name}\` (version ${about.version}), and the page trains \`${this.name}\` (version ${VERSION})`);
    }
    for (const [path, own] of weights) {
      const words = all.get(path);
      if (!words) fail("value", `the file has no \`${path}\``);
      if (words.dtype !== own.dtype || String(words.shape) !== String(own.shape)) {
        fail("value", `\`${path}\` is ${words.dtype}[${words.shape}] in the file, where ${own.dtype}[${own.shape}] is wanted`);
      }
      if (words.byteLength !== own.byteLength) fail("value", `this is no safetensors file: \`${path}\` has ${words.byteLength} bytes`);
    }
    const foreign = [...all.keys()].filter((path) => !weights.has(path) && !(about && path[0] === "#"));
    if (foreign.length) fail("value", `the file has ${list(foreign)}, which this model has not`);
    return { all, about };
  }

  /** Back to the beginning. */
  reset() {
    return this.#model.turn(async () => {
      await this.#model.present();
      this.#forget();
      this.#model.store.forEach((_, path) => this.#write(path, this.#model.weights.get(path), this.#model.weights.get(path)));
      this.#settle(first(), false);
    });
  }

  #settle(place, begun) {
    Object.assign(this.#model, { forgot: false });
    this.#place = { ...place };
    this.#begun = begun;
    this.#last = undefined;
    this.#spare = new Map();
  }
}

const numbers = (t) => new (t.dtype === "F32" ? Float32Array : Int32Array)(t.buffer, t.byteOffset, t.byteLength / 4);

/** The chosen rows of a column along each of its axes. */
function selected(column, input, parts) {
  let data = numbers(column), sizes = [...column.shape];
  const along = parts.map(([dim, rows]) => [input.axes.findIndex((a) => a === dim || a.startsWith(`${dim}=`)), rows]).filter(([axis]) => axis >= 0);
  if (along.some(([axis]) => axis >= sizes.length)) return { shape: sizes, data };
  for (const [axis, rows] of along) {
    const inner = sizes.slice(axis + 1).reduce((n, s) => n * s, 1), outer = sizes.slice(0, axis).reduce((n, s) => n * s, 1);
    const next = new data.constructor(outer * rows.length * inner);
    for (let o = 0; o < outer; o++)
      rows.forEach((row, r) => {
        const from = (o * sizes[axis] + row) * inner;
        next.set(data.subarray(from, from + inner), (o * rows.length + r) * inner);
      });
    data = next;
    sizes[axis] = rows.length;
  }
  return { shape: sizes, data };
}

/** The tensor of each net of an array: `expert.0.w`, `expert.1.w`, .. of `expert.*.w`. */
function nets([path, { words, shape, dtype }]) {
  const parts = path.split("."), stars = parts.filter((p) => p === "*").length;
  const lead = shape.slice(0, stars), count = lead.reduce((n, s) => n * s, 1), size = words.byteLength / Math.max(1, count);
  return Array.from({ length: count }, (_, k) => {
    const places = [];
    for (let d = stars - 1, rest = k; d >= 0; rest = Math.floor(rest / lead[d]), d--) places.unshift(rest % lead[d]);
    const name = parts.map((p) => (p === "*" ? places.shift() : p)).join(".");
    const own = new Uint8Array(words.buffer, words.byteOffset + k * size, size);
    return [name, { words: own, shape: shape.slice(stars), dtype }];
  });
}

/** A safetensors file. */
function written(entries, about) {
  const header = bare(about && { __metadata__: about });
  let at = 0;
  for (const [path, { words, shape, dtype }] of entries) {
    header[path] = { dtype, shape, data_offsets: [at, at + words.byteLength] };
    at += words.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const start = 8 + 8 * Math.ceil(text.length / 8), out = new Uint8Array(start + at).fill(32, 8, start);
  new DataView(out.buffer).setBigUint64(0, BigInt(start - 8), true);
  out.set(text, 8);
  for (const [path, { words }] of entries) out.set(new Uint8Array(words.buffer, words.byteOffset, words.byteLength), start + header[path].data_offsets[0]);
  return out;
}
