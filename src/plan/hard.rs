//! Steps that are not loop nests of their own: products, orders, scans, assignment, scatter, random bits, loops.

use super::build::{Planner, body_rates, plan_with};
use super::contract::{Order, Pair};
use super::view::row_major;
use super::{Access, Grouped, Kind, Product, Rounds, Span, Step, View, Window};
use crate::diag::Diagnostic;
use crate::ir::{Body, DType, Dist, Fold, NodeId, Op, Operand, Pick, Rate, Size};

/// A factor or an intermediate result: where it lies, and which loop each dimension is.
pub(super) type Item = (View, Vec<usize>);

impl Planner<'_> {
    /// A contraction: one loop nest, or pair after pair.
    pub(super) fn contract(&mut self, id: NodeId) {
        let Some(Order::Pairs(pairs)) = self.fusion.orders[id.index()].clone() else { return self.kernel(id) };
        let (factors, guards) = self.graph.factors(id);
        let mut items: Vec<Option<Item>> = Vec::new();
        for o in factors {
            let placed = self.views[o.node.index()].is_some();
            items.push(placed.then(|| (self.at(o.node), o.subscripts.clone())));
        }
        for (k, pair) in pairs.iter().enumerate() {
            let last = k + 1 == pairs.len();
            let target = if last && guards.is_empty() { self.own(id) } else { self.intermediate(id, k, pair) };
            // What does not begin with the rows has none.
            let rows = self.rows.clone();
            if pair.keep.first() != Some(&0) {
                self.rows.clear();
            }
            self.pair(id, pair, factors, &items, &target);
            self.rows = rows;
            if last && !guards.is_empty() {
                self.mend(id, &target);
            }
            items.push(Some((target, pair.keep.clone())));
        }
    }

    fn intermediate(&mut self, id: NodeId, k: usize, pair: &Pair) -> View {
        let shape: Vec<Size> = pair.keep.iter().map(|l| self.graph.node(id).axis(*l).size.clone()).collect();
        let name = format!("{}_part{k}", self.name(id));
        let strides = row_major(&shape);
        let rate = if pair.early { Rate::Condition } else { Rate::Input };
        let buffer = self.buffer(name, DType::F32, shape, Kind::Temp, rate);
        View { buffer, offset: Size::from(0i64), strides }
    }

    fn pair(&mut self, id: NodeId, pair: &Pair, factors: &[Operand], items: &[Option<Item>], target: &View) {
        if !pair.product {
            return self.pair_kernel(id, pair, items, target.clone());
        }
        let [a, b] = pair.parts[..] else { return };
        let Some(first) = items[a].clone() else { return };
        let target = (target.clone(), pair.keep.clone());
        if pair.grouped {
            let grouped = self.grouped(id, &first, &factors[b], &target);
            return self.push(pair.early, Step::Grouped(grouped));
        }
        let Some(second) = items[b].clone() else { return };
        let product = self.product(id, &first, &second, &target);
        self.push(pair.early, Step::Product(product));
    }

    fn product(&self, id: NodeId, a: &Item, b: &Item, out: &Item) -> Product {
        let mut loops = out.1.clone();
        for l in a.1.iter().chain(&b.1) {
            if !loops.contains(l) {
                loops.push(*l);
            }
        }
        self.product_over(id, &loops, a, b, out)
    }

    /// A product over some loops of node `id`, each of which some item may or may not have.
    pub(super) fn product_over(&self, id: NodeId, loops: &[usize], a: &Item, b: &Item, out: &Item) -> Product {
        let node = self.graph.node(id);
        let stride = |item: &Item, l: usize| {
            let terms = item.0.access(&item.1.iter().map(|l| Some(*l)).collect::<Vec<_>>()).terms;
            let found = terms.into_iter().find(|t| t.0 == l).map(|t| t.1);
            item.1.contains(&l).then(|| found.unwrap_or(Size::from(0i64)))
        };
        let spans = loops
            .iter()
            .map(|&l| Span {
                name: node.axis(l).name.clone(),
                size: node.axis(l).size.clone(),
                a: stride(a, l),
                b: stride(b, l),
                out: stride(out, l),
            })
            .collect();
        Product {
            name: self.buffers[out.0.buffer].name.clone(),
            spans,
            a: (a.0.buffer, a.0.offset.clone()),
            b: (b.0.buffer, b.0.offset.clone()),
            out: (out.0.buffer, out.0.offset.clone()),
            lead: (!out.1.is_empty()).then_some(0),
        }
    }

    fn grouped(&self, id: NodeId, a: &Item, factor: &Operand, out: &Item) -> Grouped {
        let graph = self.graph;
        let operands = graph.operands(factor.node);
        let (picks, clamp) = if let Op::Gather { picks, fill } = &graph.node(factor.node).op {
            (picks.clone(), fill.is_none())
        } else {
            (Vec::new(), true)
        };
        let source = self.at(operands[0].node);
        let mut b: Item = (View { buffer: source.buffer, offset: source.offset.clone(), strides: Vec::new() }, Vec::new());
        let (mut index, mut count, mut stride) = (1, Size::from(1i64), Size::from(0i64));
        for (d, pick) in picks.iter().enumerate() {
            match pick {
                Pick::Loop(l) => {
                    b.0.strides.push(source.strides[d].clone());
                    b.1.push(factor.subscripts[*l]);
                }
                Pick::Operand(k) => {
                    index = *k;
                    count = graph.node(operands[0].node).shape[d].size.clone();
                    stride = source.strides[d].clone();
                }
            }
        }
        let mut product = self.product(id, a, &b, out);
        let spot: Vec<Option<usize>> = operands[index].subscripts.iter().map(|l| Some(factor.subscripts[*l])).collect();
        let at = self.at(operands[index].node).access(&spot);
        // From the contraction's loops to the product's spans.
        let mut order = out.1.clone();
        order.extend(a.1.iter().chain(&b.1).filter(|l| !out.1.contains(l)));
        let mut seen = Vec::new();
        order.retain(|l| {
            !seen.contains(l) && {
                seen.push(*l);
                true
            }
        });
        let terms = at.terms.iter().filter_map(|(l, s)| order.iter().position(|x| x == l).map(|k| (k, s.clone()))).collect();
        let index = Access { buffer: at.buffer, offset: at.offset, terms };
        product.lead = None;
        Grouped { product, index, count, stride, clamp }
    }

    pub(super) fn order(&mut self, id: NodeId, axis: usize, descending: bool) {
        let node = self.graph.node(id);
        let o = &self.graph.operands(id)[0];
        let axes: Vec<Size> = node.shape.iter().chain(&node.inner).map(|a| a.size.clone()).collect();
        let rank = node.rank();
        let mut input = self.window(o.node, &o.subscripts, &axes);
        // The result's own axis does not move the input.
        input.view.strides.remove(axis);
        input.shape.remove(axis);
        let dtype = self.graph.node(o.node).dtype;
        let out = Window { view: self.own(id), shape: axes[..rank].to_vec() };
        self.push(self.early(id), Step::Order { input, out, axis, descending, dtype });
    }

    pub(super) fn scan(&mut self, id: NodeId, axis: usize) {
        let o = &self.graph.operands(id)[0];
        let input = self.window(o.node, &o.subscripts, &self.shape(id));
        let out = self.own(id).buffer;
        self.push(self.early(id), Step::Scan { input, out, axis, dtype: self.graph.node(id).dtype });
    }

    pub(super) fn assign(&mut self, id: NodeId) {
        let node = self.graph.node(id);
        let o = &self.graph.operands(id)[0];
        let axes: Vec<Size> = node.shape.iter().chain(&node.inner).map(|a| a.size.clone()).collect();
        let input = self.window(o.node, &o.subscripts, &axes);
        let out = self.own(id).buffer;
        self.push(self.early(id), Step::Assign { input, out });
    }

    pub(super) fn scatter(&mut self, id: NodeId, axis: usize, fold: Fold) {
        if let Some(factors) = self.fusion.apart[id.index()].clone() {
            return self.segments(id, axis, &factors);
        }
        let node = self.graph.node(id);
        let operands = self.graph.operands(id);
        let axes: Vec<Size> = node.shape.iter().chain(&node.inner).map(|a| a.size.clone()).collect();
        let index = self.window(operands[0].node, &operands[0].subscripts, &axes);
        let value = self.window(operands[1].node, &operands[1].subscripts, &axes);
        let out = Window { view: self.own(id), shape: self.shape(id) };
        self.push(self.early(id), Step::Scatter { index, value, out, axis, fold, dtype: node.dtype });
    }

    pub(super) fn random(&mut self, id: NodeId, dist: Dist, key: u32) {
        let operands = self.graph.operands(id);
        let axes = self.shape(id);
        let seed = self.window(operands[0].node, &operands[0].subscripts, &axes);
        let round = self.window(operands[1].node, &operands[1].subscripts, &axes);
        let out = self.own(id).buffer;
        self.push(self.early(id), Step::Random { dist, key, seed, round, out });
    }

    pub(super) fn rounds(&mut self, id: NodeId, body: &Body) -> Result<(), Diagnostic> {
        let graph = self.graph;
        let wanted: Vec<NodeId> = body.graph.outputs.iter().map(|o| o.node).collect();
        let plan = plan_with(&body.graph, &wanted, self.sizes, &|graph| body_rates(graph, 1 + body.carries), self.choices)?;
        let operands = graph.operands(id).iter().map(|o| self.packed(o.node)).collect();
        let mut results = Vec::new();
        for k in 0..body.carries + body.yields {
            let at = if k < body.carries { k } else { k + usize::from(body.stop) };
            let inner = body.graph.node(wanted[at]);
            let user = graph.users(id).into_iter().find(|u| matches!(graph.node(*u).op, Op::Result(n) if n == k));
            let placed = user.filter(|u| self.fusion.how[u.index()] == super::fuse::How::Memory);
            let buffer = match placed {
                Some(u) => self.own(u).buffer,
                None => {
                    let mut shape: Vec<Size> = inner.shape.iter().map(|a| a.size.clone()).collect();
                    if k >= body.carries {
                        shape.insert(0, body.trips.clone());
                    }
                    self.buffer(format!("{}_r{k}", self.name(id)), inner.dtype, shape, Kind::Temp, self.rates[id.index()])
                }
            };
            results.push(buffer);
        }
        // Every `Result` of the same number reads the same memory.
        for u in graph.users(id) {
            if let Op::Result(k) = graph.node(u).op {
                let strides = row_major(&self.shape(u));
                let view = View { buffer: results[k], offset: Size::from(0i64), strides };
                self.views[u.index()].get_or_insert(view);
            }
        }
        let rounds = Rounds {
            name: self.name(id),
            body: plan,
            trips: body.trips.clone(),
            reverse: body.reverse,
            stop: body.stop,
            operands,
            carries: body.carries,
            results,
        };
        self.push(self.early(id), Step::Rounds(Box::new(rounds)));
        Ok(())
    }
}
