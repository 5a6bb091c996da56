//! Another condition beside the parameters that are there.

use super::Engine;
use crate::diag::Diagnostic;
use crate::ir::Bindings;

impl Engine {
    /// As [`Engine::prepare`], where only these sources and sizes have other values than before: all others stay what they are, and nobody looks at
    /// them. So a condition that was there before costs a comparison of the condition, however large the parameters are.
    pub fn turn_to(&mut self, given: &Bindings) -> Result<(), Diagnostic> {
        self.generation += 1;
        let mut conditions = given.sources.clone();
        for path in self.kept.paths() {
            if let (false, Some(value)) = (conditions.contains_key(&**path), self.stored.get(path)) {
                conditions.insert(path.to_string(), value.clone());
            }
        }
        self.kept.turn(&mut self.ready, &self.stored, &self.far, &conditions);
        self.stored.put(given.sources.iter(), &self.far);
        self.far.retain(|path| !given.sources.contains_key(path));
        self.kept.of_parameters(&mut self.ready, self.stored.newest(self.parameters.iter().map(|p| &**p)));
        self.asked.extend(given.sizes.iter().map(|(name, n)| (name.clone(), *n)));
        self.measure()?;
        self.settle_early()
    }
}
