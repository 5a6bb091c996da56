//! What is known of a step when it is done.
//!
//! One [`Record`] goes to all who keep or show steps: the file of metrics, the event files, the report, a callback. It is what a line of the
//! file of metrics says, so its names are those that others read there: a name that is dropped or changed breaks their scripts.

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;

/// One step, or what was measured after it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// The phase's name.
    pub phase: String,
    /// The task, in a phase that goes from task to task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round: Option<i64>,
    /// Updates that were applied, of all phases together.
    pub step: u64,
    /// Steps within the phase.
    pub at: u64,
    /// Losses by name.
    #[serde(with = "named")]
    pub losses: Vec<(String, f64)>,
    /// Learning rates by optimizer.
    #[serde(with = "named", skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<(String, f64)>,
    /// The norm of all gradients together, before they are clipped.
    #[serde(with = "number")]
    pub norm: f64,
    /// Rows that were taken so far.
    pub rows: u64,
    /// Time that training took so far, in seconds.
    pub seconds: f64,
    /// For each route, the share of its assignments that each expert has.
    #[serde(with = "lists", skip_serializing_if = "Vec::is_empty")]
    pub loads: Vec<(String, Vec<f64>)>,
    /// For each route, the share of assignments that found no seat.
    #[serde(with = "named", skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<(String, f64)>,
    /// What a validation after this step measured.
    #[serde(with = "named", skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<(String, f64)>,
    /// The condition that all rows of this batch share, and its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<(String, i64)>,
    /// The scale of losses after this step, in mixed precision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// Gradients were not finite in 16 bits, and the step changed nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
}

/// A number as JSON holds it: NaN and the infinities, which JSON has not, are the words `nan`, `inf` and `-inf`.
#[derive(Clone, Copy)]
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            v if v.is_nan() => to.serialize_str("nan"),
            f64::INFINITY => to.serialize_str("inf"),
            f64::NEG_INFINITY => to.serialize_str("-inf"),
            v => to.serialize_f64(v),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Number, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Read {
            Number(f64),
            Word(String),
        }
        match Read::deserialize(from)? {
            Read::Number(v) => Ok(Number(v)),
            Read::Word(w) => match w.as_str() {
                "nan" => Ok(Number(f64::NAN)),
                "inf" => Ok(Number(f64::INFINITY)),
                "-inf" => Ok(Number(f64::NEG_INFINITY)),
                other => Err(D::Error::custom(format!("`{other}` is no number"))),
            },
        }
    }
}

/// One number.
mod number {
    use super::*;

    pub fn serialize<S: Serializer>(v: &f64, to: S) -> Result<S::Ok, S::Error> {
        Number(*v).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        Number::deserialize(from).map(|n| n.0)
    }
}

/// Numbers by name: an object, in the order of the list.
mod named {
    use super::*;

    pub fn serialize<S: Serializer>(list: &[(String, f64)], to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(list.iter().map(|(name, v)| (name, Number(*v))))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(String, f64)>, D::Error> {
        let pairs: Vec<(String, Number)> = in_order(from)?;
        Ok(pairs.into_iter().map(|(name, v)| (name, v.0)).collect())
    }
}

/// Lists of numbers by name.
mod lists {
    use super::*;

    pub fn serialize<S: Serializer>(list: &[(String, Vec<f64>)], to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(list.iter().map(|(name, v)| (name, v.iter().map(|x| Number(*x)).collect::<Vec<_>>())))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(String, Vec<f64>)>, D::Error> {
        let pairs: Vec<(String, Vec<Number>)> = in_order(from)?;
        Ok(pairs.into_iter().map(|(name, v)| (name, v.into_iter().map(|x| x.0).collect())).collect())
    }
}

/// What an object has under its names, in its own order.
fn in_order<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<(String, T)>, D::Error> {
    struct Object<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = Vec<(String, T)>;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("an object with numbers under its names")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut out = Vec::new();
            while let Some(pair) = map.next_entry()? {
                out.push(pair);
            }
            Ok(out)
        }
    }
    from.deserialize_map(Object(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(list: &[(&str, f64)]) -> Vec<(String, f64)> {
        list.iter().map(|(n, v)| (n.to_string(), *v)).collect()
    }

    #[test]
    fn a_record_is_what_its_line_says() {
        let record = Record {
            phase: "main".into(),
            round: Some(2),
            step: 7,
            at: 3,
            losses: named(&[("z", 0.1), ("a", -2.5)]),
            rates: named(&[("adam", 1e-3)]),
            norm: 0.3,
            rows: 448,
            seconds: 1.25,
            loads: vec![("pick".into(), vec![0.25, 0.75])],
            dropped: named(&[("pick", 0.0)]),
            scores: named(&[("accuracy", 0.5)]),
            by: Some(("task".into(), -1)),
            scale: Some(32768.0),
            skipped: true,
        };
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(
            line,
            r#"{"phase":"main","round":2,"step":7,"at":3,"losses":{"z":0.1,"a":-2.5},"rates":{"adam":0.001},"norm":0.3,"rows":448,"seconds":1.25,"loads":{"pick":[0.25,0.75]},"dropped":{"pick":0.0},"scores":{"accuracy":0.5},"by":["task",-1],"scale":32768.0,"skipped":true}"#
        );
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
        let short = Record { losses: named(&[("loss", 1.0)]), ..Record::default() };
        let line = serde_json::to_string(&short).unwrap();
        assert_eq!(line, r#"{"phase":"","step":0,"at":0,"losses":{"loss":1.0},"norm":0.0,"rows":0,"seconds":0.0}"#);
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), short);
    }

    #[test]
    fn what_json_cannot_say_is_a_word() {
        let losses = named(&[("a", f64::NAN), ("b", f64::INFINITY), ("c", f64::NEG_INFINITY)]);
        let line = serde_json::to_string(&Record { losses, norm: f64::NAN, ..Record::default() }).unwrap();
        assert!(line.contains(r#""losses":{"a":"nan","b":"inf","c":"-inf"},"norm":"nan""#), "{line}");
        let back: Record = serde_json::from_str(&line).unwrap();
        assert!(back.norm.is_nan() && back.losses[0].1.is_nan());
        assert_eq!((back.losses[1].1, back.losses[2].1), (f64::INFINITY, f64::NEG_INFINITY));
        assert!(serde_json::from_str::<Record>(r#"{"norm":"much"}"#).is_err());
    }

    #[test]
    fn every_number_comes_back_to_the_last_bit() {
        // Numbers that a quick reader of decimals takes for their neighbours.
        let hard = [0.1 + 0.2, 1.0 / 3.0, 2.225_073_858_507_201e-308, f64::MIN_POSITIVE / 8.0, f64::MAX, 9_007_199_254_740_993.0];
        let random = (0..2000).map(|k| {
            let [a, b, ..] = crate::ir::random::philox([k, 0, 0, 0], [5, 6]);
            f64::from_bits(u64::from(a) << 32 | u64::from(b))
        });
        for v in hard.into_iter().chain(random).filter(|v| v.is_finite()) {
            let line = serde_json::to_string(&Record { norm: v, ..Record::default() }).unwrap();
            assert_eq!(serde_json::from_str::<Record>(&line).unwrap().norm.to_bits(), v.to_bits(), "{line}");
        }
    }
}
