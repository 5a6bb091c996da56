// Types of test.js.

import type { Model } from "./model.js";

export interface Answer {
  output: string;
  /** Sizes of the case. */
  dims: Record<string, number>;
  /** How far the farthest number is from the known one, as a part of the largest of its tensor. */
  far: number;
  right: boolean;
  /** Why there is no answer, where there is none. */
  error?: string;
}

/** Runs the model on inputs whose outputs are known. Throws a `ModelError` where the weights are not the page's own. */
export function test(
  model: Model,
  each?: (answer: Answer, cases: number) => void,
): Promise<{ /** Programs of the page. */ programs: number; /** Those of them that a case runs. */ tested: number; answers: Answer[] }>;
