//! Draws.
//!
//! A draw's bits are keyed by the seed, its dotted path, how many draws of this path came before it, and the position, so
//! that they are the same on every backend and for every split of a batch.

mod distribution;
mod fans;
mod initial;
mod shaped;

use crate::check::builtin::Distribution;
use crate::check::instance::join;
use crate::check::model::Init;
use crate::check::scope::Frame;
use crate::check::value::{Label, NameId, Pick, Tens, Value};
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{Axis, DType, Dist, Map, Node, Op, Operand, Origin, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Expr};
use distribution::{Chosen, Given};
use std::collections::HashMap;

/// What tells draws apart.
pub struct Draws {
    /// Calls of draws by dotted path.
    calls: HashMap<String, u32>,
    /// Their paths in order, so that those of what is tried again are taken back.
    log: Vec<String>,
    /// The seed of what is drawn once, when the model is compiled.
    pub model_seed: Size,
}

impl Default for Draws {
    fn default() -> Draws {
        Draws { calls: HashMap::new(), log: vec![], model_seed: Size::from(0i64) }
    }
}

impl Draws {
    /// The number of this call among those of its path.
    fn call(&mut self, path: &str) -> u32 {
        self.log.push(path.to_string());
        let count = self.calls.entry(path.to_string()).or_insert(0);
        *count += 1;
        *count
    }

    /// How many calls there were.
    pub fn mark(&self) -> usize {
        self.log.len()
    }

    /// Takes back all calls but the first so many.
    pub fn back_to(&mut self, mark: usize) {
        for path in self.log.drain(mark..) {
            if let Some(count) = self.calls.get_mut(&path) {
                *count -= 1;
            }
        }
    }
}

/// Random bits for each place of a shape.
struct Random {
    shape: Vec<(Label, Size)>,
    seed: Tens,
    key: u32,
}

impl<'a> Checker<'a> {
    /// `draw name: type = distribution by key`
    pub fn draw(&mut self, name: &'a ast::Ident, ty: &'a ast::Type, value: &'a Expr, by: Option<&'a Expr>) -> Res<Value<'a>> {
        let seed = match by {
            Some(e) => {
                let v = self.expr(e)?;
                self.index_tens(v, e.span)?
            }
            None => self.run_seed(),
        };
        self.drawn(name, ty, value, seed)
    }

    /// `const name: type = distribution`: drawn from the model's own seed, the same in every run.
    pub fn const_draw(&mut self, draw: &'a ast::ConstDraw) -> Res<Value<'a>> {
        let seed = self.draws.model_seed.clone();
        let seed = self.size_value(&seed);
        self.drawn(&draw.name, &draw.ty, &draw.value, seed)
    }

    /// A draw that feeds an input: it has the input's axes, or these.
    pub fn fed_draw(&mut self, name: &ast::Ident, value: &'a Expr, shape: Option<Vec<(Label, Size)>>) -> Res<Value<'a>> {
        let program = self.program;
        let declared = program.files[0].ast.items.iter().find_map(|i| match &i.kind {
            ast::ItemKind::Model(m) if *m.name.name == *self.out.model.name => m.body.stmts.iter().find_map(|s| match &s.kind {
                ast::StmtKind::Input { name: n, ty } | ast::StmtKind::Condition { name: n, ty, .. } if n.name == name.name => {
                    Some((n, ty))
                }
                _ => None,
            }),
            _ => None,
        });
        let Some((own, ty)) = declared else { return self.error(Code::H0702, name.span, "there is no such input") };
        let seed = self.run_seed();
        let shape = match shape {
            Some(shape) => shape,
            None => self.draw_shape(ty)?,
        };
        self.drawn_as(own, ty, shape, value, seed)
    }

    /// A constant of a file that is drawn.
    pub fn file_draw(&mut self, draw: &'a ast::ConstDraw, file: usize) -> Res<Value<'a>> {
        let key = (file, draw.name.span.start);
        if let Some(t) = self.constants.drawn.get(&key) {
            return Ok(Value::Tensor(t.clone()));
        }
        let mut frame = Frame::new(file, None);
        frame.sees_dims = true;
        let v = self.outside(frame, |c| c.const_draw(draw))?;
        let t = self.as_tens(v, draw.name.span)?;
        self.constants.drawn.insert(key, t.clone());
        Ok(Value::Tensor(t))
    }

    fn run_seed(&mut self) -> Tens {
        self.build.seed(|| Node::new(Op::Source { origin: Origin::Seed, path: "seed".into() }, DType::I32, vec![]))
    }

    fn drawn(&mut self, name: &'a ast::Ident, ty: &'a ast::Type, value: &'a Expr, seed: Tens) -> Res<Value<'a>> {
        let shape = self.draw_shape(ty)?;
        self.drawn_as(name, ty, shape, value, seed)
    }

    fn drawn_as(
        &mut self,
        name: &'a ast::Ident,
        ty: &'a ast::Type,
        shape: Vec<(Label, Size)>,
        value: &'a Expr,
        seed: Tens,
    ) -> Res<Value<'a>> {
        let Some(Chosen { word, what, args }) = self.distribution(value)? else {
            return self.fail(
                Diagnostic::error(Code::H0510, value.span, "a draw is from a distribution").help(
                    "`normal()`, `normal(mean: m, std: s)`, `uniform(from, to)`, `bernoulli(p)`, `categorical(logits)`, ..",
                ),
            );
        };
        let scalar_type = self.drawn_type(word, what, ty, value.span)?;
        let path = join(&self.scopes.frame().path.clone(), &name.name);
        let count = self.draws.call(&path);
        let key = fnv(&format!("{path}#{count}"));
        let random = Random { shape, seed, key };
        let span = value.span;
        if let Some(t) = self.shaped(what, &args, scalar_type, &random, span)? {
            return Ok(Value::Tensor(t));
        }
        let (scale, shift, dist) = match what {
            Distribution::Uniform => {
                let (from, to) = (self.draw_arg(&args, "from", 0.0)?, self.draw_arg(&args, "to", 1.0)?);
                (self.map(Map::Sub, DType::F32, &[(&to, span), (&from, span)], "`uniform`", span)?, from, Dist::Uniform)
            }
            Distribution::Normal => (self.draw_arg(&args, "std", 1.0)?, self.draw_arg(&args, "mean", 0.0)?, Dist::Normal),
            Distribution::Bernoulli => return self.drawn_truth(&args, scalar_type, &random, span).map(Value::Tensor),
            Distribution::RandInt => return self.drawn_whole(&args, scalar_type, &random, span).map(Value::Tensor),
            Distribution::Choose => return self.one_of(&args, Some(scalar_type), &random, span).map(Value::Tensor),
            Distribution::Zeros | Distribution::Ones | Distribution::Fill => {
                let v = match what {
                    Distribution::Zeros => 0.0,
                    Distribution::Ones => 1.0,
                    _other => self.number_arg(&args, "value", None, span)?,
                };
                self.fill_fits(v, scalar_type, span, ty.span)?;
                return self.plain_fill(v, scalar_type, &random.shape);
            }
            Distribution::Exponential
            | Distribution::Gumbel
            | Distribution::TruncatedNormal
            | Distribution::Gamma
            | Distribution::Beta
            | Distribution::Dirichlet
            | Distribution::Categorical
            | Distribution::Permutation => return self.report.bug(span, "a draw that was made before"),
            Distribution::KaimingUniform
            | Distribution::KaimingNormal
            | Distribution::XavierUniform
            | Distribution::XavierNormal
            | Distribution::Orthogonal
            | Distribution::Eye
            | Distribution::Hyperfan { .. } => match self.initialiser(value, &random.shape)? {
                Init::Normal { mean, std } => (self.constant(std, DType::F32), self.constant(mean, DType::F32), Dist::Normal),
                Init::Uniform { from, to } => {
                    (self.constant(to - from, DType::F32), self.constant(from, DType::F32), Dist::Uniform)
                }
                _ => {
                    return self.fail(Diagnostic::limit(
                        Code::H0815,
                        span,
                        format!("`{word}` starts parameters; it cannot be drawn"),
                    ));
                }
            },
        };
        let u = self.random(dist, &random);
        let scaled = self.map(Map::Mul, DType::F32, &[(&u, span), (&scale, span)], "a draw", span)?;
        Ok(Value::Tensor(self.map(Map::Add, DType::F32, &[(&scaled, span), (&shift, span)], "a draw", span)?))
    }

    /// What an argument is, or else what it is without a word.
    fn draw_arg(&mut self, args: &Given<'a>, name: &str, default: f64) -> Res<Tens> {
        match args.iter().find(|(n, _, _)| *n == name) {
            None => Ok(self.constant(default, DType::F32)),
            Some((_, Value::Num(n), _)) => Ok(self.num_f32(n)),
            Some((_, v, at)) => {
                let t = self.as_tens(v.clone(), *at)?;
                Ok(self.to_f32(&t))
            }
        }
    }

    /// True with a probability; 1 where a number is wanted.
    fn drawn_truth(&mut self, args: &Given<'a>, want: DType, random: &Random, span: Span) -> Res<Tens> {
        let p = self.draw_arg(args, "p", 0.5)?;
        let u = self.random(Dist::Uniform, random);
        let hit = self.map(Map::Lt, DType::Bool, &[(&u, span), (&p, span)], "`bernoulli`", span)?;
        if want == DType::Bool {
            return Ok(hit);
        }
        let number = self.to_f32(&hit);
        if want == DType::I32 { self.pointwise(Map::ToI32, &[&number]) } else { Ok(number) }
    }

    /// Whole numbers below a bound.
    fn drawn_whole(&mut self, args: &Given<'a>, want: DType, random: &Random, span: Span) -> Res<Tens> {
        let n = self.draw_arg(args, "n", 2.0)?;
        let index = self.below(&n, random, span)?;
        Ok(if want == DType::F32 { self.to_f32(&index) } else { index })
    }

    /// Whole numbers from 0 up to `n`, without it, each as likely.
    fn below(&mut self, n: &Tens, random: &Random, span: Span) -> Res<Tens> {
        let u = self.random(Dist::Uniform, random);
        let scaled = self.map(Map::Mul, DType::F32, &[(&u, span), (n, span)], "a draw", span)?;
        let whole = self.pointwise(Map::Floor, &[&scaled])?;
        self.pointwise(Map::ToI32, &[&whole])
    }

    /// One of the values of a list, of the type that is wanted or of their own.
    fn one_of(&mut self, args: &Given<'a>, want: Option<DType>, random: &Random, span: Span) -> Res<Tens> {
        let Some((_, value, at)) = args.first() else { return self.error(Code::H0509, span, "`values` is missing") };
        let values = self.as_tens(value.clone(), *at)?;
        let [dim] = values.sized()[..] else {
            let message = format!("`choose` takes one of a list of numbers, and this is {}", self.show(&values));
            return self.error(Code::H0509, *at, message);
        };
        let extent = self.extent(&values, dim);
        match self.axes.resolve(&extent).constant() {
            None => return self.unknown(*at, "the length of this list"),
            Some(0) => return self.error(Code::H0509, *at, "`choose` takes one of a list, and this one is empty"),
            Some(_) => {}
        }
        let values = match (values.dtype, want.unwrap_or(values.dtype)) {
            (have, want) if have == want => values,
            (DType::I32, DType::F32) => self.to_f32(&values),
            (have, want) => {
                let message = format!("these are {}, and {} is declared", have.word(), want.word());
                return self.error(Code::H0336, *at, message);
            }
        };
        let n = self.size_value(&extent);
        let n = self.to_f32(&n);
        let place = self.below(&n, random, span)?;
        self.gather(&values, &[(dim, place)], None)
    }

    /// The kind of element that a draw declares, if its distribution gives such elements.
    fn drawn_type(&mut self, word: &str, what: Distribution, ty: &ast::Type, at: Span) -> Res<DType> {
        let ast::TypeKind::Tensor { scalar, .. } = &ty.kind else { return self.no_type(ty) };
        let want = match scalar {
            None | Some(ast::Scalar::F32) => DType::F32,
            Some(ast::Scalar::I32 | ast::Scalar::Size) => DType::I32,
            Some(ast::Scalar::Bool) => DType::Bool,
        };
        let fits = match what {
            // What they are filled with, or chosen from, is looked at where it is known.
            Distribution::Choose | Distribution::Bernoulli | Distribution::Zeros | Distribution::Ones | Distribution::Fill => {
                true
            }
            Distribution::RandInt | Distribution::Categorical | Distribution::Permutation => want != DType::Bool,
            Distribution::Exponential | Distribution::Gumbel | Distribution::Gamma => want == DType::F32,
            Distribution::Beta | Distribution::Dirichlet => want == DType::F32,
            Distribution::Normal | Distribution::TruncatedNormal | Distribution::Uniform | Distribution::Orthogonal => {
                want == DType::F32
            }
            Distribution::KaimingUniform | Distribution::KaimingNormal => want == DType::F32,
            Distribution::XavierUniform | Distribution::XavierNormal => want == DType::F32,
            Distribution::Eye | Distribution::Hyperfan { .. } => want == DType::F32,
        };
        if fits { Ok(want) } else { self.wrong_kind(word, want, at, ty.span) }
    }

    /// Labels and extents of a draw: `*` are the axes that the call is lifted over.
    fn draw_shape(&mut self, ty: &'a ast::Type) -> Res<Vec<(Label, Size)>> {
        let ast::TypeKind::Tensor { axes, .. } = &ty.kind else {
            return self.no_type(ty);
        };
        let mut out: Vec<(Label, Size)> = vec![];
        // Nets of an array draw for themselves.
        let arrays: Vec<NameId> =
            self.scopes.frame().picks.iter().filter_map(|(a, p)| matches!(p, Pick::Name(n) if n == a).then_some(*a)).collect();
        for a in arrays {
            out.push((Label::Named(a), self.axes.size_of(a)));
        }
        for axis in axes {
            match axis {
                ast::AxisExpr::Lifted(_) => {
                    for n in self.scopes.frame().lifted.clone() {
                        if !out.iter().any(|(l, _)| *l == Label::Named(n)) {
                            out.push((Label::Named(n), self.axes.size_of(n)));
                        }
                    }
                }
                ast::AxisExpr::Expr(e) => out.push(self.declared_axis(e)?),
            }
        }
        Ok(out)
    }

    fn random(&mut self, dist: Dist, Random { shape, seed, key }: &Random) -> Tens {
        // A seed that varies over names gives each of them numbers of its own; the position counts the written axes.
        let mut shape = shape.to_vec();
        for n in seed.names().collect::<Vec<_>>() {
            if !shape.iter().any(|(l, _)| *l == Label::Named(n)) {
                shape.push((Label::Named(n), self.axes.size_of(n)));
            }
        }
        let labels: Vec<Label> = shape.iter().map(|(l, _)| *l).collect();
        let axes: Vec<Axis> =
            shape.iter().enumerate().map(|(i, (l, s))| self.axes.axis(*l, &format!("d{i}"), s.clone())).collect();
        let subscripts = seed.labels.iter().map(|l| labels.iter().position(|x| x == l).expect("joined")).collect();
        let round = self.round_number(self.build.level());
        let round = self.build.node(&round);
        let uses = vec![Operand::new(self.build.node(seed), subscripts), Operand::new(round, vec![])];
        self.emit(Node::new(Op::Random { dist, key: *key }, DType::F32, axes), labels, uses)
    }

    /// Which round of all loops around a place it is: a loop in a loop begins to count anew, and draws anew all the same.
    fn round_number(&mut self, level: usize) -> Tens {
        let Some(r) = self.build.rounds(level) else { return self.constant(0.0, DType::I32) };
        let (node, trips) = (r.round, r.trips.clone());
        let own = Tens { level, node, labels: vec![], dtype: DType::I32 };
        if level < 2 {
            return own;
        }
        let outer = self.at_level(level - 1, |c| c.round_number(level - 1));
        let trips = self.size_value(&trips);
        let before = self.counting(Map::Mul, &outer, &trips);
        self.counting(Map::Add, &before, &own)
    }

    fn counting(&mut self, map: Map, a: &Tens, c: &Tens) -> Tens {
        let uses = [a, c].map(|t| Operand::new(self.build.node(t), vec![])).to_vec();
        self.emit(Node::new(Op::Map(map), DType::I32, vec![]), vec![], uses)
    }
}

/// FNV-1a of a text (Fowler, Noll, Vo), 32 bits.
pub fn fnv(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
}
