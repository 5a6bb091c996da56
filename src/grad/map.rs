//! Scalar functions: what the adjoint of an operand is, at every point.

use super::Reverse;
use super::adjoint::Adjoint;
use super::nest::{Nest, Part};
use crate::ir::{DType, Map, NodeId, Op, Operand};
use std::f64::consts::PI;

/// Whether a function changes smoothly with its operand `n` anywhere.
pub fn has_slope(map: Map, n: usize) -> bool {
    match map {
        Map::Copy | Map::Neg | Map::Exp | Map::Log | Map::Sqrt | Map::Abs | Map::Sin | Map::Cos | Map::Tan | Map::Tanh => true,
        Map::Sigmoid | Map::Softplus | Map::Erf => true,
        Map::Add | Map::Sub | Map::Mul | Map::Div | Map::Pow | Map::Min | Map::Max | Map::Mod | Map::Atan2 => true,
        Map::Select => n > 0,
        // Its value is the first, its slope that of the second.
        Map::Surrogate => n == 1,
        Map::Cut => false,
        Map::Floor | Map::Ceil | Map::Round | Map::Half | Map::Sign | Map::IntDiv | Map::ToF32 | Map::ToI32 => false,
        Map::Not | Map::Eq | Map::Ne | Map::Lt | Map::Le | Map::And | Map::Or => false,
    }
}

/// What a rule sees: the node's nest, its adjoint, its operands over the nest.
struct At<'r, 'g> {
    r: &'r mut Reverse<'g>,
    id: NodeId,
    nest: Nest,
    adjoint: Adjoint,
    operands: Vec<Operand>,
}

impl Reverse<'_> {
    pub(super) fn map(&mut self, id: NodeId, map: Map, adjoint: Adjoint) {
        let nest = self.nest(id, &adjoint);
        let operands: Vec<Operand> = self.graph.operands(id).iter().map(|o| nest.operand(o)).collect();
        let mut at = At { r: self, id, nest, adjoint, operands };
        match map {
            Map::Copy => at.same(0),
            Map::Surrogate => at.same(1),
            Map::Neg => at.negative(0),
            Map::Add => {
                at.same(0);
                at.same(1);
            }
            Map::Sub => {
                at.same(0);
                at.negative(1);
            }
            Map::Mul => {
                at.times(0, vec![at.operands[1].clone()]);
                at.times(1, vec![at.operands[0].clone()]);
            }
            Map::Div => at.quotient(),
            Map::Pow => at.power(),
            Map::Atan2 => at.angle(),
            Map::Min | Map::Max => at.extreme(map),
            Map::Mod => at.modulo(),
            Map::Select => at.choice(),
            Map::Sqrt => {
                let twice = at.scaled(2.0, at.value());
                at.over(0, twice);
            }
            Map::Log => at.over(0, at.operands[0].clone()),
            Map::Exp => at.times(0, vec![at.value()]),
            Map::Abs => at.by(Map::Sign),
            Map::Sin => at.by(Map::Cos),
            Map::Softplus => at.by(Map::Sigmoid),
            Map::Cos => at.cos(),
            Map::Tan => at.square(Map::Add),
            Map::Tanh => at.square(Map::Sub),
            Map::Sigmoid => at.sigmoid(),
            Map::Erf => at.erf(),
            // No slope anywhere.
            Map::Cut | Map::Floor | Map::Ceil | Map::Round | Map::Half | Map::Sign | Map::IntDiv | Map::ToF32 | Map::ToI32 => {}
            Map::Not | Map::Eq | Map::Ne | Map::Lt | Map::Le | Map::And | Map::Or => {}
        }
    }
}

impl At<'_, '_> {
    fn value(&self) -> Operand {
        self.r.own(self.id, &self.nest)
    }

    fn wants(&self, n: usize) -> bool {
        self.r.is_active(self.operands[n].node)
    }

    fn map(&mut self, map: Map, operands: Vec<Operand>) -> Operand {
        self.r.pointwise(&self.nest, map, operands)
    }

    fn test(&mut self, map: Map, a: Operand, b: Operand) -> Operand {
        self.r.pointwise_of(&self.nest, map, DType::Bool, vec![a, b])
    }

    fn scaled(&mut self, by: f64, x: Operand) -> Operand {
        let number = self.r.number(by);
        self.map(Map::Mul, vec![number, x])
    }

    /// The constant that an operand is.
    fn constant(&self, n: usize) -> Option<f64> {
        let mut id = self.operands[n].node;
        while let Op::Map(Map::Copy) = self.r.graph.node(id).op {
            id = self.r.graph.operands(id)[0].node;
        }
        if let Op::Const(x) = self.r.graph.node(id).op { Some(x) } else { None }
    }

    /// Hands operand `n` these factors, guarded as the adjoint is, and by what else is said.
    fn pull(&mut self, n: usize, factors: Vec<Operand>, guards: Vec<Operand>) {
        let operand = self.r.graph.operands(self.id)[n].clone();
        self.r.pull(&self.nest, &self.adjoint, Part::guarded(factors, guards), &operand);
    }

    /// The adjoint as it is.
    fn same(&mut self, n: usize) {
        self.plain(n, self.adjoint.view.clone());
    }

    fn negative(&mut self, n: usize) {
        if self.wants(n) {
            let value = self.map(Map::Neg, vec![self.adjoint.view.clone()]);
            self.plain(n, value);
        }
    }

    /// What is 0 wherever the adjoint is left out: the guards go along, and nothing has to be put right.
    fn plain(&mut self, n: usize, value: Operand) {
        let part = Part::plain(value, &self.adjoint.guards);
        let operand = self.r.graph.operands(self.id)[n].clone();
        self.r.pull(&self.nest, &self.adjoint, part, &operand);
    }

    /// The adjoint times these factors.
    fn times(&mut self, n: usize, slopes: Vec<Operand>) {
        if self.wants(n) {
            let factors = std::iter::once(self.adjoint.view.clone()).chain(slopes).collect();
            self.pull(n, factors, self.adjoint.guards.clone());
        }
    }

    /// The adjoint over a value.
    fn over(&mut self, n: usize, by: Operand) {
        if self.wants(n) {
            let value = self.map(Map::Div, vec![self.adjoint.view.clone(), by]);
            self.pull(n, vec![value], self.adjoint.guards.clone());
        }
    }

    /// The slope is a function of the operand.
    fn by(&mut self, map: Map) {
        let slope = self.map(map, vec![self.operands[0].clone()]);
        self.times(0, vec![slope]);
    }

    fn cos(&mut self) {
        let sin = self.map(Map::Sin, vec![self.operands[0].clone()]);
        let slope = self.map(Map::Neg, vec![sin]);
        self.times(0, vec![slope]);
    }

    /// The slope is 1 more than, or 1 less, the square of the value.
    fn square(&mut self, map: Map) {
        let (one, y) = (self.r.number(1.0), self.value());
        let square = self.map(Map::Mul, vec![y.clone(), y]);
        let slope = self.map(map, vec![one, square]);
        self.times(0, vec![slope]);
    }

    fn sigmoid(&mut self) {
        let (one, y) = (self.r.number(1.0), self.value());
        let rest = self.map(Map::Sub, vec![one, y.clone()]);
        self.times(0, vec![y, rest]);
    }

    fn erf(&mut self) {
        let x = self.operands[0].clone();
        let square = self.map(Map::Mul, vec![x.clone(), x]);
        let less = self.map(Map::Neg, vec![square]);
        let bell = self.map(Map::Exp, vec![less]);
        let slope = self.scaled(2.0 / PI.sqrt(), bell);
        self.times(0, vec![slope]);
    }

    /// `a / b`: by `a` it is the adjoint over `b`; by `b` that times `-a / b`, so that a large `b` is never squared.
    fn quotient(&mut self) {
        let over = self.map(Map::Div, vec![self.adjoint.view.clone(), self.operands[1].clone()]);
        let guards = self.adjoint.guards.clone();
        if self.wants(0) {
            self.pull(0, vec![over.clone()], guards.clone());
        }
        if self.wants(1) {
            let less = self.map(Map::Neg, vec![over]);
            self.pull(1, vec![less, self.value()], guards);
        }
    }

    /// `a ^ b`: by `a` it is `b * a^(b - 1)`, 0 where `b` is; by `b` it is `a^b * log a`, 0 where both `a` and the power are.
    fn power(&mut self) {
        let (a, b) = (self.operands[0].clone(), self.operands[1].clone());
        let mut guards = self.adjoint.guards.clone();
        if self.wants(0) {
            match self.constant(1) {
                Some(0.0) => {}
                Some(n) => {
                    let lower = if n == 2.0 {
                        a.clone()
                    } else {
                        let less = self.r.number(n - 1.0);
                        self.map(Map::Pow, vec![a.clone(), less])
                    };
                    let slope = self.scaled(n, lower);
                    self.times(0, vec![slope]);
                }
                None => {
                    let (one, zero) = (self.r.number(1.0), self.r.number(0.0));
                    let less = self.map(Map::Sub, vec![b.clone(), one]);
                    let lower = self.map(Map::Pow, vec![a.clone(), less]);
                    let some = self.test(Map::Ne, b.clone(), zero);
                    guards.push(some);
                    self.pull(0, vec![self.adjoint.view.clone(), b.clone(), lower], guards.clone());
                    guards.pop();
                }
            }
        }
        if self.wants(1) {
            let (zero, y) = (self.r.number(0.0), self.value());
            let log = self.map(Map::Log, vec![a.clone()]);
            let (base, power) = (self.test(Map::Ne, a, zero.clone()), self.test(Map::Ne, y.clone(), zero));
            guards.push(self.r.pointwise_of(&self.nest, Map::Or, DType::Bool, vec![base, power]));
            self.pull(1, vec![self.adjoint.view.clone(), y, log], guards);
        }
    }

    /// The angle of a point: by `y` it is `x / (x^2 + y^2)`, by `x` it is `-y / (x^2 + y^2)`, and 0 where both are 0. The larger of both
    /// is taken out, so that no square leaves f32.
    fn angle(&mut self) {
        let (y, x) = (self.operands[0].clone(), self.operands[1].clone());
        let (a, b) = (self.map(Map::Abs, vec![y.clone()]), self.map(Map::Abs, vec![x.clone()]));
        let (large, zero) = (self.map(Map::Max, vec![a, b]), self.r.number(0.0));
        let mut guards = self.adjoint.guards.clone();
        guards.push(self.test(Map::Ne, large.clone(), zero));
        let sides = [x, y].map(|v| self.map(Map::Div, vec![v, large.clone()]));
        let squares = sides.clone().map(|s| self.map(Map::Mul, vec![s.clone(), s]));
        let square = self.map(Map::Add, squares.into());
        let by = self.map(Map::Mul, vec![large, square]);
        for (n, side) in sides.into_iter().enumerate().filter(|(n, _)| self.wants(*n)).collect::<Vec<_>>() {
            let mut slope = self.map(Map::Div, vec![side, by.clone()]);
            if n == 1 {
                slope = self.map(Map::Neg, vec![slope]);
            }
            self.pull(n, vec![self.adjoint.view.clone(), slope], guards.clone());
        }
    }

    /// The larger or smaller of two: it gets all. At a tie both get half, but a constant gets all of it. Where one is NaN so is the value, and no
    /// comparison holds: the adjoint goes on, so that nobody takes the slope for 0.
    fn extreme(&mut self, map: Map) {
        for n in 0..2 {
            if !self.wants(n) {
                continue;
            }
            let (mine, other) = (self.operands[n].clone(), self.operands[1 - n].clone());
            let (low, high) = if map == Map::Max { (mine.clone(), other.clone()) } else { (other.clone(), mine.clone()) };
            let (given, zero) = (self.adjoint.view.clone(), self.r.number(0.0));
            let (loses, rest) = match self.constant(1 - n) {
                Some(_) => (self.test(Map::Le, low, high), given),
                None => {
                    let tie = self.test(Map::Eq, mine, other);
                    let half = self.scaled(0.5, given.clone());
                    (self.test(Map::Lt, low, high), self.map(Map::Select, vec![tie, half, given]))
                }
            };
            let share = self.map(Map::Select, vec![loses, zero, rest]);
            self.plain(n, share);
        }
    }

    /// `a - b * floor(a / b)`, and 0 by zero.
    fn modulo(&mut self) {
        let b = self.operands[1].clone();
        let mut given = self.adjoint.view.clone();
        let is_some = self.constant(1).is_some_and(|b| b != 0.0);
        if !is_some {
            let zero = self.r.number(0.0);
            let some = self.test(Map::Ne, b.clone(), zero.clone());
            given = self.map(Map::Select, vec![some, given, zero]);
        }
        if self.wants(0) {
            self.plain(0, given.clone());
        }
        if self.wants(1) {
            let count = self.map(Map::IntDiv, vec![self.operands[0].clone(), b]);
            let less = self.map(Map::Neg, vec![given]);
            self.pull(1, vec![less, count], self.adjoint.guards.clone());
        }
    }

    /// Each side gets the adjoint where it is taken, and the condition along with it.
    fn choice(&mut self) {
        let condition = self.operands[0].clone();
        if self.wants(1) {
            self.side(1, condition.clone());
        }
        if self.wants(2) {
            let other = self.r.pointwise_of(&self.nest, Map::Not, DType::Bool, vec![condition]);
            self.side(2, other);
        }
    }

    fn side(&mut self, n: usize, taken: Operand) {
        let mut guards = self.adjoint.guards.clone();
        guards.push(taken.clone());
        let part = Part { factors: vec![self.adjoint.view.clone()], conditions: vec![taken], guards };
        let operand = self.r.graph.operands(self.id)[n].clone();
        self.r.pull(&self.nest, &self.adjoint, part, &operand);
    }
}
