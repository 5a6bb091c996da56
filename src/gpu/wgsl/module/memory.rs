//! Reading and writing elements of buffers: bound one by one, or as words of the arena.

use super::super::draft::Called;
use super::{Module, ident};
use crate::gpu::program::Word;
use crate::ir::DType;

impl Module<'_> {
    /// Binds a buffer as vectors of four, before anything of it is read; nobody may write it. Says whether it can be.
    pub fn by_fours(&mut self, b: usize) -> bool {
        let plain = self.buffers[b].dtype == DType::F32 && !self.buffers[b].half && !self.private.contains_key(&b);
        let can =
            plain && !self.packed && !self.writes.contains(&b) && (self.fours.contains(&b) || !self.idents.contains_key(&b));
        if can {
            self.fours.insert(b);
        }
        can
    }

    /// Four neighbours, the first of which lies at a multiple of four, of a buffer that is bound by fours.
    pub fn four(&mut self, b: usize, address: &str) -> String {
        let name = self.buffer(b);
        format!("{name}[({address}) / 4u]")
    }

    /// An element as a value.
    pub fn load(&mut self, b: usize, address: &str) -> String {
        let text = self.element(b, address);
        match self.buffers[b].dtype {
            DType::Bool => format!("({text} != 0)"),
            DType::F32 | DType::I32 => text,
        }
    }

    /// An element as it lies in memory, a bool as a number.
    pub fn element(&mut self, b: usize, address: &str) -> String {
        if let Some(name) = self.private.get(&b) {
            return format!("{name}[{address}]");
        }
        let half = self.buffers[b].half;
        if !self.packed {
            let name = self.buffer(b);
            if self.fours.contains(&b) {
                return format!("{name}[({address}) / 4u][({address}) % 4u]");
            }
            return match half {
                true => format!("{}({name}[({address}) >> 1u], {address})", self.function("from_half")),
                false => format!("{name}[{address}]"),
            };
        }
        let at = self.packed_address(b, address, half);
        let word = self.word_at(&at);
        if half {
            return format!("{}({word}, {address})", self.function("from_half"));
        }
        let kind = if self.buffers[b].dtype == DType::F32 { "f32" } else { "i32" };
        format!("bitcast<{kind}>({word})")
    }

    fn word_at(&self, at: &str) -> String {
        if self.windows.is_some() { format!("get_word({at})") } else { format!("arena[{at}]") }
    }

    fn packed_address(&mut self, b: usize, address: &str, half: bool) -> String {
        self.bound.push(b);
        self.bound.sort();
        self.bound.dedup();
        let name = self.buffers[b].name.clone();
        let start = self.word(Word::At(b), Called::Name(format!("at_{}", ident(&name))));
        match address {
            "0u" => start,
            _ if half => format!("{start} + (({address}) >> 1u)"),
            _ => format!("{start} + {address}"),
        }
    }

    pub fn store(&mut self, b: usize, address: &str, value: &str) {
        let value = if self.buffers[b].dtype == DType::Bool { format!("select(0, 1, {value})") } else { value.to_string() };
        self.put(b, address, &value);
    }

    /// Writes an element as it lies in memory.
    pub fn put(&mut self, b: usize, address: &str, value: &str) {
        if let Some(name) = self.private.get(&b) {
            let line = format!("{name}[{address}] = {value};");
            return self.line(line);
        }
        self.writes.insert(b);
        if self.packed {
            let at = self.packed_address(b, address, false);
            match self.windows {
                Some(_) => self.line(format!("put_word({at}, bitcast<u32>({value}));")),
                None => self.line(format!("arena[{at}] = bitcast<u32>({value});")),
            }
        } else {
            let name = self.buffer(b);
            self.line(format!("{name}[{address}] = {value};"));
        }
    }

    /// An element's 32 bits, whatever it is.
    pub fn bits(&mut self, b: usize, address: &str) -> String {
        let text = self.element(b, address);
        format!("bitcast<u32>({text})")
    }
}
