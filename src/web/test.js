// Whether the device of this page computes what it should: the model is run on drawn inputs, whose outputs are known (known.json).

import { ModelError } from "./model.js";

// How far a number may lie from the known one, as a part of the largest of its tensor: many sums in 32 bits, one after the other.
const FAR = 1e-3;

/** How far the farthest number is, as a part of the largest. Whole numbers and truths are right or not. */
function far(type, made, known) {
  if (String(made.shape) !== String(known.shape) || made.data.length !== known.data.length) return Infinity;
  const right = known.data.map(Number);
  if (type !== "f32") return right.every((v, k) => v === made.data[k]) ? 0 : Infinity;
  // What overflows in 32 bits is no number to compare with.
  const largest = right.reduce((n, v) => (Number.isFinite(v) ? Math.max(n, Math.abs(v)) : n), 0);
  const off = (v, k) => (v === made.data[k] ? 0 : Math.abs(v - made.data[k]) / (largest || 1));
  // Where a number is known, what is none is as far as can be.
  const one = (v, k) => (!Number.isFinite(v) ? 0 : Number.isFinite(made.data[k]) ? off(v, k) : Infinity);
  return right.reduce((n, v, k) => Math.max(n, one(v, k)), 0);
}

/**
 * Runs every known case. Gives { programs, tested, answers }: how many programs the page has, how many of them have a case, and for each output
 * of each case { output, dims, far, right, error }. Conditions are afterwards what they were.
 */
export async function test(model, each = () => {}) {
  if (!model.shipped) throw new ModelError("value", "known answers are those of the page's own weights: load() without others");
  if (model.store.size) throw new ModelError("value", "known answers are those of the page's own weights: test before training, or after train.reset()");
  const { cases, programs, tested } = await model.get("known.json", "json");
  const before = model.conditions, answers = [];
  for (const { dims, conditions, inputs, outputs } of cases) {
    const values = (list) => Object.fromEntries(Object.entries(list).map(([name, v]) => [name, { shape: v.shape, data: v.data.map(Number) }]));
    let made = {}, error;
    try {
      model.prepare(values(conditions));
      made = await model.run(values(inputs), { dims, outputs: Object.keys(outputs) });
    } catch (e) {
      if (e.code === "lost" || e.code === "no-webgpu") throw e;
      error = e.message;
    } finally {
      model.conditions = before;
    }
    for (const [output, known] of Object.entries(outputs)) {
      const type = model.spec.outputs.find((o) => o.name === output).type;
      const off = error ? Infinity : far(type, made[output], known);
      answers.push({ output, dims, far: off, right: off <= FAR, error });
      each(answers.at(-1), cases.length);
    }
  }
  return { programs, tested, answers };
}
