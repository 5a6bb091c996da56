//! Graphs of small programs, and values for all that they read.

use crate::diag::Diagnostic;
use crate::ir::random::philox;
use crate::ir::{Bindings, DType, Data, Graph, NodeId, Op, OutputKind, Tensor};
use crate::pipeline;
use crate::source::Sources;

/// A model: its graph, its outputs by name, and values for its sources.
pub(super) struct Task {
    pub name: String,
    pub graph: Graph,
    pub outputs: Vec<(String, NodeId)>,
    pub values: Bindings,
}

impl Task {
    pub fn wanted(&self) -> Vec<NodeId> {
        self.outputs.iter().map(|o| o.1).collect()
    }
}

/// The models of a text at these sizes. Errors: the text is wrong, which is a bug.
pub(super) fn tasks(text: &str, sizes: &[(&str, i64)]) -> Result<Vec<Task>, Diagnostic> {
    let mut sources = Sources::default();
    let root = sources.add("doctor.hnet", None, text);
    let mut checked = pipeline::check(&mut sources, root, &[]);
    if !checked.is_fine() {
        return Err(checked.diagnostics.remove(0));
    }
    let task = |model: crate::check::model::Model| {
        let graph = model.graph;
        let mut values = Bindings { sizes: sizes.iter().map(|(s, n)| ((*s).into(), *n)).collect(), ..Bindings::default() };
        for id in graph.ids() {
            let Op::Source { path, .. } = &graph.node(id).op else { continue };
            let extent = |s: &crate::ir::Size| s.eval(&|s| values.sizes.get(s).copied()).unwrap_or(1).max(0) as usize;
            let shape: Vec<usize> = graph.node(id).shape.iter().map(|a| extent(&a.size)).collect();
            let value = drawn(shape, graph.node(id).dtype, id.index() as u32);
            values.sources.insert(path.to_string(), value);
        }
        let outputs =
            graph.outputs.iter().filter(|o| o.kind == OutputKind::Output).map(|o| (o.name.to_string(), o.node)).collect();
        Task { name: model.name, graph, outputs, values }
    };
    Ok(checked.models.into_iter().map(task).collect())
}

/// Numbers between -2 and 2, whole ones from 0 to 999.
fn drawn(shape: Vec<usize>, dtype: DType, seed: u32) -> Tensor {
    let n: usize = shape.iter().product();
    let word = |i: usize| philox([i as u32, seed, 0, 0], [3, 4])[0] >> 8;
    let data = match dtype {
        DType::F32 => Data::F32((0..n).map(|i| word(i) as f32 / (1 << 22) as f32 - 2.0).collect()),
        DType::I32 => Data::I32((0..n).map(|i| (word(i) % 1000) as i32).collect()),
        DType::Bool => Data::Bool((0..n).map(|i| (word(i) % 2) as u8).collect()),
    };
    Tensor::new(shape, data)
}
