//! Where a program of a page is right: what the plans that it was made of take for granted about their sizes.

use super::expr;
use crate::plan::{Granted, Sizes};

/// A program is right where all that one of its plans takes for granted holds. Plans at several sizes may make one program.
#[derive(Clone, Debug, Default)]
pub struct Guard(Vec<Vec<Granted>>);

impl Guard {
    /// One more plan that makes this program.
    pub fn or(&mut self, granted: &[Granted]) {
        let always = self.0.iter().any(Vec::is_empty);
        if granted.is_empty() {
            self.0 = vec![vec![]];
        } else if !always && !self.0.iter().any(|g| g == granted) {
            self.0.push(granted.to_vec());
        }
    }

    /// Whether the program is right at these sizes.
    pub fn holds(&self, sizes: &Sizes) -> bool {
        let holds = |g: &Granted| {
            let of = |size: &crate::ir::Size| size.value(&|name| sizes.get(name).copied());
            of(&g.least).ok().zip(of(&g.most).ok()).is_some_and(|(least, most)| least <= most)
        };
        self.0.iter().any(|all| all.iter().all(holds))
    }

    /// The guard as a function of the page's dims; none where it always holds.
    pub fn script(&self) -> Option<String> {
        let one = |g: &Granted| format!("{} <= {}", expr::size(&g.least), expr::size(&g.most));
        let all = |list: &Vec<Granted>| list.iter().map(one).collect::<Vec<_>>().join(" && ");
        (!self.0.iter().any(Vec::is_empty)).then(|| format!("(d) => {}", self.0.iter().map(all).collect::<Vec<_>>().join(" || ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Size;

    fn at_most(least: Size, most: i64) -> Granted {
        Granted { least, most: Size::from(most) }
    }

    #[test]
    fn a_program_is_right_where_one_of_its_plans_is() {
        let n = Size::sym("n");
        let sizes = |n: i64| Sizes::from([("n".into(), n)]);
        let mut guard = Guard::default();
        assert!(!guard.holds(&sizes(1)));
        guard.or(&[at_most(n.clone(), 1)]);
        assert!(guard.holds(&sizes(1)) && !guard.holds(&sizes(2)));
        assert_eq!(guard.script().as_deref(), Some("(d) => d.n <= 1"));
        guard.or(&[at_most(n.clone(), 9), at_most(Size::from(4i64).sub(&n), 0)]);
        assert!(guard.holds(&sizes(1)) && !guard.holds(&sizes(3)) && guard.holds(&sizes(4)) && !guard.holds(&sizes(10)));
        assert_eq!(guard.script().as_deref(), Some("(d) => d.n <= 1 || d.n <= 9 && 4 - d.n <= 0"));
        // What has no value is not taken to hold.
        assert!(!guard.holds(&Sizes::new()));
        guard.or(&[]);
        guard.or(&[at_most(n, 1)]);
        assert!(guard.holds(&sizes(1000)) && guard.script().is_none());
    }
}
