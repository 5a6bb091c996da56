//! The readable form of a program: its buffers, and what is dispatched in which order.

use super::program::{Buffer, Dispatch, Grid, Item, Kind, Program};
use super::wgsl::Locate;
use std::fmt::Write;

impl Program {
    /// All dispatches with their buffers, grids and places; the names of the shaders are `names`, one for each; which of
    /// them computes a value is said where it is called otherwise.
    pub fn listing(&self, names: &[String], locate: Locate) -> String {
        let mut out = String::from("buffers\n");
        for b in &self.buffers {
            let _ = writeln!(out, "    {}", buffer(b));
        }
        let mut part = |title: &str, items: &[Item]| {
            if !items.is_empty() {
                let _ = writeln!(out, "{title}");
                self.list(&mut out, items, names, locate, 1);
            }
        };
        part("prepare", &self.items[..self.prepared]);
        part("run", &self.items[self.prepared..]);
        let results: Vec<&str> = self.outputs.iter().map(|b| self.buffers[*b].name.as_str()).collect();
        let _ = writeln!(out, "results\n    {}", results.join(", "));
        for d in &self.demands.computed {
            let place = locate(d.span).map(|p| format!(" // {p}")).unwrap_or_default();
            let _ = writeln!(out, "    inside {} places{place}", d.axis.size);
        }
        out
    }

    fn list(&self, out: &mut String, items: &[Item], names: &[String], locate: Locate, depth: usize) {
        let pad = "    ".repeat(depth);
        for item in items {
            match item {
                Item::Repeat { trips, body } => {
                    let _ = writeln!(out, "{pad}{trips} times");
                    self.list(out, body, names, locate, depth + 1);
                }
                Item::Dispatch(d) => {
                    let (file, grid) = (&names[d.shader], self.grid(&d.grid));
                    let _ = match self.shaders[d.shader].name == d.name {
                        true => writeln!(out, "{pad}{file}: {grid}"),
                        false => writeln!(out, "{pad}{} by {file}: {grid}", d.name),
                    };
                    let _ = writeln!(out, "{pad}    {}", self.bindings(d));
                    let mut places: Vec<String> = d.places.iter().filter_map(|p| locate(*p)).collect();
                    places.dedup();
                    for p in places {
                        let _ = writeln!(out, "{pad}    // {p}");
                    }
                }
            }
        }
    }

    fn grid(&self, grid: &Grid) -> String {
        match grid {
            Grid::Work { count, per: 1 } => format!("({count}) workgroups"),
            Grid::Work { count, per } => format!("({count}) / {per} workgroups"),
            Grid::Indirect { buffer, at } => format!("as many workgroups as `{}` says at {at}", self.buffers[*buffer].name),
        }
    }

    fn bindings(&self, d: &Dispatch) -> String {
        let names = |written: bool| {
            let of = d.bindings.iter().filter(|b| d.writes.contains(b) == written);
            of.map(|b| self.buffers[*b].name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let packed = if d.packed { ", all through the arena" } else { "" };
        format!("{} = f({}){packed}", names(true), names(false))
    }
}

fn buffer(b: &Buffer) -> String {
    let shape: Vec<String> = b.shape.iter().map(ToString::to_string).collect();
    let kind = match &b.kind {
        Kind::Source(path) => format!(", source `{path}`"),
        Kind::Output => ", result".to_string(),
        Kind::Temp => String::new(),
    };
    let early = if b.early { ", prepared" } else { "" };
    format!("{}: {}[{}]{kind}{early}", b.name, b.dtype.word(), shape.join(", "))
}
