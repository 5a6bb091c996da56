// Runs each workload with hnet's bundle and with TensorFlow.js in turn, and posts what it measured to the server.
//
// Both sides begin with a plain Float32Array and end with one: each run uploads its inputs, computes, and reads the result back.
// Weights are uploaded once on both sides, before anything is timed.

import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-webgpu";

const CLOSE = 1e-3; // allowed difference, as a part of the largest value
const WARM_UPS = 3;

const post = (path, value) => fetch(path, { method: "POST", body: JSON.stringify(value) });

/** Numbers that are the same on every run: a small generator (mulberry32), two draws for each normal number. */
function random(seed) {
  const uniform = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return {
    uniforms: (n, from, to) => Float32Array.from({ length: n }, () => from + (to - from) * uniform()),
    normals: (n) => Float32Array.from({ length: n }, normal),
  };
}

/** The tensors of a safetensors file: a length, a JSON header of that length, then the numbers. */
async function weights(url) {
  const bytes = await (await fetch(url)).arrayBuffer();
  const start = 8 + Number(new DataView(bytes).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, start - 8)));
  delete header.__metadata__;
  const all = {};
  for (const [name, { dtype, shape, data_offsets: [from, to] }] of Object.entries(header)) {
    if (dtype !== "F32") throw new Error(`${name} is ${dtype}`);
    // A copy: the offset in the file need not be a multiple of four.
    all[name] = { shape, data: new Float32Array(bytes.slice(start + from, start + to)) };
  }
  return all;
}

const upload = ({ data, shape }) => tf.tensor(data, shape);

/** Reads a result back, and gives its memory back. */
async function read(tensor) {
  const data = await tensor.data();
  tensor.dispose();
  return data;
}

/** `x @ w + bias` for one row on the CPU: only for weights that are made before the timing. */
function row(x, w, bias) {
  const out = Float64Array.from(bias.data);
  const n = out.length;
  for (let i = 0; i < x.length; i++) for (let j = 0; j < n; j++) out[j] += x[i] * w.data[i * n + j];
  return out;
}

// Each workload: its sizes in words, and `make`, which gives the run of hnet and one or more ways to write it for the peer.
const WORKLOADS = {
  product: {
    what: "x [512, 512] @ w [512, 512]",
    make(model, p) {
      const x = random(1).normals(512 * 512);
      const w = upload(p.w);
      return {
        hnet: async () => (await model.run({ x })).y.data,
        peers: { matMul: () => read(tf.tidy(() => tf.matMul(tf.tensor2d(x, [512, 512]), w))) },
      };
    },
  },

  moe: {
    what: "top 2 of 8 SwiGLU experts, d 128, h 256, 128 tokens",
    make(model, p) {
      const [t, d, experts, k] = [128, 128, 8, 2];
      const x = random(2).normals(t * d);
      const [gate, w1, w3, w2] = ["gate.w", "expert.*.w1", "expert.*.w3", "expert.*.w2"].map((name) => upload(p[name]));
      const swiglu = (x, w1, w3, w2) => {
        const a = tf.matMul(x, w1);
        return tf.matMul(tf.mul(tf.mul(a, tf.sigmoid(a)), tf.matMul(x, w3)), w2);
      };

      // Every expert for every token as three batched products; a mask makes the weights of the others zero. Four times the
      // arithmetic, but few dispatches and nothing to read before the end.
      const dense = () => tf.tidy(() => {
        const tokens = tf.tensor2d(x, [t, d]);
        const score = tf.softmax(tf.matMul(tokens, gate));
        const last = tf.slice(tf.topk(score, k).values, [0, k - 1], [t, 1]);
        const kept = tf.mul(score, tf.cast(tf.greaterEqual(score, last), "float32"));
        const mix = tf.div(kept, tf.sum(kept, 1, true));
        const each = swiglu(tf.expandDims(tokens, 0), w1, w3, w2); // [experts, t, d]
        return tf.sum(tf.mul(each, tf.reshape(tf.transpose(mix), [experts, t, 1])), 0);
      });

      // Only the picked experts: the picks are read back, as the number of rows of an expert must be known to the page; then rows
      // are gathered for each expert, and its results gathered back for each token.
      const slices = (w) => tf.unstack(w, 0);
      const [one, three, two] = [w1, w3, w2].map(slices);
      const gathered = async () => {
        const { tokens, index, mix } = tf.tidy(() => {
          const tokens = tf.tensor2d(x, [t, d]);
          const top = tf.topk(tf.softmax(tf.matMul(tokens, gate)), k);
          return { tokens, index: top.indices, mix: tf.div(top.values, tf.sum(top.values, 1, true)) };
        });
        const picks = await index.data();
        const rows = Array.from({ length: experts }, () => []);
        picks.forEach((e, at) => rows[e].push(at));
        const where = new Int32Array(t * k); // of the joined results, by token and slot
        rows.flat().forEach((at, place) => { where[at] = place; });
        const y = tf.tidy(() => {
          const parts = rows.flatMap((of, e) => (of.length
            ? [swiglu(tf.gather(tokens, tf.tensor1d(of.map((at) => Math.floor(at / k)), "int32")), one[e], three[e], two[e])]
            : []));
          const back = tf.reshape(tf.gather(tf.concat(parts), tf.tensor1d(where, "int32")), [t, k, d]);
          return tf.sum(tf.mul(back, tf.expandDims(mix, 2)), 1);
        });
        tf.dispose([tokens, index, mix]);
        return read(y);
      };

      return {
        hnet: async () => (await model.run({ x })).output.data,
        peers: { dense: () => read(dense()), gathered },
      };
    },
  },

  inr: {
    what: "generated sine network 2-64-64-64-3, 4096 points",
    make(model, p) {
      const n = 4096, width = 64, code = 128;
      const draw = random(3);
      // A small code, so that angles stay within about ±4. hnet's sine reduces angles itself; TensorFlow.js takes the device's, which WGSL
      // promises to 2^-11 within ±π only. With angles up to 30 a software adapter is off by a hundredth of the largest colour.
      const z = draw.normals(code).map((v) => 0.2 * v);
      const xy = draw.uniforms(2 * n, -1, 1);
      model.prepare({ z });

      // The peer gets the generated weights ready-made: neither side runs the hypernetwork while it is timed.
      const hidden = row(z, p["hyper.trunk.w"], p["hyper.trunk.bias"]).map((v) => Math.max(0, v));
      const flat = Float32Array.from(row(hidden, p["hyper.head.w"], p["hyper.head.bias"]));
      let at = 0;
      const take = (...shape) => tf.tensor(flat.slice(at, at += shape.reduce((a, b) => a * b)), shape);
      const layers = [[2, width], [width, width], [width, width], [width, 3]].map(([i, o]) => ({ w: take(i, o), bias: take(o) }));
      if (at !== flat.length) throw new Error(`the hypernetwork writes ${flat.length} numbers, the layers take ${at}`);

      const sine = () => tf.tidy(() => layers.reduce((h, { w, bias }, layer) => {
        const y = tf.fused.matMul({ a: h, b: w, bias }); // the product and its bias are one shader
        return layer < layers.length - 1 ? tf.sin(y) : y;
      }, tf.tensor2d(xy, [n, 2])));

      return {
        hnet: async () => (await model.run({ xy })).output.data,
        peers: { fused: () => read(sine()) },
      };
    },
  },
};

/** The largest difference, as a part of the largest value. */
function distance(a, b) {
  if (a.length !== b.length) throw new Error(`${a.length} numbers beside ${b.length}`);
  let apart = 0, largest = 0;
  for (let i = 0; i < a.length; i++) {
    if (!Number.isFinite(a[i]) || !Number.isFinite(b[i])) throw new Error(`number ${i} is ${a[i]} beside ${b[i]}`);
    apart = Math.max(apart, Math.abs(a[i] - b[i]));
    largest = Math.max(largest, Math.abs(a[i]));
  }
  if (!largest) throw new Error("all results are zero");
  return apart / largest;
}

async function measure(name, rounds) {
  const { what, make } = WORKLOADS[name];
  const bundle = `/out/${name}/`;
  const { load } = await import(`${bundle}model.js`);
  const model = await load();
  const { hnet, peers } = make(model, await weights(`${bundle}weights.safetensors`));
  const sides = Object.entries({ hnet, ...peers });

  const expected = await hnet();
  const apart = {};
  for (const [side, run] of Object.entries(peers)) {
    apart[side] = distance(expected, await run());
    if (apart[side] > CLOSE) throw new Error(`${name}: ${side} differs by ${apart[side]} of the largest value`);
  }

  const times = Object.fromEntries(sides.map(([side]) => [side, []]));
  for (let round = -WARM_UPS; round < rounds; round++) {
    // Who begins changes from round to round, so that no side always follows the same one.
    for (let i = 0; i < sides.length; i++) {
      const [side, run] = sides[(i + round + WARM_UPS) % sides.length];
      const from = performance.now();
      await run();
      const took = performance.now() - from;
      if (round >= 0) times[side].push(took);
    }
  }
  model.destroy();
  return { name, what, apart, times };
}

try {
  const query = new URLSearchParams(location.search);
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new Error("no WebGPU adapter");
  if (!(await tf.setBackend("webgpu"))) throw new Error("TensorFlow.js cannot start its WebGPU backend");
  await tf.ready();
  const { vendor, architecture, device, description } = adapter.info;
  const results = [];
  for (const name of query.get("only")?.split(",") ?? Object.keys(WORKLOADS)) {
    await post("/progress", name);
    results.push(await measure(name, Number(query.get("rounds"))));
  }
  await post("/report", {
    adapter: [vendor, architecture, device, description].filter(Boolean).join(" "),
    browser: navigator.userAgent,
    peer: `TensorFlow.js ${tf.version_core}, backend ${tf.getBackend()}`,
    results,
  });
} catch (e) {
  await post("/report", { error: String(e?.stack ?? e) });
}
