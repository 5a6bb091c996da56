//! Plans as they are made pass; each that is broken by hand is refused, with the step where it is.

use super::{verify, verify_placed, verify_sized};
use crate::ir::read::read;
use crate::ir::{DType, Map, Rate, Size};
use crate::plan::{self, Expr, Kernel, Kind, Layout, Plan, Product, Sizes, Step};

/// A weight that is prepared, a product with a bias, what is joined and summed, and orders, scans and scatters of it.
const LAYERS: &str = "%0: f32[b, i=64] = input \"x\"
%1: f32[i=64, o=64] = param \"w\"
%2: f32[i=64, o=64] = exp %1[i, o]
%3: f32[b, o=64] = sum(i=64) %0[b, i] * %2[i, o]
%4: f32[o=64] = param \"c\"
%5: f32[b, o=64] = add %3[b, o], %4[o]
%6: f32[b, o=64] = tanh %5[b, o]
%7: f32[b, o=128] = concat along o %6[b, o], %0[b, o]
%8: f32[b] = fold max(o=128) %7[b, o]
%9: i32[k=4, b] = order(o=128) descending into k %7[b, o]
%10: f32[b] = scan along b %8[b]
%11: f32[o=128] = scatter(k=4, b) into o %9[k, b], %10[b]
output y = %7
output z = %11
";

/// A row is added to what a product makes.
const BIASED: &str = "%0: f32[b, i=64] = input \"x\"
%1: f32[i=64, o=64] = param \"w\"
%2: f32[b, o=64] = sum(i=64) %0[b, i] * %1[i, o]
%3: f32[o=64] = param \"c\"
%4: f32[b, o=64] = add %2[b, o], %3[o]
output y = %4
";

const ROUNDS: &str = "%0: f32[b] = input \"x\"
%1: f32 = loop 3 carry 1 yield 1 %0 {
  %0: f32[b] = arg 1
  %1: f32[b] = exp %0[b]
  output c = %1
  output y = %1
}
%2: f32[b] = result 0 %1
%3: f32[r=3, b] = result 1 %1
output a = %2
output b = %3
";

fn planned(text: &str, b: i64) -> (Plan, Sizes) {
    let graph = read(text).unwrap_or_else(|e| panic!("{text}{e:?}"));
    let wanted: Vec<_> = graph.outputs.iter().map(|o| o.node).collect();
    let sizes = Sizes::from([("b".into(), b)]);
    (plan::plan(&graph, &wanted, &sizes).unwrap(), sizes)
}

fn placed(plan: &Plan, sizes: &Sizes) -> Result<(), String> {
    verify(plan)?;
    verify_placed(plan, &plan::place(plan, sizes, &[]).unwrap(), &[], sizes)
}

/// What is said of a plan that is broken like this; it has to name a step, or what is no step.
fn says(text: &str, what: &str, broken: impl Fn(&mut Plan)) {
    let (mut plan, sizes) = planned(text, 64);
    broken(&mut plan);
    let error = placed(&plan, &sizes).expect_err(what);
    assert!(error.contains(what), "`{error}` does not say `{what}`\n{plan}");
    assert!(error.contains("step") || error.contains("output") || error.contains("buffer"), "{error}");
}

fn step(plan: &Plan, is: impl Fn(&Step) -> bool) -> usize {
    plan.steps.iter().position(is).expect("there is such a step")
}

/// The first kernel of each run.
fn kernel(plan: &mut Plan) -> &mut Kernel {
    let from = plan.prepared;
    let kernels = plan.steps[from..].iter_mut();
    kernels.into_iter().find_map(|s| if let Step::Kernel(k) = s { Some(k) } else { None }).expect("a kernel")
}

fn folding(plan: &mut Plan) -> &mut Kernel {
    let folds = |k: &Kernel| k.body.iter().any(|e| matches!(e, Expr::Reduce { .. }));
    let fold = plan.steps.iter_mut().find_map(|s| if let Step::Kernel(k) = s { Some(k).filter(|k| folds(k)) } else { None });
    fold.expect("a fold")
}

fn product(plan: &mut Plan) -> &mut Product {
    plan.steps.iter_mut().find_map(|s| if let Step::Product(p) = s { Some(p) } else { None }).expect("a product")
}

#[test]
fn plans_as_they_are_made_are_well_formed() {
    for b in [0, 1, 64, 8192] {
        for text in [LAYERS, BIASED, ROUNDS] {
            let (plan, sizes) = planned(text, b);
            placed(&plan, &sizes).unwrap_or_else(|e| panic!("{e}\n{plan}"));
        }
    }
}

#[test]
fn whoever_reads_comes_after_who_writes() {
    says(LAYERS, "which nobody has written", |p| {
        let at = step(p, |s| matches!(s, Step::Product(_)));
        p.steps.swap(at, at + 1);
        (p.tiles, p.biased) = (vec![], vec![]);
    });
    says(LAYERS, "once more", |p| {
        let order = step(p, |s| matches!(s, Step::Order { .. }));
        p.steps[order + 1] = p.steps[order].clone();
    });
    says(LAYERS, "which it reads", |p| {
        let k = kernel(p);
        k.store.buffer = k.body.iter().find_map(|e| e.access()).unwrap().buffer;
    });
    says(LAYERS, "which is given", |p| {
        let given = p.buffers.iter().position(|b| b.dtype == DType::F32 && matches!(b.kind, Kind::Source(_))).unwrap();
        p.steps.iter_mut().for_each(|s| {
            if let Step::Scan { out, .. } = s {
                *out = given;
            }
        });
    });
    says(LAYERS, "which is not there", |p| product(p).a.0 = 99);
    says(LAYERS, "is an output, and nobody writes it", |p| p.outputs[0] = 0);
    says(LAYERS, "second one for the source", |p| p.buffers.push(p.buffers[0].clone()));
}

#[test]
fn what_is_prepared_depends_on_no_input() {
    says(LAYERS, "which depends on an input", |p| p.prepared += 1);
    says(LAYERS, "whose rate is", |p| p.prepared -= 1);
    says(LAYERS, "whose rate is", |p| {
        let b = kernel(p).store.buffer;
        p.buffers[b].rate = Rate::Parameter;
    });
    says(LAYERS, "notes are about", |p| drop(p.places.pop()));
}

#[test]
fn values_of_a_kernel_are_in_order_and_stay_in_their_loops() {
    says(LAYERS, "which comes later", |p| {
        let k = folding(p);
        let last = k.body.len();
        k.body.iter_mut().for_each(|e| {
            if let Expr::Reduce { value, .. } = e {
                *value = last;
            }
        });
    });
    says(LAYERS, "it stores value", |p| kernel(p).value = 99);
    says(LAYERS, "values have", |p| kernel(p).types.clear());
    says(LAYERS, "is indexed by loop 9, which is not there", |p| {
        let access = kernel(p).body.iter_mut().find_map(|e| if let Expr::Load(a) = e { Some(a) } else { None });
        access.unwrap().terms.push((9, Size::from(1i64)));
    });
    says(LAYERS, "is indexed by loop 0 twice", |p| {
        let store = &mut kernel(p).store;
        store.terms = vec![(0, Size::from(1i64)); 2];
    });
    says(LAYERS, "depends on a loop of a fold", |p| {
        let k = folding(p);
        k.value = k.body.iter().position(|e| matches!(e, Expr::Load(_))).unwrap();
    });
    says(LAYERS, "which is no loop of a fold", |p| {
        folding(p).body.iter_mut().for_each(|e| {
            if let Expr::Reduce { loops, .. } = e {
                loops.push(0);
            }
        })
    });
    says(LAYERS, "nothing goes through the loop", |p| {
        let k = folding(p);
        let value = k.body.iter().position(|e| matches!(e, Expr::Load(_))).unwrap();
        k.body.iter_mut().filter(|e| matches!(e, Expr::Reduce { .. })).for_each(|e| *e = Expr::Map(Map::Neg, vec![value]));
    });
}

#[test]
fn types_fit() {
    says(LAYERS, "is i32, not f32", |p| {
        let b = product(p).out.0;
        p.buffers[b].dtype = DType::I32;
    });
    says(LAYERS, "is given", |p| {
        let k = folding(p);
        k.body.push(Expr::Const(1.0));
        k.types.push(DType::I32);
        k.body.push(Expr::Map(Map::Add, vec![k.value, k.body.len() - 1]));
        k.types.push(DType::F32);
    });
    says(LAYERS, "takes 2 values, has 1", |p| {
        let k = folding(p);
        k.body.push(Expr::Map(Map::Add, vec![k.value]));
        k.types.push(DType::F32);
    });
}

#[test]
fn views_have_a_stride_for_each_axis_and_products_move() {
    says(LAYERS, "strides and", |p| {
        p.steps.iter_mut().for_each(|s| {
            if let Step::Order { input, .. } = s {
                input.view.strides.push(Size::from(1i64));
            }
        });
    });
    says(LAYERS, "it goes along axis 7", |p| {
        p.steps.iter_mut().for_each(|s| {
            if let Step::Scatter { axis, .. } = s {
                *axis = 7;
            }
        });
    });
    says(LAYERS, "nothing moves along the loop", |p| {
        let still = &mut product(p).spans[0];
        (still.a, still.b, still.out) = (None, None, None);
    });
    says(LAYERS, "which is none of the result's", |p| product(p).lead = Some(2));
}

#[test]
fn steps_that_are_computed_together_share_with_nobody() {
    says(BIASED, "a part of it comes later", |p| {
        let b = &mut p.biased[0];
        (b.product, b.kernel) = (b.kernel, b.product);
    });
    says(BIASED, "lies nowhere for two reasons", |p| p.biased.push(p.biased[0]));
    says(BIASED, "others read", |p| {
        let at = p.biased[0].kernel;
        p.buffers.push(plan::Buffer { kind: Kind::Temp, ..p.buffers[p.outputs[0]].clone() });
        let Step::Kernel(mut again) = p.steps[at].clone() else { panic!("no kernel") };
        again.store.buffer = p.buffers.len() - 1;
        p.steps.push(Step::Kernel(again));
        p.places.push(vec![]);
        p.about.push(p.about[at].clone());
    });
    says(BIASED, "is not its own", |p| {
        let b = p.biased[0].buffer;
        p.buffers[b].kind = Kind::Output;
    });
    let tiled = |broken: &dyn Fn(&mut Plan), what: &str| {
        let (mut plan, sizes) = planned(LAYERS, 8192);
        assert!(!plan.tiles.is_empty(), "{plan}");
        broken(&mut plan);
        let error = placed(&plan, &sizes).expect_err(what);
        assert!(error.contains(what) && error.contains("step "), "`{error}` does not say `{what}`\n{plan}");
    };
    tiled(&|p| p.tiles[0].rows = 0, "a tile has 0 rows");
    tiled(&|p| p.tiles[0].last = 99, "or none");
    tiled(&|p| p.tiles[0].first = 0, "some of the steps are prepared");
    tiled(&|p| p.tiles[0].last = p.steps.len(), "has no rows");
    tiled(&|p| p.tiles[0].private.push((p.outputs[0], Size::from(128i64))), "is not its own");
    tiled(&|p| p.tiles[0].extent = Size::from(5i64), "has no 5 rows");
}

#[test]
fn bodies_of_loops_are_plans() {
    fn rounds(p: &mut Plan) -> &mut plan::Rounds {
        p.steps.iter_mut().find_map(|s| if let Step::Rounds(r) = s { Some(r) } else { None }).expect("a loop")
    }
    says(ROUNDS, "in its body: step 0", |p| kernel(&mut rounds(p).body).value = 99);
    says(ROUNDS, "its body gives", |p| rounds(p).body.outputs.clear());
    says(ROUNDS, "it carries 1 of 0", |p| rounds(p).operands.clear());
    says(ROUNDS, "which is not given", |p| rounds(p).body.buffers[0].kind = Kind::Arg(7));
    says(ROUNDS, "has another shape", |p| rounds(p).trips = Size::from(4i64));
    says(ROUNDS, "its operand 0", |p| rounds(p).operands[0].1 = Size::from(1i64));
}

#[test]
fn nobody_goes_beyond_a_buffer_and_every_element_is_written_once() {
    says(LAYERS, "which has 4096 elements", |p| product(p).a.1 = Size::from(1i64));
    says(LAYERS, "it goes from -1", |p| product(p).a.1 = Size::from(-1i64));
    says(LAYERS, "twice", |p| product(p).spans[0].out = Some(Size::from(1i64)));
    let joined = |p: &mut Plan, change: &dyn Fn(&mut Kernel)| {
        let out = p.outputs[0];
        let parts = p.steps.iter_mut().filter_map(|s| if let Step::Kernel(k) = s { Some(k) } else { None });
        change(parts.into_iter().rfind(|k| k.store.buffer == out).expect("a part"));
    };
    says(LAYERS, "share an element", |p| joined(p, &|k| k.store.offset = Size::from(0i64)));
    says(LAYERS, "elements of", |p| joined(p, &|k| k.loops[1].size = Size::from(63i64)));
    says(LAYERS, "steps of its first loop are a row", |p| joined(p, &|k| k.unit = Size::from(3i64)));
    let (mut plan, sizes) = planned(LAYERS, 64);
    plan.granted.push(plan::Granted { least: Size::sym("b"), most: Size::from(63i64) });
    assert!(verify_sized(&plan, &sizes).is_err_and(|e| e.contains("does not hold")));
}

#[test]
fn buffers_that_are_needed_at_one_time_lie_apart() {
    let (plan, sizes) = planned(LAYERS, 64);
    let layout = plan::place(&plan, &sizes, &[]).unwrap();
    let says = |broken: &dyn Fn(&mut Layout), what: &str| {
        let mut layout = layout.clone();
        broken(&mut layout);
        let error = verify_placed(&plan, &layout, &[], &sizes).expect_err(what);
        assert!(error.contains(what), "`{error}` does not say `{what}`");
    };
    let large: Vec<usize> = (0..layout.lengths.len()).filter(|b| layout.lengths[*b] >= plan::PAGED).collect();
    let placed: Vec<usize> = large.iter().filter_map(|b| layout.offsets[*b]).collect();
    assert!(placed.len() > 1 && placed.iter().all(|at| at % plan::PAGE == 0), "{placed:?}");
    let first = layout.offsets.iter().position(Option::is_some).unwrap();
    says(&|l| l.offsets.iter_mut().flatten().for_each(|o| *o = 0), "is still needed");
    says(&|l| l.offsets[first] = None, "has no place");
    says(&|l| l.offsets[plan.outputs[0]] = Some(0), "memory of its own");
    says(&|l| l.total = 16, "beyond the end");
    says(&|l| l.offsets.clear(), "another plan's");
}
