//! The part of `model.d.ts` that says how the page trains.

use super::super::expr::quoted;
use super::super::module::doc;
use super::Lesson;
use crate::bind::known::declared;
use crate::train::List;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Rows, what a step comes to, and the trainer.
pub fn types(l: &Lesson) -> String {
    let mut out = rows(l);
    let told = |list: List| -> String {
        let heard = l.arms.iter().flat_map(|a| &a.parts).flat_map(|p| &p.told).filter(|h| h.list == list);
        let names: BTreeSet<&str> = heard.map(|h| h.name.as_str()).collect();
        let mark = if l.arms.len() == 1 { "" } else { "?" };
        let kind = if list == List::Loads { "number[]" } else { "number" };
        let text: Vec<String> = names.iter().map(|n| format!("{}{mark}: {kind}", quoted(n))).collect();
        if text.is_empty() { "{}".into() } else { format!("{{ {} }}", text.join("; ")) }
    };
    let (losses, rates, loads, dropped) = (told(List::Losses), told(List::Rates), told(List::Loads), told(List::Dropped));
    let _ = write!(
        out,
        "
/** What a step came to. */
export interface Taken {{
  /** Steps that are taken, this one counted: those of all rounds. */
  step: number;
  losses: {losses};
  rates: {rates};
  /** Of all gradients, before they are clipped. */
  norm: number;
  /** For each route the share of each expert, and the share of what found no seat. */
  loads: {loads};
  dropped: {dropped};
}}
"
    );
    out += TRAINER;
    out
}

/// What a step of each arm takes.
fn rows(l: &Lesson) -> String {
    let mut out = String::new();
    let one = l.arms.len() == 1;
    let names: Vec<String> = (0..l.arms.len()).map(|k| if one { "Rows".into() } else { format!("Rows{k}") }).collect();
    for (a, name) in l.arms.iter().zip(&names) {
        let turn = if one { "" } else { " in one of its turns" };
        let _ = writeln!(out, "\n/** What a step of `{}` takes{turn}. */\nexport interface {name} {{", l.name);
        for (i, wanted) in &a.inputs {
            let mut text = declared(i);
            let dims = i.shape.iter().filter_map(|(n, _)| n.as_ref());
            let known: Vec<String> = dims.filter_map(|n| Some(format!("{n} = {}", a.dims.get(n)?))).collect();
            if !known.is_empty() {
                let _ = write!(text, " with {}", known.join(", "));
            }
            if let Some(below) = &i.below {
                let _ = write!(text, ", below {below}");
            }
            if i.default.is_some() {
                text += "; has a default";
            }
            out += &doc(&text);
            let _ = writeln!(out, "  {}{}: Values;", quoted(&i.name), if *wanted { "" } else { "?" });
        }
        out += "}\n";
    }
    if !one {
        let _ = writeln!(out, "export type Rows = {};", names.join(" | "));
    }
    out
}

/// The trainer: the same for every block.
const TRAINER: &str = "
export interface StepOptions {
  /** Whether losses are read; without, a step does not wait for the device, and gives nothing. */
  losses?: boolean;
  /** Sizes of free dims that no input tells. */
  dims?: { [dim: string]: number };
}

export interface Train {
  readonly name: string;
  /** Steps of a round; may be changed. */
  steps: number;
  /** Steps that were taken, and whether that is all. */
  readonly taken: number;
  readonly done: boolean;
  /** What the rounds go through, as it is now. */
  readonly round: number | null;
  /** The names of what the next step takes. */
  readonly wants: readonly string[];
  /** Whether the rows of the block went with the page: then a step needs none. */
  readonly hasRows: boolean;
  /** The rows of the next step as `hnet train` takes them, from the file that went with the page. */
  rows(): Promise<Rows[]>;
  /** Takes a step: on these rows (a list of as many batches as the block accumulates), or on the next of the file. One at a time. */
  step(rows?: Rows | readonly Rows[] | null, options?: StepOptions & { losses?: true }): Promise<Taken>;
  step(rows: Rows | readonly Rows[] | null | undefined, options: StepOptions & { losses: false }): Promise<undefined>;
  /** The weights as safetensors: running averages where the block asks for them. `apart`: a tensor for each net of an array, as `hnet` has them. */
  params(options?: { apart?: boolean }): Promise<Uint8Array<ArrayBuffer>>;
  /** All that going on needs, as safetensors: weights, what the rules remember, where training is. */
  state(): Promise<Uint8Array<ArrayBuffer>>;
  /** Takes what `params()` gave (and begins anew with it) or what `state()` gave (and goes on). */
  load(bytes: ArrayBuffer | Uint8Array): Promise<void>;
  /** Back to the weights that the page came with, and to the first step. */
  reset(): Promise<void>;
}
";
