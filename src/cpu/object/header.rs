//! The header: what a C program has to know, and nothing that it need not.

use super::Codes;
use super::face::{Face, Field};
use crate::ir::{DType, Size};
use crate::plan::Granted;
use std::fmt::Write;

/// Everything that the text is made from.
pub(super) struct Header<'a> {
    pub face: &'a Face,
    /// The model's name as C spells it.
    pub word: String,
    pub sizes: Vec<String>,
    pub params: Vec<Field>,
    pub inputs: Vec<Field>,
    pub outputs: Vec<Field>,
    pub granted: &'a [Granted],
    /// Sizes that must not be negative, and such as must be whole.
    pub asked: (Vec<Size>, Vec<Size>),
    /// Inputs that no result reads.
    pub unread: Vec<String>,
    /// The processor that the code is for, and what it has to have.
    pub machine: String,
    pub features: Vec<String>,
}

/// A text that ends no comment and begins none.
fn comment(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() || c == '\\' { ' ' } else { c }).collect();
    plain.replace("*/", "* /").replace("/*", "/ *")
}

/// A text as C writes it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for b in text.bytes() {
        match b {
            b'"' | b'\\' | b'?' => out.extend(['\\', b as char]),
            b' '..=b'~' => out.push(b as char),
            // Three digits, so that nothing which follows belongs to it.
            _ => out += &format!("\\{b:03o}"),
        }
    }
    out + "\""
}

fn word(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "float",
        DType::I32 | DType::Bool => "int32_t",
    }
}

/// `f32[b, 64]`
fn shape(f: &Field) -> String {
    let sizes: Vec<String> = f.shape.iter().map(Size::to_string).collect();
    match sizes.is_empty() {
        true => f.dtype.word().to_string(),
        false => format!("{}[{}]", f.dtype.word(), sizes.join(", ")),
    }
}

/// How many elements, where that is known.
fn elements(f: &Field) -> i64 {
    f.shape.iter().fold(Size::from(1i64), |n, s| n.mul(s)).constant().unwrap_or(-1)
}

impl Header<'_> {
    pub fn text(&self) -> String {
        let m = &self.word;
        let mut out = self.intro();
        let guard = format!("HNET_{}_H", m.to_uppercase());
        let _ =
            write!(out, "#ifndef {guard}\n#define {guard}\n\n#include <stddef.h>\n#include <stdint.h>\n#include <string.h>\n\n");
        out += "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
        self.free(&mut out);
        self.structure(&mut out, "params", &self.params, true);
        self.structure(&mut out, "inputs", &self.inputs, true);
        self.structure(&mut out, "outputs", &self.outputs, false);
        self.codes(&mut out);
        self.functions(&mut out);
        self.message(&mut out);
        self.names(&mut out);
        let _ = write!(out, "#ifdef __cplusplus\n}}\n#endif\n\n#endif /* {guard} */\n");
        out
    }

    fn intro(&self) -> String {
        let m = &self.word;
        let name = &self.face.model;
        let mut out =
            format!("/* The model {}, compiled by hnet.\n\n       cc -O2 main.c {}.o -lm\n\n", comment(name), comment(name));
        let _ = writeln!(out, "   The code is for {}, and needs a processor with", comment(&self.machine));
        let mut line = String::from("  ");
        for f in &self.features {
            if line.len() + f.len() > 118 {
                let _ = writeln!(out, "{line}");
                line = String::from("  ");
            }
            line += &format!(" {f}");
        }
        let none = if self.features.is_empty() { " nothing besides" } else { "" };
        let _ = write!(
            out,
            "{line}{none}.\n   It takes no memory, keeps nothing between calls, starts no threads: calls with workspaces of their own may run at the \
             same time.\n\n   An element has 4 bytes: a float, or a whole number. A bool is a whole number, 0 or 1, and nothing else. Values lie \
             row-major,\n   the last axis fastest, without gaps. Where a value has no elements its pointer may be NULL. What is written (results \
             and the\n   workspace) shares no memory with anything else that is given. The workspace is aligned as malloc aligns it.\n\n       \
             size_t bytes = {m}_workspace(&sizes);      0: the sizes are bad\n       int code = {m}_run(&sizes, &params, &inputs, &outputs, \
             workspace);\n\n   What depends on parameters and conditions alone can be computed once: {m}_prepare, then {m}_run_prepared as often \
             as you\n   like, with the same sizes, parameters and conditions. */\n\n",
        );
        out
    }

    fn free(&self, out: &mut String) {
        let m = &self.word;
        out.push_str("/* How long free axes are. */\n");
        let _ = writeln!(out, "struct {m}_sizes {{");
        for (word, free) in self.sizes.iter().zip(&self.face.sizes) {
            let mut about = match &free.condition {
                Some(path) => format!("the value of the condition {path}"),
                None => free.size.to_string(),
            };
            let list: Vec<String> = free
                .allowed
                .iter()
                .map(|(from, to)| if from == to { from.to_string() } else { format!("{from} to {to}") })
                .collect();
            if !list.is_empty() {
                about += &format!(": {}", list.join(", "));
            }
            let _ = writeln!(out, "    int64_t {word}; /* {} */", comment(&about));
        }
        if self.sizes.is_empty() {
            out.push_str("    int64_t none; /* no axis is free: nobody reads this */\n");
        }
        out.push_str("};\n");
        if !self.granted.is_empty() {
            out.push_str("\n/* Sizes are bad unless\n");
            self.granted.iter().for_each(|g| {
                let _ = writeln!(out, "       {}", comment(&g.to_string()));
            });
            out.push_str("   since the code was made for such. What the model itself asks for is the same in every build; another build (--dim) may do\n   without the rest. */\n");
        }
        let (positive, whole) = &self.asked;
        if !positive.is_empty() || !whole.is_empty() {
            out.push_str("\n/* Sizes are bad unless\n");
            for s in positive {
                let _ = writeln!(out, "       0 <= {}", comment(&s.to_string()));
            }
            for s in whole {
                let _ = writeln!(out, "       {} is a whole number", comment(&s.to_string()));
            }
            out.push_str("   since axes are so long. */\n");
        }
        if !self.sizes.is_empty() {
            out.push_str("\n/* No axis is longer than 2147483647, and the bytes of each value can be counted in 63 bits: other sizes are bad. */\n");
        }
        out.push('\n');
    }

    fn structure(&self, out: &mut String, what: &str, fields: &[Field], constant: bool) {
        let m = &self.word;
        let _ = writeln!(out, "struct {m}_{what} {{");
        for f in fields {
            let about = if f.about.is_empty() { String::new() } else { format!(", {}", f.about) };
            let about = comment(&format!("{}: {}{about}", f.name, shape(f)));
            let _ = writeln!(out, "    {}{} *{}; /* {about} */", if constant { "const " } else { "" }, word(f.dtype), f.word);
        }
        if fields.is_empty() {
            let _ = writeln!(out, "    const void *none; /* there are no {what}: nobody reads this */");
        }
        out.push_str("};\n\n");
        if what == "inputs" && !self.unread.is_empty() {
            let names: Vec<String> = self.unread.iter().map(|n| comment(n)).collect();
            let _ = writeln!(out, "/* No output reads these, so they are not given: {}. */\n", names.join(", "));
        }
    }

    fn codes(&self, out: &mut String) {
        let m = &self.word;
        let _ = write!(
            out,
            "/* What the functions give. */\nenum {{\n    {m}_FINE = {},\n    {m}_BAD_SIZES = {},  /* a size is negative, not allowed, not what \
             another one asks for, or makes more than can be counted */\n    {m}_MISSING = {},    /* a pointer is NULL, or the workspace is not \
             aligned to 16 bytes */\n    {m}_UNPREPARED = {}, /* this workspace was not prepared, or for other sizes */\n    {m}_BAD_VALUE = \
             {},  /* a bool is neither 0 nor 1 */\n    {m}_OUTSIDE = {}    /* from here on: an index is outside of its axis, see {m}_message; \
             results are not to be used */\n}};\n\n",
            Codes::FINE,
            Codes::SIZES,
            Codes::MISSING,
            Codes::UNPREPARED,
            Codes::VALUE,
            Codes::OUTSIDE
        );
    }

    fn functions(&self, out: &mut String) {
        let m = &self.word;
        let early = format!("const struct {m}_sizes *sizes, const struct {m}_params *params, const struct {m}_inputs *inputs");
        let _ = write!(
            out,
            "/* Bytes that the other functions need to work in; 0 where the sizes are bad. */\nsize_t {m}_workspace(const struct {m}_sizes \
             *sizes);\n\n/* Computes everything. */\nint {m}_run({early},\n    const struct {m}_outputs *outputs, void *workspace);\n\n/* \
             Computes what depends on no input and leaves it in the workspace; of the inputs, only conditions are read. */\nint \
             {m}_prepare({early}, void *workspace);\n\n/* Computes the rest: of what was prepared, sizes, parameters and conditions are the \
             same. */\nint {m}_run_prepared({early},\n    const struct {m}_outputs *outputs, void *workspace);\n\n",
        );
    }

    fn message(&self, out: &mut String) {
        let m = &self.word;
        let _ = write!(out, "/* A code in words. */\nstatic inline const char *{m}_message(int code) {{\n    switch (code) {{\n");
        let plain = [
            ("FINE", "all is well"),
            ("BAD_SIZES", "a size is negative, not allowed, not what another one asks for, or makes more than can be counted"),
            ("MISSING", "a pointer is NULL, or the workspace is not aligned to 16 bytes"),
            ("UNPREPARED", "this workspace was not prepared, or for other sizes"),
            ("BAD_VALUE", "a bool is neither 0 nor 1"),
        ];
        for (code, text) in plain {
            let _ = writeln!(out, "    case {m}_{code}: return {};", quoted(text));
        }
        for (k, text) in self.face.demands.iter().enumerate() {
            let _ = writeln!(out, "    case {m}_OUTSIDE + {k}: return {};", quoted(text));
        }
        out.push_str("    default: return \"no code of this model\";\n    }\n}\n\n");
    }

    fn names(&self, out: &mut String) {
        let m = &self.word;
        if self.params.is_empty() {
            return;
        }
        let _ = write!(
            out,
            "/* Parameters as files call them, and how many elements they have (-1: sizes say it), so that a loader can fill the struct.\n   A \
             name with * is one tensor with a leading axis; files may have its parts under numbers instead. */\nenum {{ {m}_PARAMS = {} \
             }};\n\nstruct {m}_param {{\n    const char *name;\n    int64_t elements;\n    int is_float; /* else whole numbers of 32 bits \
             */\n}};\n\nstatic inline const struct {m}_param *{m}_param(int k) {{\n    static const struct {m}_param all[] = {{\n",
            self.params.len()
        );
        for f in &self.params {
            let _ = writeln!(out, "        {{{}, {}, {}}},", quoted(&f.name), elements(f), i32::from(f.dtype == DType::F32));
        }
        let _ = write!(
            out,
            "    }};\n    return k >= 0 && k < {m}_PARAMS ? &all[k] : NULL;\n}}\n\n/* Points the field of this name at data; 0 where there is \
             none. */\nstatic inline int {m}_set_param(struct {m}_params *params, const char *name, const void *data) {{\n"
        );
        for f in &self.params {
            let _ = writeln!(
                out,
                "    if (!strcmp(name, {})) {{ params->{} = (const {} *)data; return 1; }}",
                quoted(&f.name),
                f.word,
                word(f.dtype)
            );
        }
        out.push_str("    return 0;\n}\n\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_out_of_a_comment_or_a_string() {
        assert_eq!(comment("a */ b /* c\n\\"), "a * / b / * c  ");
        assert_eq!(quoted("a\"\\??/é1"), "\"a\\\"\\\\\\?\\?/\\303\\2511\"");
    }
}
