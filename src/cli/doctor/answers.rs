//! Whether a backend computes what the interpreter does, kind of kernel by kind of kernel.

use super::given::{Task, tasks};
use crate::cli::expect::far;
use crate::diag::Diagnostic;
use crate::exec::Engine;
use serde_json::{Value, json};

const TEXT: &str = include_str!("answers.hnet");

/// How far a number may lie from the interpreter's, as a part of the largest of its tensor.
const FAR: f64 = 2e-5;

/// One output beside the interpreter's.
pub(super) struct Answer {
    pub name: String,
    /// How far the farthest number is, as a part of the largest; or why there is none.
    pub far: Result<f64, Diagnostic>,
}

impl Answer {
    pub fn is_right(&self) -> bool {
        self.far.as_ref().is_ok_and(|far| *far <= FAR)
    }

    /// What is wrong with it, in a line.
    pub fn fault(&self) -> Option<String> {
        match &self.far {
            Ok(far) if *far <= FAR => None,
            Ok(far) => Some(format!("{} is off by {far:.1e} of its largest number", self.name)),
            Err(d) => Some(format!("{}: {}", self.name, d.message)),
        }
    }

    pub fn json(&self) -> Value {
        match &self.far {
            Ok(far) => json!({ "output": self.name, "right": self.is_right(), "off": far }),
            Err(d) => json!({ "output": self.name, "right": false, "error": d.message }),
        }
    }
}

/// All answers of a backend. `engine` makes one for a task.
pub(super) fn answers(engine: &dyn Fn(&Task) -> Result<Engine, Diagnostic>, step: &dyn Fn()) -> Result<Vec<Answer>, Diagnostic> {
    let mut out = Vec::new();
    for task in tasks(TEXT, &[])? {
        let right = Engine::interpreter(&task.graph, &task.wanted()).run(&task.values)?;
        let made = engine(&task).and_then(|mut e| e.run(&task.values));
        for (k, (name, _)) in task.outputs.iter().enumerate() {
            let far = made.as_ref().map(|made| far(&right[k], &made[k])).map_err(Clone::clone);
            out.push(Answer { name: format!("{}.{name}", task.name), far });
        }
        step();
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreter_agrees_with_itself_and_what_is_wrong_is_named() {
        let all = answers(&|t| Ok(Engine::interpreter(&t.graph, &t.wanted())), &|| ()).unwrap();
        assert!(all.len() > 20 && all.iter().all(Answer::is_right));
        let failed = Answer { name: "M.y".into(), far: Ok(0.5) };
        assert!(failed.fault().is_some_and(|f| f.contains("M.y")));
    }

    #[test]
    fn code_and_what_it_is_compared_with_agree() {
        let all = answers(&|t| Engine::cpu(&t.graph, &t.wanted(), 1), &|| ()).unwrap();
        let faults: Vec<String> = all.iter().filter_map(Answer::fault).collect();
        assert!(faults.is_empty(), "{faults:?}");
    }
}
