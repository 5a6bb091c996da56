// Runs the programs of a model on WebGPU. Written by hand; the same for every model. No dependency.
//
// programs.json: a size is the number of an entry of `constants`, and after those of what `spec.sizes(dims)` computes. A buffer is
// its length, or [length, path, early] where it is given. An item is one dispatch or a loop:
//   s shader · b buffers at bindings 1, 2, … · w those of them that it writes · a: binds the whole arena instead of b
//   u words of the uniform block: a size, [a size] for its bits as an f32, or -1 - buffer for where it starts · n pieces of work, p of them a workgroup
//   i [buffer, word] that holds the workgroup counts · x trips of a loop over the items d
// After the outputs stand words that say what index is outside of its axis, one for each entry of `inside`:
//   [places of the axis, its name, the outputs that ask for it, the line of the source, how many stand before it there]
// All buffers lie in one arena, placed by first fit over their lifetimes; those of indirect dispatches stand alone.

const WIDEST = 65535, ALIGN = 256, BLOCK = 64, KEPT = 4, LONGEST = 1e6;
const bits = (x) => new Uint32Array(Float32Array.of(x).buffer)[0];
const align = (n) => Math.ceil(n / ALIGN) * ALIGN;
export const list = (names) => [...names].map((n) => `\`${n}\``).join(", ") || "none";

/** What goes wrong: `code` is "no-webgpu", "load", "value", "size", "memory", "lost", "gpu" or "not-finite". */
export class ModelError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "ModelError";
    this.code = code;
  }
}
export const fail = (code, message) => { throw new ModelError(code, message); };
/** An object that has no names of its own: a dim or an output may be called `constructor`. */
export const bare = (...parts) => Object.assign(Object.create(null), ...parts);

/** Opens a model: its description, the folder of its files, and what the page wants. */
export async function open(spec, base, options = {}) {
  const get = async (name, kind) => {
    const url = new URL(name, base);
    const answer = await fetch(url).catch((e) => fail("load", `cannot read ${url}: ${e.message}`));
    return answer.ok ? answer[kind]() : fail("load", `cannot read ${url}: ${answer.status} ${answer.statusText}`);
  };
  const given = options.weights ?? "weights.safetensors";
  // A copy of a view, for it may begin where words may not.
  const own = ArrayBuffer.isView(given) ? Uint8Array.from(new Uint8Array(given.buffer, given.byteOffset, given.byteLength)).buffer : given;
  const weights = own instanceof ArrayBuffer ? own : get(own, "arrayBuffer");
  const [gpu, programs, bytes] = await Promise.all([request(options.device), get("programs.json", "json"), weights]);
  return new Model(spec, programs, tensors(bytes), gpu, get, options);
}

async function request(device) {
  if (device) return device;
  const gpu = globalThis.navigator?.gpu;
  if (!gpu) fail("no-webgpu", "this browser has no WebGPU");
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) fail("no-webgpu", "this browser knows WebGPU, but finds no device for it");
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  return adapter.requestDevice({ requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } });
}

/** The tensors of a safetensors file, as words, with their shapes and types. */
export function tensors(bytes) {
  const start = 8 + Number(new DataView(bytes).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, start - 8)));
  const { __metadata__: about = {} } = header;
  delete header.__metadata__;
  const all = new Map(Object.entries(header).map(([name, { data_offsets: [from, to], shape, dtype }]) =>
    [name, Object.assign(new Uint8Array(bytes, start + from, to - from), { shape, dtype })]));
  return Object.assign(all, { about });
}

/** The numbers of a tensor in the device's words. */
const made = (type, shape, bytes) => {
  const data = new (type === "f32" ? Float32Array : Int32Array)(bytes);
  return { shape, data: type === "bool" ? Uint8Array.from(data) : data };
};
const count = (shape) => shape.reduce((n, s) => n * s, 1);
const forgotten = new FinalizationRegistry((buffer) => buffer.destroy());

/** An output that stays on the device: run() and prepare() take it as it is, read() gives its numbers, free() its memory back. */
export class Held {
  #device; #buffer; #uses = 1; #freed = false;

  constructor(device, { name, type, shape }, buffer) {
    Object.assign(this, { name, type, shape });
    this.#device = device;
    this.#buffer = buffer;
    forgotten.register(this, buffer, this);
  }

  /** Its memory, on this device. */
  on(device) {
    if (this.#device !== device) fail("lost", `\`${this.name}\` lies on another GPU, or on one that was lost`);
    return this.#buffer;
  }

  /** Whether free() was called. */
  get freed() {
    return this.#freed;
  }

  /** Who needs it for a while says so: what is freed meanwhile goes when nobody does. */
  use() {
    if (this.#freed) fail("value", `\`${this.name}\` was given back by free()`);
    this.#uses += 1;
    return this;
  }

  drop() {
    if (--this.#uses) return;
    forgotten.unregister(this);
    this.#buffer.destroy();
  }

  free() {
    if (!this.#freed) this.drop();
    this.#freed = true;
  }

  async read() {
    this.use();
    const size = 4 * Math.max(1, count(this.shape)), device = this.#device;
    const staging = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    try {
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(this.#buffer, 0, staging, 0, size);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ).catch(() => fail("lost", `\`${this.name}\` lay on a GPU that was lost`));
      return made(this.type, [...this.shape], staging.getMappedRange().slice(0, 4 * count(this.shape)));
    } finally {
      staging.destroy();
      this.drop();
    }
  }
}

/** The items that the wanted buffers are computed from. What a round reads, the round before it writes. */
function slice(items, need) {
  const kept = [];
  for (const item of [...items].reverse()) {
    if (item.d) {
      let body, before;
      do {
        before = need.size;
        body = slice(item.d, need);
      } while (need.size > before);
      if (body.length) kept.push({ ...item, d: body });
    } else if (item.w.some((b) => need.has(b))) {
      item.b.forEach((b) => need.add(b));
      if (item.i) need.add(item.i[0]);
      kept.push(item);
    }
  }
  return kept.reverse();
}

const visit = (item, f) => (item.d ? item.d.forEach((i) => visit(i, f)) : f(item));

/** Where each buffer lies: ranges that are alive together do not overlap. What is given, prepared or wanted stays. */
function place(buffers, lengths, items, prepared, outputs, alone) {
  const spans = new Map();
  items.forEach((item, k) => visit(item, ({ b }) => b.forEach((id) => {
    const span = spans.get(id) ?? [k, k];
    span[1] = Math.max(span[1], span[0] < prepared && k >= prepared ? Infinity : k);
    spans.set(id, span);
  })));
  buffers.forEach((b, id) => Array.isArray(b) && spans.has(id) && spans.set(id, [0, Infinity]));
  outputs.forEach((id) => spans.set(id, [spans.get(id)?.[0] ?? 0, Infinity]));
  const stays = (id) => (spans.get(id)[1] === Infinity ? 0 : 1);
  const order = [...spans.keys()].filter((id) => !alone.has(id));
  order.sort((a, b) => stays(a) - stays(b) || (stays(a) && lengths[b] - lengths[a]) || a - b);
  const offsets = new Map(), placed = [];
  let total = ALIGN;
  for (const id of order) {
    const [first, last] = spans.get(id);
    const taken = placed.filter((o) => o.first <= last && first <= o.last).sort((a, b) => a.from - b.from);
    let at = 0;
    for (const { from, to } of taken) {
      if (at + align(lengths[id]) <= from) break;
      at = Math.max(at, to);
    }
    placed.push({ first, last, from: at, to: at + align(lengths[id]) });
    offsets.set(id, at);
    total = Math.max(total, at + align(lengths[id]));
  }
  return { offsets, total };
}

/** A program at certain sizes, for certain outputs: memory, pipelines and bind groups, made once. Outputs that stay are not read. */
class Placement {
  static async make(model, program, outputs, dims) {
    const self = new Placement();
    const { device, spec } = model;
    const values = [...model.constants, ...spec.sizes(dims)];
    const demands = program.inside ?? [];
    const first = program.outputs.length - demands.length;
    self.inside = demands.map(([n, axis, by, place, rank], k) => ({ buffer: program.outputs[first + k], places: values[n], axis, by, place, rank }))
      .filter(({ by }) => outputs.some((o) => by.includes(o.at)));
    const wanted = [...outputs.map((o) => program.outputs[o.at]), ...self.inside.map((i) => i.buffer)];
    const need = new Set(wanted);
    const later = slice(program.items.slice(program.prepared), need);
    const items = [...slice(program.items.slice(0, program.prepared), need), ...later];
    const prepared = items.length - later.length;
    const lengths = program.buffers.map((b) => 4 * Math.max(1, values[Array.isArray(b) ? b[0] : b]));
    const alone = new Map();
    items.forEach((item) => visit(item, ({ i }) => i && alone.set(i[0])));
    const { offsets, total } = place(program.buffers, lengths, items, prepared, wanted, alone);
    const { maxBufferSize, maxStorageBufferBindingSize: widest } = device.limits;
    const long = [...offsets.keys()].reduce((n, id) => Math.max(n, lengths[id]), 0);
    if (total > maxBufferSize) fail("memory", `at these sizes the model takes ${total} bytes; a buffer here has ${maxBufferSize} at most`);
    if (long > widest) fail("memory", `at these sizes one tensor takes ${long} bytes; a binding here has ${widest} at most`);
    self.made = [];
    const buffer = (size, usage) => {
      const made = device.createBuffer({ size, usage });
      self.made.push(made);
      return made;
    };
    const { STORAGE, COPY_DST, COPY_SRC, INDIRECT, UNIFORM, MAP_READ } = GPUBufferUsage;
    device.pushErrorScope("validation");
    device.pushErrorScope("out-of-memory");
    const arena = buffer(total, STORAGE | COPY_DST | COPY_SRC);
    for (const id of alone.keys()) alone.set(id, buffer(lengths[id], STORAGE | COPY_DST | COPY_SRC | INDIRECT));
    const where = (id) => (alone.has(id) ? { buffer: alone.get(id), offset: 0 } : { buffer: arena, offset: offsets.get(id) });
    const bind = (id) => ({ ...where(id), size: lengths[id] });

    // Uniform blocks of all dispatches, one after another.
    const words = [];
    const dispatches = [];
    items.forEach((item) => visit(item, (d) => {
      d = { ...d };
      if (d.i || values[d.n] > 0) dispatches.push(d);
      if (!d.u) return;
      d.block = words.length;
      d.u.forEach((u) => words.push(Array.isArray(u) ? bits(values[u[0]]) : u < 0 ? offsets.get(-1 - u) / 4 : values[u]));
      while (words.length % BLOCK) words.push(0);
    }));
    const uniforms = buffer(4 * Math.max(BLOCK, words.length), UNIFORM | COPY_DST);
    device.queue.writeBuffer(uniforms, 0, Uint32Array.from(words));
    const ready = dispatches.map(async (d) => {
      const count = d.a ? 1 : d.b.length;
      const { pipeline, layout } = await model.pipeline(d.s, count, !!d.u);
      const entries = d.a
        ? [{ binding: 1, resource: { buffer: arena } }]
        : d.b.map((id, n) => ({ binding: n + 1, resource: bind(id) }));
      if (d.u) {
        const size = 16 * Math.ceil(d.u.length / 4);
        entries.push({ binding: 0, resource: { buffer: uniforms, offset: 4 * d.block, size } });
      }
      const step = { pipeline, group: device.createBindGroup({ layout, entries }) };
      if (d.i) return { ...step, indirect: alone.get(d.i[0]), at: 4 * d.i[1] };
      const groups = Math.ceil(values[d.n] / d.p);
      if (groups * d.p > 2 ** 32 - WIDEST * d.p) fail("memory", `at these sizes ${model.shaders[d.s]} has too many elements`);
      return { ...step, x: Math.min(groups, WIDEST), y: Math.ceil(groups / WIDEST) };
    });
    const steps = await Promise.all(ready).finally(async () => {
      const [full, wrong] = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
      if (full) fail("memory", `the GPU has no ${total} bytes left: ${full.message}`);
      if (wrong) fail("gpu", wrong.message);
    });
    let next = 0;
    const arrange = (item) => {
      if (item.d) {
        const body = item.d.flatMap(arrange);
        if (body.length * values[item.x] > LONGEST) fail("size", `at these sizes a loop has ${values[item.x]} rounds: more than a page runs`);
        return Array(Math.max(0, values[item.x])).fill(body).flat();
      }
      return item.i || values[item.n] > 0 ? [steps[next++]] : [];
    };
    self.prepare = items.slice(0, prepared).flatMap(arrange);
    self.steps = items.slice(prepared).flatMap(arrange);
    self.given = program.buffers.flatMap((b, id) =>
      Array.isArray(b) && offsets.has(id) ? [{ ...where(id), path: b[1], early: b[2] === 1, length: values[b[0]] }] : []);
    let staged = 0;
    self.kept = outputs.flatMap((o, k) => (o.stays ? [{ path: o.name, from: bind(wanted[k]) }] : []));
    self.results = outputs.flatMap((o, k) => (o.stays ? [] : [[o, wanted[k]]])).map(([o, id]) => {
      const from = bind(id);
      staged += from.size;
      return { name: o.name, type: o.type, shape: shape(o.shape, dims), from, at: staged - from.size };
    });
    for (const i of self.inside) {
      i.from = bind(i.buffer);
      i.at = staged;
      staged += i.from.size;
    }
    self.staging = buffer(Math.max(4, staged), MAP_READ | COPY_DST);
    self.copies = [];
    self.versions = new Map();
    return self;
  }

  /** Puts parameters and conditions in place where they have changed; the steps to run then. */
  settle(model, state, exact) {
    const moved = this.given.filter((g) => g.early && this.pull(model, g, exact));
    if (this.state === state && !moved.some((g) => g.copied)) return this.steps;
    if (this.state !== state) {
      for (const g of this.given.filter((g) => g.early && !moved.includes(g))) this.give(model, g, state.get(g.path), state);
    }
    this.state = state;
    return [...this.prepare, ...this.steps];
  }

  /** Whether a source has a value on the device; it is copied with the next submission where it is another one. */
  pull(model, g, exact) {
    const value = model.stored(g.path, exact);
    if (!value) return false;
    g.copied = this.versions.get(g.path) !== value.version;
    if (g.copied) this.copies.push({ from: value.buffer, to: g.buffer, at: g.offset, size: 4 * g.length });
    this.versions.set(g.path, value.version);
    return true;
  }

  /** Numbers are written; what lies on the device is copied with the next submission. */
  give(model, g, value, conditions) {
    // What an earlier run gave that came to nothing is not copied over this.
    this.copies = this.copies.filter((c) => c.to !== g.buffer || c.at !== g.offset);
    if (!value?.held) return this.upload(model, g, value?.words ?? model.source(conditions, g.path, g.length));
    this.copies.push({ from: value.held.on(model.device), to: g.buffer, at: g.offset, size: 4 * g.length });
  }

  upload(model, { path, length, buffer, offset }, words) {
    if (!words) fail("value", `nothing is given for \`${path}\``);
    if (words.byteLength !== 4 * length) fail("value", `\`${path}\` has ${words.byteLength / 4} elements, where ${length} are wanted`);
    if (length) model.device.queue.writeBuffer(buffer, offset, words.buffer, words.byteOffset, words.byteLength);
  }

  /** One encoder, one pass, one submit. What is `held` stays in buffers of its own: [result, buffer]. */
  submit(model, steps, results, held = []) {
    const encoder = model.device.createCommandEncoder();
    for (const { from, to, at, size } of this.copies.splice(0)) if (size) encoder.copyBufferToBuffer(from, 0, to, at, size);
    const pass = encoder.beginComputePass();
    for (const { pipeline, group, indirect, at, x, y } of steps) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      indirect ? pass.dispatchWorkgroupsIndirect(indirect, at) : pass.dispatchWorkgroups(x, y);
    }
    pass.end();
    for (const { from, at } of [...results, ...this.inside]) encoder.copyBufferToBuffer(from.buffer, from.offset, this.staging, at, from.size);
    for (const [{ from }, buffer] of held) encoder.copyBufferToBuffer(from.buffer, from.offset, buffer, 0, from.size);
    model.device.queue.submit([encoder.finish()]);
  }

  async read(results = this.results) {
    await this.staging.mapAsync(GPUMapMode.READ);
    const bytes = this.staging.getMappedRange();
    const wrong = outside(this.inside, bytes);
    const out = bare();
    for (const { name, type, shape, at } of results) out[name] = made(type, shape, bytes.slice(at, at + 4 * count(shape)));
    this.staging.unmap();
    if (wrong) fail("value", wrong);
    return out;
  }

  destroy() {
    this.made.forEach((b) => b.destroy());
  }
}

/** What is said of an index outside of its axis: of the first in the source, and the greatest there. Nothing where there is none. */
function outside(inside, bytes) {
  let found = null;
  for (const { at, places, axis, place, rank } of inside) {
    const code = new Int32Array(bytes, at, 1)[0];
    if (code === -0x80000000) continue;
    if (found && (found.rank < rank || (found.rank === rank && found.code >= code))) continue;
    const n = Math.max(1, places);
    found = { place, rank, code, index: code >= n ? code : code - n, places, axis };
  }
  if (!found) return null;
  const what = found.places === 0 ? "an index" : `index ${found.index}`;
  const has = found.places === 0 ? "no places" : found.places === 1 ? "1 place" : `${found.places} places`;
  return `${what} is outside of ${found.axis}, which has ${has}${found.place && ` (${found.place})`}`;
}

const shape = (axes, dims) => axes.map((a) => (typeof a === "string" ? dims[a] : typeof a === "function" ? a(dims) : a));
export const declared = (i) => `${i.type}${i.shape.length ? `[${i.axes.join(", ")}]` : ""}`;

/** A value as the user gives it: numbers in any nesting, a typed array, or { shape, data }. */
export function read(input, value) {
  const what = `\`${input.name}\` is ${declared(input)}`;
  if (value == null) fail("value", `${what}, but the value given is ${value}`);
  if (value instanceof Held) {
    value.use().drop();
    if (value.type !== input.type) fail("value", `${what}, but \`${value.name}\`, which lies on the device, is ${value.type}`);
    return { input, words: null, sizes: [...value.shape], held: value };
  }
  let data = value, sizes = null;
  if (typeof value === "object" && "data" in value) {
    data = value.data;
    sizes = value.shape && [...value.shape];
  } else if (Array.isArray(value) && Array.isArray(value[0])) {
    sizes = [];
    for (let v = value; Array.isArray(v); v = v[0]) sizes.push(v.length);
    data = value.flat(Infinity);
  } else if (typeof value !== "object") {
    data = [value];
  }
  if (!Array.isArray(data) && (!ArrayBuffer.isView(data) || data instanceof DataView)) fail("value", `${what}, but the value given is no list of numbers`);
  if (sizes?.some((s) => !Number.isInteger(s) || s < 0)) fail("value", `${what}, but the shape given is [${sizes.join(", ")}]`);
  const number = (v) => ["number", "boolean", "bigint"].includes(typeof v) && (input.type !== "bool" || Number(v) === 0 || Number(v) === 1);
  const none = Array.prototype.findIndex.call(data, (v) => !number(v));
  if (none >= 0) fail("value", `${what}, but element ${none} is ${typeof data[none] === "string" ? JSON.stringify(data[none]) : data[none]}`);
  const words = (input.type === "f32" ? Float32Array : Int32Array).from(data, Number);
  if (sizes && count(sizes) !== words.length) {
    fail("value", `${what}: ${words.length} elements do not fit the shape [${sizes.join(", ")}]`);
  }
  if (input.type === "i32") {
    const wrong = Array.prototype.findIndex.call(data, (v, k) => Number(v) !== words[k]);
    if (wrong >= 0) fail("value", `${what}, but element ${wrong} is ${data[wrong]}`);
  }
  return { input, words, sizes };
}

/** Whether a value's numbers are looked at here, before the device sees them. */
const looked = (input) => input.indexes || input.kind || input.allowed;

/** Takes the free dims from a value's shape, or from its length where one axis is open. */
export function learn({ input, words, sizes, held }, dims) {
  const what = `\`${input.name}\` is ${declared(input)}`, length = held ? count(sizes) : words.length;
  if (input.kind === "size") dims[input.name] = words[0];
  let known = shape(input.shape, dims).map((s) => (Number.isNaN(s) ? undefined : s));
  if (sizes) {
    if (sizes.length !== known.length) fail("value", `${what}, but the value has ${sizes.length} axes`);
  } else {
    const open = known.flatMap((s, k) => (s === undefined ? [k] : []));
    const rest = known.reduce((n, s) => n * (s ?? 1), 1);
    if (open.length === 1) {
      known[open[0]] = rest ? length / rest : 0;
      if (!Number.isInteger(known[open[0]])) fail("value", `${what}, but the value has ${length} elements`);
    } else if (open.length) return false;
    sizes = known;
  }
  input.shape.forEach((axis, k) => {
    if (typeof axis === "string") dims[axis] ??= sizes[k];
  });
  known = shape(input.shape, dims);
  if (known.some((s) => s === undefined || Number.isNaN(s))) return false;
  if (known.some((s, k) => s !== sizes[k]) || count(known) !== length) {
    fail("value", `${what}: [${known.join(", ")}] is wanted, but the value has ${length} elements, [${sizes.join(", ")}]`);
  }
  if (input.allowed && !input.allowed.includes(words[0])) fail("value", `\`${input.name}\` can be ${input.allowed.join(", ")}`);
  return true;
}

/** Whether a value lies inside of the axes that it indexes for these outputs. */
export function inside({ input, words }, dims, outputs) {
  for (const [axis, by] of input.indexes ?? []) {
    const [below] = shape([axis], dims);
    const wrong = outputs.some((o) => by.includes(o.name)) ? words.findIndex((v) => v < 0 || v >= below) : -1;
    if (wrong >= 0) fail("value", `\`${input.name}\` is ${declared(input)} and indexes an axis of ${below}: element ${wrong} is ${words[wrong]}`);
  }
}

/** A model, ready to run. */
class Model {
  constructor(spec, programs, weights, device, get, options) {
    Object.assign(this, { spec, programs: programs.programs, constants: programs.constants, shaders: programs.shaders, weights, get });
    this.own = !options.device;
    this.shipped = !options.weights;
    // Never changed in place: a run keeps the conditions that it began with.
    this.conditions = new Map();
    this.pending = 0;
    this.placements = new Map();
    this.texts = new Map();
    this.kept = KEPT + spec.measures.length;
    // Values that lie on the device and change there, by path: { buffer, version }; no two versions are equal.
    this.store = new Map();
    this.clock = 0;
    this.last = Promise.resolve();
    this.adopt(device);
  }

  adopt(device) {
    this.device = device;
    this.pipelines = new Map();
    this.layouts = new Map();
    device.lost.then(({ reason, message }) => {
      if (this.device !== device) return;
      this.gone = `the GPU was lost (${reason}${message ? `: ${message}` : ""})`;
      this.placements.clear();
      // What was learned is gone with it, and nothing else takes its place unasked.
      this.forgot ||= this.store.size > 0;
      this.store.clear();
    });
  }

  tick() {
    return ++this.clock;
  }

  /** The value of a path that lies on the device: for a run its average where there is one, for a step what it was set to. */
  stored(path, exact) {
    const [first, second] = exact ? [path, `#set.${path}`] : [`#average.${path}`, path];
    return this.store.get(first) ?? this.store.get(second);
  }

  layout(count, uniform) {
    const key = `${count} ${uniform}`;
    if (!this.layouts.has(key)) {
      const entry = (binding, type) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } });
      const entries = Array.from({ length: count }, (_, n) => entry(n + 1, "storage"));
      if (uniform) entries.push(entry(0, "uniform"));
      this.layouts.set(key, this.device.createBindGroupLayout({ entries }));
    }
    return this.layouts.get(key);
  }

  pipeline(shader, count, uniform) {
    const key = `${shader} ${count} ${uniform}`;
    if (!this.pipelines.has(key)) this.pipelines.set(key, this.compile(shader, this.layout(count, uniform)));
    return this.pipelines.get(key);
  }

  async compile(shader, layout) {
    const name = this.shaders[shader], device = this.device;
    if (!this.texts.has(name)) this.texts.set(name, this.get(`wgsl/${name}`, "text"));
    const module = device.createShaderModule({ label: name, code: await this.texts.get(name) });
    const pipeline = await device.createComputePipelineAsync({
      label: name,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: "main" },
    }).catch((e) => fail("gpu", `${name} does not compile: ${e.message}`));
    return { pipeline, layout };
  }

  /** Words of a parameter or condition. */
  source(conditions, path, length, inputs = this.spec.inputs) {
    const given = conditions.get(path)?.words ?? this.weights.get(path);
    if (given) return given;
    const input = inputs.find((i) => i.name === path);
    if (input?.default === undefined) return path === "seed" ? new Int32Array(1) : undefined;
    const words = new (input.type === "f32" ? Float32Array : Int32Array)(length);
    return Array.isArray(input.default) ? words.constructor.from(input.default) : words.fill(input.default);
  }

  take(values, condition) {
    const word = condition ? "condition" : "input", other = condition ? "run" : "prepare";
    const known = this.spec.inputs.filter((i) => i.condition === condition);
    return Object.entries(values ?? {}).map(([name, value]) => {
      const input = known.find((i) => i.name === name);
      if (input) return read(input, value);
      if (this.spec.inputs.some((i) => i.name === name)) fail("value", `\`${name}\` is no ${word}: give it to ${other}()`);
      fail("value", `${this.spec.name} has no ${word} \`${name}\`; it has ${list(known.map((i) => i.name))}`);
    });
  }

  /** Takes conditions; those that are left out keep their last value. What depends on them alone is computed once. */
  prepare(conditions = {}) {
    const taken = this.take(conditions, true);
    const dims = bare();
    for (const t of taken) {
      if (t.held && looked(t.input)) fail("value", `\`${t.input.name}\` is looked at before the device sees it: prepare({ ${t.input.name}: await held.read() })`);
      // What is wrong for all that read it is said at once.
      const readers = this.spec.outputs.filter((o) => o.needs.includes(t.input.name));
      const all = (by) => readers.every((o) => by.includes(o.name));
      if (learn(t, dims) && t.input.indexes?.every(([, by]) => all(by))) inside(t, dims, readers);
    }
    this.conditions = new Map([...this.conditions, ...taken.map((t) => [t.input.name, t])]);
    const freed = [...this.conditions.values()].some((t) => t.held?.freed);
    if (this.gone || !this.current || this.pending || freed) return;
    // The sizes of the last run are the best guess for the next one.
    const { placement, sizes } = this.current;
    if (Object.entries(dims).every(([d, n]) => sizes[d] === n) && !this.spec.measures.length) {
      placement.settle(this, this.conditions);
      placement.submit(this, placement.prepare, []);
    }
  }

  /** Computes the outputs that the inputs are enough for, or those asked for in `options.outputs`; those in `options.keep` stay on the device. */
  run(inputs = {}, options = {}) {
    const taken = this.take(inputs, false);
    const conditions = this.conditions;
    const held = [...taken, ...conditions.values()].flatMap((t) => t.held?.use() ?? []);
    return this.turn(() => this.execute(conditions, taken, options)).finally(() => held.forEach((h) => h.drop()));
  }

  /** One after the other. */
  turn(work) {
    this.pending += 1;
    const turn = this.last.then(work).finally(() => (this.pending -= 1));
    this.last = turn.catch(() => {});
    return turn;
  }

  /** There is a device; another one where it was lost. */
  async present() {
    if (!this.gone) return;
    if (!this.own) fail("lost", this.gone);
    this.adopt(await request());
    this.gone = null;
  }

  /** Outputs to compute. */
  wanted(conditions, taken, names) {
    const { inputs, outputs } = this.spec;
    const have = new Set([...taken.map((t) => t.input.name), ...conditions.keys()]);
    inputs.filter((i) => i.default !== undefined).forEach((i) => have.add(i.name));
    const lacks = (o) => o.needs.filter((n) => !have.has(n));
    for (const name of names ?? []) {
      const output = outputs.find((o) => o.name === name);
      if (!output) fail("value", `${this.spec.name} has no output \`${name}\`; it has ${list(outputs.map((o) => o.name))}`);
      if (lacks(output).length) fail("value", `\`${name}\` needs ${list(lacks(output))}`);
    }
    const can = outputs.filter((o) => !lacks(o).length && (!names || names.includes(o.name)));
    if (can.length) return { wanted: can, have };
    const missing = outputs.map(lacks).sort((a, b) => a.length - b.length)[0] ?? [];
    const say = missing.map((n) => {
      const input = inputs.find((i) => i.name === n);
      return `${input.condition ? "the condition" : "the input"} \`${n}\`, ${declared(input)}: give it to ${input.condition ? "prepare" : "run"}()`;
    });
    fail("value", `${this.spec.name} needs ${say.join("; and ")}`);
  }

  /** Which outputs are computed together: none by a program that reads an input which is not there. */
  families(wanted, have) {
    const { families, outputs } = this.spec;
    const needs = (f) => new Set(outputs.filter((o) => f.outputs.includes(o.name)).flatMap((o) => o.needs));
    const one = families.find((f) => wanted.every((o) => f.outputs.includes(o.name)) && [...needs(f)].every((n) => have.has(n)));
    if (one) return [[one, wanted]];
    const own = (o) => families.find((f) => f.outputs.includes(o.name) && [...needs(f)].every((n) => o.needs.includes(n))) ?? families.at(-1);
    const groups = new Map();
    for (const o of wanted) groups.set(own(o), [...(groups.get(own(o)) ?? []), o]);
    return [...groups];
  }

  async execute(conditions, taken, { outputs: names, dims: asked, keep = [] } = {}) {
    await this.present();
    [...conditions.values(), ...taken].forEach(({ held }) => held?.on(this.device));
    taken = await Promise.all(taken.map(async (t) => (t.held && looked(t.input) ? read(t.input, await t.held.read()) : t)));
    if (this.forgot) fail("lost", "the GPU was lost, and what was learned with it: train.load() or train.reset()");
    const { wanted, have } = this.wanted(conditions, taken, names);
    const lost = [...keep].find((name) => !wanted.some((o) => o.name === name));
    if (lost !== undefined) fail("value", `\`keep\` names \`${lost}\`, which this run does not compute; it computes ${list(wanted.map((o) => o.name))}`);
    const dims = bare(this.spec.dims, asked);
    for (const i of this.spec.inputs.filter((i) => i.kind === "size" && i.default !== undefined)) dims[i.name] = i.default;
    let open = [...conditions.values(), ...taken];
    for (let before; open.length && open.length !== before;) {
      before = open.length;
      open = open.filter((t) => !learn(t, dims));
    }
    if (open.length) {
      fail("size", `nothing says the shape of \`${open[0].input.name}\`, ${declared(open[0].input)}: give { shape, data }`);
    }
    try {
      // Sizes that values decide: computed first, and read.
      for (const m of this.spec.measures.filter((m) => m.needs.every((n) => have.has(n)))) {
        const { [m.dim]: size } = await this.compute(m.families, [{ name: m.dim, type: m.type, shape: [], at: 0 }], dims, conditions, taken);
        dims[m.dim] = Math.max(0, Math.round(size.data[0]));
      }
      [...conditions.values(), ...taken].forEach((t) => inside(t, dims, wanted));
      for (const ask of this.spec.asks ?? []) {
        const [least, most] = ask.sizes(dims);
        if (least > most && wanted.some((o) => ask.outputs.includes(o.name))) {
          fail("size", `${ask.say(least, most)}${ask.place && ` (${ask.place})`}`);
        }
      }
      const out = bare();
      for (const [family, some] of this.families(wanted, have)) Object.assign(out, await this.compute([family], some, dims, conditions, taken, keep));
      return out;
    } catch (e) {
      if (this.gone) fail("lost", `${this.gone}: run again`);
      throw e;
    }
  }

  /** Where `keep` says which outputs stay on the device, the placement is remembered. */
  async compute(families, wanted, dims, conditions, taken, keep) {
    const placement = await this.placement(families, wanted, dims);
    if (keep) this.current = { placement, sizes: dims };
    for (const g of placement.given.filter((g) => !g.early && !placement.pull(this, g))) {
      placement.give(this, g, taken.find((t) => t.input.name === g.path) ?? conditions.get(g.path), conditions);
    }
    const stays = (r) => keep?.includes(r.name), told = placement.results.filter((r) => !stays(r));
    const held = await this.room(placement.results.filter(stays));
    try {
      await this.submit(placement, placement.settle(this, conditions), told, held);
      const out = await placement.read(told);
      return Object.assign(out, ...held.map(([r, buffer]) => ({ [r.name]: new Held(this.device, { ...r, shape: Object.freeze([...r.shape]) }, buffer) })));
    } catch (e) {
      held.forEach(([, buffer]) => buffer.destroy());
      throw e;
    }
  }

  /** Memory for results that stay, each with its own. */
  async room(results) {
    if (!results.length) return [];
    const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    this.device.pushErrorScope("out-of-memory");
    const held = results.map((r) => [r, this.device.createBuffer({ size: r.from.size, usage })]);
    const full = await this.device.popErrorScope();
    if (!full) return held;
    held.forEach(([, buffer]) => buffer.destroy());
    return fail("memory", `the GPU has no room for what is kept of this run: ${full.message}`);
  }

  /** Submits; what the browser has against it is heard the first time. */
  async submit(placement, steps, results, held) {
    if (placement.checked) return placement.submit(this, steps, results, held);
    this.device.pushErrorScope("validation");
    placement.submit(this, steps, results, held);
    const wrong = await this.device.popErrorScope();
    if (wrong) fail("gpu", wrong.message);
    placement.checked = true;
  }

  async placement(families, wanted, dims) {
    const holds = (f) => wanted.every((o) => !f.outputs || f.outputs.includes(o.name));
    const family = families.find(holds);
    const missing = family.dims.filter((d) => !Number.isInteger(dims[d]));
    if (missing.length) {
      fail("size", `nothing says how long ${list(missing)} is: run(inputs, { dims: { ${missing.map((d) => `${d}: 4`).join(", ")} } })`);
    }
    const cell = family.dims.reduce((n, d, k) => n * family.cuts[k].length + Math.max(0, family.cuts[k].findLastIndex((c) => dims[d] >= c)), 0);
    let number = family.cells[cell];
    // Where a program is not right in all of its range, a function says which one is.
    if (number.call) number = number(dims);
    if (number < 0) {
      const { name, inputs, measures } = this.spec, all = family.dims.map((d) => `${d} = ${dims[d]}`).join(", ");
      if (number === -1) fail("size", `${name} cannot have ${all}`);
      const said = family.dims.filter((d) => ![...inputs, ...measures].some((i) => i.name === d || i.dim === d));
      const way = said.length && `: hnet build makes one where the source says ${said.map((d) => `\`dim ${d} = ${dims[d]}\``).join(", ")}`;
      fail("size", `no program of this page is right for ${all}${way || ""}`);
    }
    const outputs = wanted.map((o) => ({ ...o, at: family.outputs ? family.outputs.indexOf(o.name) : o.at }));
    const key = JSON.stringify([number, outputs.map((o) => o.at), family.dims.map((d) => dims[d])]);
    let found = this.placements.get(key);
    if (!found) found = await Placement.make(this, this.programs[number], outputs, dims);
    // The one used last stands last; the oldest goes.
    this.placements.delete(key);
    this.placements.set(key, found);
    for (const [old, p] of this.placements) {
      if (this.placements.size <= this.kept) break;
      this.placements.delete(old);
      p.destroy();
    }
    return found;
  }

  /** Gives the device back. */
  destroy() {
    this.placements.forEach((p) => p.destroy());
    this.placements.clear();
    this.store.forEach((v) => v.buffer.destroy());
    this.store.clear();
    this.current = null;
    if (this.own) this.device.destroy();
    this.gone ??= "the model was given back";
    this.own = false;
  }
}
