//! The module that a page imports (`model.js`) and its types (`model.d.ts`): what the model wants and gives, and its sizes.

use super::expr;
use super::train::{self, Lesson};
use super::variants::Family;
use super::ways::Way;
use crate::bind::known::axis;
use crate::check::model::{Allowed, Init, Input, InputKind, Model};
use crate::ir::needs::Need;
use crate::ir::{DType, Size, Tensor};
use std::collections::BTreeMap;
use std::fmt::Write;

/// An output of the page.
pub struct Output {
    pub name: String,
    pub dtype: DType,
    pub shape: Vec<Size>,
    /// Inputs and conditions that it is computed from.
    pub needs: Vec<String>,
}

/// A family with the numbers of its programs in the file.
pub struct Chosen {
    /// Names of the outputs, in the order of the program's; none for a measure.
    pub outputs: Vec<String>,
    pub family: Family,
    pub numbers: Vec<usize>,
}

/// A size that values decide.
pub struct Measure {
    pub dim: String,
    pub dtype: DType,
    /// Inputs and conditions that it is computed from.
    pub needs: Vec<String>,
    pub chosen: Chosen,
}

/// What is asked of sizes, by which outputs, and where.
pub struct Ask {
    pub need: Need,
    pub by: Vec<usize>,
    pub place: String,
}

/// That an input indexes an axis of this size, for these outputs.
pub struct Indexes {
    pub below: Size,
    pub by: Vec<usize>,
}

/// Everything that the texts are made from.
pub struct Parts<'a> {
    pub model: &'a Model,
    pub outputs: &'a [Output],
    pub families: &'a [Chosen],
    pub measures: &'a [Measure],
    /// Sizes that `programs.json` counts after its constants.
    pub sizes: &'a [Size],
    pub asks: &'a [Ask],
    /// What inputs index as they are.
    pub indexing: &'a BTreeMap<String, Vec<Indexes>>,
    /// Defaults that are more than one number.
    pub defaults: &'a BTreeMap<String, Tensor>,
    /// Whether something is drawn and no condition gives the seed.
    pub seed: bool,
    /// How the page trains.
    pub lesson: Option<&'a Lesson<'a>>,
}

pub fn list<T>(items: impl IntoIterator<Item = T>, one: impl Fn(T) -> String) -> String {
    format!("[{}]", items.into_iter().map(one).collect::<Vec<_>>().join(", "))
}

/// A size for the page: a number, the name of a dim, or a function of the dims.
pub fn axis_value(size: &Size) -> String {
    match (size.constant(), size.symbols().as_slice()) {
        (Some(n), _) => n.to_string(),
        (None, [s]) if *size == Size::sym(s.clone()) => expr::quoted(s),
        _ => format!("(d) => {}", expr::size(size)),
    }
}

/// What runs in a range: the number of a program, or a function of the dims that says it; -1 where no sizes are possible, -2 where no
/// program is right.
fn cell(ways: &[Way], numbers: &[usize]) -> String {
    if ways.is_empty() {
        return "-1".into();
    }
    let (mut text, mut rest) = (String::new(), "-2".to_string());
    for way in ways {
        if way.guard.always() {
            rest = numbers[way.program].to_string();
            break;
        }
        let _ = write!(text, "{} ? {} : ", way.guard.script(), numbers[way.program]);
    }
    if text.is_empty() { rest } else { format!("(d) => {text}{rest}") }
}

/// Which program runs at which sizes.
pub fn chosen(c: &Chosen) -> String {
    let names = |c: &Chosen| list(&c.outputs, |n| expr::quoted(n));
    let outputs = if c.outputs.is_empty() { String::new() } else { format!("outputs: {}, ", names(c)) };
    let dims = list(&c.family.dims, |d| expr::quoted(d));
    let cuts = list(&c.family.cuts, |c| list(c, |n| n.to_string()));
    let cells = list(&c.family.cells, |ways| cell(ways, &c.numbers));
    format!("{{ {outputs}dims: {dims}, cuts: {cuts}, cells: {cells} }}")
}

/// Sizes that an input may be, where they are few.
pub fn allowed(input: &Input) -> Option<Vec<i64>> {
    match &input.kind {
        InputKind::Size(Allowed::List(list)) => Some(list.clone()),
        InputKind::Size(Allowed::Range(from, to)) if to - from <= 256 => Some((*from..*to).collect()),
        InputKind::Size(_) | InputKind::Tensor | InputKind::Seed => None,
    }
}

/// A number as JavaScript writes it.
pub fn number(v: f64) -> String {
    if v.is_infinite() { if v > 0.0 { "Infinity" } else { "-Infinity" }.into() } else { v.to_string() }
}

/// What inputs are described with: names of outputs, what inputs index for them, defaults that are more than one number.
pub struct Described<'a> {
    pub outputs: &'a [String],
    pub indexing: &'a BTreeMap<String, Vec<Indexes>>,
    pub defaults: &'a BTreeMap<String, Tensor>,
}

/// The entries of an input's description.
pub fn input(i: &Input, p: &Described) -> String {
    let mut text = format!("name: {}, condition: {}, type: \"{}\"", expr::quoted(&i.name), i.condition, i.dtype.word());
    let axes = list(&i.shape, |(name, size)| expr::quoted(&axis(name.as_ref(), size)));
    let _ = write!(text, ", axes: {axes}, shape: {}", list(&i.shape, |(_, s)| axis_value(s)));
    if let Some(below) = &i.below {
        let _ = write!(text, ", below: {}", axis_value(below));
    }
    if let Some(indexes) = p.indexing.get(&i.name) {
        let one = |x: &Indexes| format!("[{}, {}]", axis_value(&x.below), list(&x.by, |k| expr::quoted(&p.outputs[*k])));
        let _ = write!(text, ", indexes: {}", list(indexes, one));
    }
    match &i.kind {
        InputKind::Tensor => {}
        InputKind::Size(_) => text += ", kind: \"size\"",
        InputKind::Seed => text += ", kind: \"seed\"",
    }
    if let Some(values) = allowed(i) {
        let _ = write!(text, ", allowed: {}", list(values, |n| n.to_string()));
    }
    match (&i.default, p.defaults.get(&i.name)) {
        (Some(Init::Fill(v)), _) => {
            let _ = write!(text, ", default: {}", number(*v));
        }
        (_, Some(t)) => {
            let _ = write!(text, ", default: {}", list(t.to_f64(), |v| number(f64::from(v as f32))));
        }
        _ => {}
    }
    text
}

/// What is asked of sizes by some of these outputs.
pub fn ask(a: &Ask, outputs: &[String]) -> String {
    let (least, most) = (expr::size(&a.need.least), expr::size(&a.need.most));
    let by = list(&a.by, |k| expr::quoted(&outputs[*k]));
    let words = a.need.words("${least}", "${most}");
    let place = expr::quoted(&a.place);
    format!("{{ outputs: {by}, sizes: (d) => [{least}, {most}], say: (least, most) => `{words}`, place: {place} }}")
}

/// `model.js`
pub fn script(p: &Parts) -> String {
    let name = &p.model.name;
    let mut out =
        format!("// {name}, written by hnet build. Same for every run: what the model wants and gives, and its sizes.\n\n");
    out += "import { ModelError, open } from \"./runtime.js\";\n";
    if p.lesson.is_some() {
        out += "import { teach } from \"./train.js\";\n";
    }
    out.push('\n');
    let names: Vec<String> = p.outputs.iter().map(|o| o.name.clone()).collect();
    let described = Described { outputs: &names, indexing: p.indexing, defaults: p.defaults };
    let _ = writeln!(out, "export const spec = {{\n  name: {},", expr::quoted(name));
    let fixed: Vec<String> =
        p.model.dims.iter().filter_map(|d| Some(format!(", [{}]: {}", expr::quoted(&d.name), d.size?))).collect();
    // Without a prototype: a dim may be called `constructor`.
    let _ = writeln!(out, "  dims: {{ __proto__: null{} }},", fixed.concat());
    let lines = |items: Vec<String>| items.into_iter().map(|i| format!("    {i},\n")).collect::<String>();
    let mut inputs: Vec<String> = p.model.inputs.iter().map(|i| format!("{{ {} }}", input(i, &described))).collect();
    if p.seed {
        inputs.push("{ name: \"seed\", condition: true, type: \"i32\", axes: [], shape: [], kind: \"seed\", default: 0 }".into());
    }
    let _ = writeln!(out, "  inputs: [\n{}  ],", lines(inputs));
    let outputs = p.outputs.iter().map(|o| {
        let (name, word) = (expr::quoted(&o.name), o.dtype.word());
        let axes = list(&o.shape, |s| expr::quoted(&s.to_string()));
        let (shape, needs) = (list(&o.shape, axis_value), list(&o.needs, |n| expr::quoted(n)));
        format!("{{ name: {name}, type: \"{word}\", axes: {axes}, shape: {shape}, needs: {needs} }}")
    });
    let _ = writeln!(out, "  outputs: [\n{}  ],", lines(outputs.collect()));
    out += "  // Which program runs: by outputs, then by ranges of the dims (first sizes), the last dim fastest.\n";
    let _ = writeln!(out, "  families: [\n{}  ],", lines(p.families.iter().map(chosen).collect()));
    let measures = p.measures.iter().map(|m| {
        let (dim, word) = (expr::quoted(&m.dim), m.dtype.word());
        let needs = list(&m.needs, |n| expr::quoted(n));
        format!("{{ dim: {dim}, type: \"{word}\", needs: {needs}, families: [{}] }}", chosen(&m.chosen))
    });
    let measures: Vec<String> = measures.collect();
    let _ =
        writeln!(out, "  measures: [{}],", if measures.is_empty() { String::new() } else { format!("\n{}  ", lines(measures)) });
    if !p.asks.is_empty() {
        let asks = p.asks.iter().map(|a| ask(a, &names));
        out += "  // What outputs ask of sizes: the first is no greater than the second.\n";
        let _ = writeln!(out, "  asks: [\n{}  ],", lines(asks.collect()));
    }
    out += &p.lesson.map(train::lesson).unwrap_or_default();
    let sizes = list(p.sizes, expr::size);
    let _ = writeln!(out, "  sizes: (d) => {sizes},\n}};\n");
    out += "export { ModelError };\n\n/** Opens the model: fetches its weights and programs, and asks for a device. */\n";
    let then = if p.lesson.is_some() { ".then(teach)" } else { "" };
    let _ = writeln!(out, "export const load = (options) => open(spec, new URL(\"./\", import.meta.url), options){then};");
    out
}

fn array(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "Float32Array",
        DType::I32 => "Int32Array",
        DType::Bool => "Uint8Array",
    }
}

/// A line of documentation.
pub fn doc(text: &str) -> String {
    format!("  /** {} */\n", text.replace("*/", "* /"))
}

/// `model.d.ts`
pub fn types(p: &Parts) -> String {
    let mut out = format!("// {}, written by hnet build: names, types and shapes of what it wants and gives.\n", p.model.name);
    out += "
/** Numbers in row-major order: flat, nested, or with their shape. A length decides the one axis that is open. */
export type Values = number | boolean | ArrayLike<number> | readonly Values[] | { shape?: readonly number[]; data: ArrayLike<number> } | Held<unknown>;
export interface Tensor<A> { shape: number[]; data: A }
/** An output that stays on the device: `run` and `prepare` take it as it is. */
export interface Held<A> {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  /** Brings its numbers here. */
  read(): Promise<Tensor<A>>;
  /** Gives its memory back; at the latest that happens when nothing refers to it any more. */
  free(): void;
  /** Whether `free` was called. */
  readonly freed: boolean;
}
";
    for (title, condition) in [("Conditions", true), ("Inputs", false)] {
        let _ = writeln!(out, "\nexport interface {title} {{");
        for i in p.model.inputs.iter().filter(|i| i.condition == condition) {
            let mut text = crate::bind::known::declared(i);
            if let Some(b) = &i.below {
                let _ = write!(text, ", below {b}");
            }
            if let Some(values) = allowed(i) {
                let _ = write!(text, ", one of {values:?}");
            }
            if i.default.is_some() {
                text += "; has a default";
            }
            out += &doc(&text);
            let _ = writeln!(out, "  {}?: Values;", expr::quoted(&i.name));
        }
        if condition && p.seed {
            out += "  /** i32: what is drawn follows from it; 0 unless given */\n  \"seed\"?: Values;\n";
        }
        out += "}\n";
    }
    out += "\nexport interface Outputs {\n";
    for o in p.outputs {
        let shape = list(&o.shape, Size::to_string);
        out += &doc(&format!("{}{}", o.dtype.word(), if o.shape.is_empty() { String::new() } else { shape }));
        let _ = writeln!(out, "  {}: Tensor<{}>;", expr::quoted(&o.name), array(o.dtype));
    }
    out += "}\n\n/** The inputs that each output is computed from. */\nexport interface Needs {\n";
    let given = |n: &&String| p.model.inputs.iter().any(|i| i.name == **n && !i.condition && i.default.is_none());
    for o in p.outputs {
        let needs: Vec<String> = o.needs.iter().filter(given).map(|n| expr::quoted(n)).collect();
        let needs = if needs.is_empty() { "never".to_string() } else { needs.join(" | ") };
        let _ = writeln!(out, "  {}: {needs};", expr::quoted(&o.name));
    }
    let mut dims: Vec<&str> = p.families.iter().flat_map(|f| f.family.dims.iter().map(|d| &**d)).collect();
    dims.retain(|d| !p.measures.iter().any(|m| m.dim == *d));
    dims.sort();
    dims.dedup();
    let dims = list(dims, |d| format!("{}?: number", expr::quoted(d)));
    let dims = dims.trim_start_matches('[').trim_end_matches(']').replace(", ", "; ");
    out += "}\n\n/** What inputs `I` are enough for. */
export type Computed<I, H = never> = {
  [K in keyof Outputs as [Needs[K]] extends [keyof I] ? K : never]: K extends H ? Held<Outputs[K][\"data\"]> : Outputs[K];
};

export interface RunOptions<H = never> {
  /** Only these outputs. */
  outputs?: readonly (keyof Outputs)[];
  /** These outputs stay on the device. */
  keep?: readonly H[];
  /** Sizes of free dims that no input tells. */
";
    let _ = write!(out, "  dims?: {{ {dims} }};\n}}\n");
    out += &p.lesson.map(train::types).unwrap_or_default();
    let train = if p.lesson.is_some() {
        "  /** Takes steps; runs use the weights as they are then. */\n  readonly train: Train;\n"
    } else {
        ""
    };
    let _ = write!(out, "\nexport interface Model {{\n{train}");
    out += "
  /** Takes conditions; those that are left out keep their last value. What depends on them alone is computed once. */
  prepare(conditions?: Conditions): void;
  /** Computes what the inputs are enough for. Several runs may be under way; they are computed in order. */
  run<I extends Inputs = {}, H extends keyof Outputs = never>(inputs?: I, options?: RunOptions<H>): Promise<Computed<I, H>>;
  /** Gives the device back. */
  destroy(): void;
}

export interface LoadOptions {
  /** Other weights: safetensors with the same names and shapes, or where they are. */
  weights?: ArrayBuffer | Uint8Array | string | URL;
  /** A device that the page has already; it is not given back. */
  device?: GPUDevice;
}

export class ModelError extends Error {
  code: \"no-webgpu\" | \"load\" | \"value\" | \"size\" | \"memory\" | \"lost\" | \"gpu\" | \"not-finite\";
}

/** Opens the model: fetches its weights and programs, and asks for a device. */
export function load(options?: LoadOptions): Promise<Model>;
";
    out
}
