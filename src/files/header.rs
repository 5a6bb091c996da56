//! The header of a safetensors file.
//!
//! In: the text of the header, the number of bytes that follow it. Out: the tensors with their places among these. Promised: every place lies
//! within the file, none overlaps another or leaves a gap, no name stands twice, every length fits its shape where the type is one
//! that is known; `Err` says in words what is not so.

use super::stored::Kind;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

/// Bytes that a header may have.
pub const LONGEST: u64 = 100_000_000;

/// A tensor as the header says it.
#[derive(Debug, serde::Deserialize)]
pub struct Entry {
    #[serde(skip)]
    pub name: String,
    pub dtype: String,
    pub shape: Vec<usize>,
    data_offsets: [u64; 2],
}

impl Entry {
    /// Its bytes, counted from the end of the header.
    pub fn place(&self) -> Range<u64> {
        self.data_offsets[0]..self.data_offsets[1]
    }

    /// The element type, where it is one that models take.
    pub fn kind(&self) -> Option<Kind> {
        Some(match self.dtype.as_str() {
            "F32" => Kind::F32,
            "F16" => Kind::F16,
            "BF16" => Kind::Bf16,
            "F64" => Kind::F64,
            "I8" => Kind::I8,
            "I16" => Kind::I16,
            "I32" => Kind::I32,
            "I64" => Kind::I64,
            "U8" => Kind::U8,
            "U16" => Kind::U16,
            "U32" => Kind::U32,
            "U64" => Kind::U64,
            "F8_E4M3" => Kind::F8E4M3,
            "F8_E5M2" => Kind::F8E5M2,
            "BOOL" => Kind::Bool,
            _ => return None,
        })
    }
}

/// Texts that a header has beside its tensors, by name.
pub type About = BTreeMap<String, String>;

/// All tensors, in the order of their places, and what else the header says.
pub fn read(text: &[u8], data: u64) -> Result<(Vec<Entry>, About), String> {
    let text = std::str::from_utf8(text).map_err(|_| "its header is not text".to_string())?;
    let all: All = serde_json::from_str(text).map_err(|e| format!("its header is not what it should be: {e}"))?;
    let All(mut entries, about) = all;
    entries.sort_by_key(|e| e.data_offsets);
    let mut at = 0;
    for e in &entries {
        let [from, to] = e.data_offsets;
        if from != at || to < from {
            return Err(format!("the place of `{}` overlaps another, leaves a gap or lies outside the file", e.name));
        }
        at = to;
        let Some(kind) = e.kind() else { continue };
        let length = e.shape.iter().try_fold(kind.width() as u64, |n, s| n.checked_mul(*s as u64));
        match length {
            None => return Err(format!("the shape of `{}` is larger than any memory", e.name)),
            Some(n) if n != to - from => {
                let shape = crate::ir::type_text(kind.word(), &e.shape);
                return Err(format!("`{}` is {shape}, {n} bytes, and its place has {}", e.name, to - from));
            }
            Some(_) => {}
        }
    }
    match at == data {
        true => Ok((entries, about)),
        false if at > data => Err(format!("its tensors have {at} bytes and {data} follow the header: it is cut short")),
        false => Err(format!("its tensors have {at} bytes and {data} follow the header: something stands after them")),
    }
}

/// The entries of a header: an object whose names are looked at one by one, for a reader of JSON takes the last of two that are equal.
struct All(Vec<Entry>, About);

impl<'de> Deserialize<'de> for All {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<All, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = All;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object with a tensor under each name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<All, A::Error> {
                let (mut out, mut about, mut names) = (Vec::new(), About::new(), BTreeSet::new());
                while let Some(name) = map.next_key::<String>()? {
                    if !names.insert(name.clone()) {
                        return Err(serde::de::Error::custom(format!("`{name}` stands there twice")));
                    }
                    if name == "__metadata__" {
                        about = texts(map.next_value()?);
                        continue;
                    }
                    out.push(Entry { name, ..map.next_value()? });
                }
                Ok(All(out, about))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// What is a text of what stands beside the tensors, which should all be texts.
fn texts(beside: serde_json::Value) -> About {
    let pairs = beside.as_object().into_iter().flatten();
    pairs.filter_map(|(name, v)| Some((name.clone(), v.as_str()?.to_string()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(header: &str, data: u64) -> String {
        read(header.as_bytes(), data).map(|_| ()).unwrap_err()
    }

    #[test]
    fn what_a_header_gets_wrong_is_said() {
        let one = |name: &str, ty: &str, shape: &str, from: u64, to: u64| {
            format!(r#""{name}":{{"dtype":"{ty}","shape":{shape},"data_offsets":[{from},{to}]}}"#)
        };
        let all = |list: &[String]| format!("{{{}}}", list.join(","));
        let a = one("a", "F32", "[2]", 0, 8);
        assert_eq!(read(all(std::slice::from_ref(&a)).as_bytes(), 8).unwrap().0.len(), 1);
        assert!(said(&all(&[a.clone(), a.clone()]), 8).contains("`a` stands there twice"));
        assert!(said(&all(&[a.clone(), one("b", "F32", "[2]", 4, 12)]), 12).contains("`b` overlaps"));
        assert!(said(&all(&[a.clone(), one("b", "F32", "[2]", 9, 17)]), 17).contains("gap"));
        assert!(said(&all(std::slice::from_ref(&a)), 4).contains("cut short"));
        assert!(said(&all(&[a]), 9).contains("after them"));
        assert!(said(&all(&[one("a", "F32", "[3]", 0, 8)]), 8).contains("f32[3], 12 bytes, and its place has 8"));
        assert!(said(&all(&[one("a", "F32", "[4294967296, 4294967296, 4]", 0, 8)]), 8).contains("memory"));
        assert!(said(&all(&[one("a", "F32", "[2]", 8, 0)]), 8).contains("outside"));
        assert!(said(&all(&[one("a", "F32", "[2]", 0, u64::MAX)]), 8).contains("place"));
        // A type that nobody here knows has elements of any length.
        let (other, _) = read(all(&[one("a", "F8_E8M0", "[8]", 0, 8)]).as_bytes(), 8).unwrap();
        assert_eq!((other[0].kind(), other[0].dtype.as_str()), (None, "F8_E8M0"));
        let (_, about) = read(br#"{"__metadata__":{"a":"one","b":2}}"#, 0).unwrap();
        assert_eq!(about, About::from([("a".into(), "one".into())]));
    }
}
