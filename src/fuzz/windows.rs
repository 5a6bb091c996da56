//! Sums over windows of lines and images, large enough for the kernels that read windows where they lie.

use super::Gen;
use super::rng::Rng;
use super::scope::{E, Names, Scope, Size, level};

/// One axis of an image: its length, and how windows lie along it.
struct Along {
    length: usize,
    window: usize,
    stride: usize,
    dilation: usize,
    pad: usize,
}

impl Along {
    /// At least one place, of about `places`.
    fn some(rng: &mut Rng, places: usize) -> Along {
        let (window, stride, dilation) = (*rng.pick(&[1, 2, 3, 3, 5]), *rng.pick(&[1, 1, 1, 2, 3]), *rng.pick(&[1, 1, 1, 2]));
        let (reach, pad) = (dilation * (window - 1), rng.below(dilation * (window - 1) + 1));
        let length = (places * stride + rng.below(stride + 2) + reach).saturating_sub(2 * pad).max(1 + reach);
        Along { length, window, stride, dilation, pad }
    }

    fn places(&self) -> usize {
        (self.length + 2 * self.pad - self.dilation * (self.window - 1) - 1) / self.stride + 1
    }

    /// Where a window's place `u` lies for the result's place `p`.
    fn at(&self, p: &str, u: &str) -> String {
        format!("{p} * {} + {u} * {} - {}", self.stride, self.dilation, self.pad)
    }
}

impl Gen {
    /// An image, kernels, what they give, as an output, and the largest of each channel, which others may use. An image or a kernel may depend
    /// on what is named.
    pub fn windows(&mut self, sc: &mut Scope, lines: &mut Vec<String>) {
        let id = self.fresh();
        let flat = self.rng.chance(50);
        let each: Vec<Along> = if flat {
            let places = *self.rng.pick(&[5, 48, 70]);
            vec![Along::some(&mut self.rng, places)]
        } else {
            let (high, across) = (*self.rng.pick(&[3, 7, 8]), *self.rng.pick(&[2, 8, 9]));
            vec![Along::some(&mut self.rng, high), Along::some(&mut self.rng, across)]
        };
        let (inner, outer) = (*self.rng.pick(&[1usize, 2, 3, 8, 16]), *self.rng.pick(&[1usize, 3, 12, 16, 18, 33]));
        let groups = *self.rng.pick(&[1, 1, 1, 2, 3]);
        let (image, kernel) = (self.spread(sc, lines), self.spread(sc, lines));
        let (places, steps): (Vec<String>, Vec<String>) =
            (0..each.len()).map(|n| (format!("p{id}_{n}"), format!("u{id}_{n}"))).unzip();
        let (g, i, o) = (format!("g{id}"), format!("i{id}"), format!("j{id}"));
        let ranges = |names: &[String], of: &dyn Fn(&Along) -> usize| -> Vec<String> {
            names.iter().zip(&each).map(|(n, a)| format!("{n} < {}", of(a))).collect()
        };
        let (group, channel) = (format!("{g} < {groups}"), format!("{i} < {inner}"));
        let phase =
            |names: &[String]| names.iter().enumerate().map(|(n, x)| format!(" + {} * {x}", [0.7, 1.9][n])).collect::<String>();

        // Channels last, as the library has them, or first.
        let first = self.rng.chance(25);
        let mut axes = ranges(&places, &|a| a.length);
        let more = [group.clone(), channel];
        if first {
            axes.splice(0..0, more.clone())
        } else {
            axes.splice(axes.len().., more.clone())
        };
        lines.push(format!(
            "let image{id}[{}] = 1.5 + sin({} + 2.3 * {i} + 0.4 * {g}{})",
            axes.join(", "),
            image.at(level::SUM),
            phase(&places)
        ));
        let axes = [ranges(&steps, &|a| a.window), more.to_vec(), vec![format!("{o} < {outer}")]].concat();
        let inside = format!("{} + 1.3 * {i} + 0.6 * {o} + {g}{}", kernel.at(level::SUM), phase(&steps));
        // What is added up has one sign in each channel: sums that nearly vanish would say little.
        let sign = format!("(1 - 2 * number({o} mod 2))");
        lines.push(format!("let kernel{id}[{}] = {sign} * (1.2 + cos({inside})) / {}", axes.join(", "), 1 + inner));

        let mut at: Vec<String> = each.iter().enumerate().map(|(n, a)| a.at(&places[n], &steps[n])).collect();
        if first {
            at.splice(0..0, [g.clone(), i.clone()])
        } else {
            at.splice(at.len().., [g.clone(), i.clone()])
        };
        let weight = [steps.clone(), vec![g.clone(), i.clone(), o.clone()]].concat();
        let sum =
            format!("sum[{}, {i}] (image{id}[{}] else 0) * kernel{id}[{}]", steps.join(", "), at.join(", "), weight.join(", "));
        let whole = match self.rng.below(3) {
            0 => sum,
            1 => format!("max({sum}, 0)"),
            _ => format!("({sum}) + {sign} * {o} / 8"),
        };
        let left = [ranges(&places, &Along::places), vec![group, format!("{o} < {outer}")]].concat();
        lines.push(format!("let windows{id}[{}] = {whole}", left.join(", ")));

        let names: Names = image.names.union(&kernel.names).cloned().collect();
        let sizes: Vec<Size> = each.iter().map(Along::places).chain([groups, outer]).map(|n| Size::of(n as i64)).collect();
        lines.push(format!("output all{id}: {} = windows{id}", Self::type_text(&names, &sizes)));
        let name = format!("h{id}");
        let read = [places.clone(), vec![g.clone(), o.clone()]].concat();
        lines.push(format!("let {name}[{g}] = 0.1 * max[{}, {o}] windows{id}[{}]", places.join(", "), read.join(", ")));
        let found = E::new("", level::POSTFIX).typed(names, vec![Size::of(groups as i64)]).bounded(2.0, 100.0);
        self.bind(sc, &name, &found);
    }

    /// A number that depends on something, as a value of its own.
    fn spread(&mut self, sc: &Scope, lines: &mut Vec<String>) -> E {
        self.called = false;
        let e = self.expr(sc, &[], 1);
        lines.append(&mut self.pending);
        let e = self.settled(e);
        lines.append(&mut self.pending);
        if e.mag > 4.0 || e.err > 100.0 {
            E { text: format!("tanh({})", e.text), level: level::POSTFIX, mag: 1.0, ..e }
        } else {
            e
        }
    }
}
