//! What a page takes and gives: names of any kind, any subset of inputs that is enough, values of every type, and those that are
//! refused with the reason.

use super::browser::Browser;
use super::{Built, served};
use hnet::pipeline;
use hnet::program::NoFiles;
use hnet::source::Sources;
use hnet::web;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

pub fn built(name: &str, text: &str) -> Built {
    let mut sources = Sources::default();
    let file = sources.add("page.hnet", None, text);
    let checked = pipeline::check_with(&mut sources, &NoFiles, file, &[]);
    assert!(checked.is_fine(), "{:#?}", checked.diagnostics);
    let model = checked.models.into_iter().next().unwrap();
    let request = web::Request {
        model: &model,
        params: BTreeMap::new(),
        about: String::new(),
        folder: Path::new("."),
        inputs: None,
        locate: &|_| None,
        outputs: &[],
        train: None,
        seed: None,
    };
    let bundle = web::bundle(&request).unwrap_or_else(|d| panic!("{name}: {d:?}"));
    Built { name: name.into(), model, params: BTreeMap::new(), bundle }
}

const NAMES: &str = "dim constructor
dim __proto__
model Names {
    input a: [constructor]
    input p: [__proto__]
    input toString: i32[constructor]
    input flag: bool[constructor]
    condition least: f32 = -1e308 * 10
    output valueOf: [constructor] = a + 1
    output hasOwnProperty: [constructor] = number(toString) * a
    output kept: i32[constructor] = if flag { toString } else { 0 - toString }
    output large: [constructor] = sin(1700000000 * a) + max(a, least)
    output __defineGetter__: [__proto__] = 2 * p
    output masked: [constructor] = if flag { a } else { -3.4028234663852886e38 }
}
";

#[test]
fn a_page_takes_any_name_and_says_what_it_cannot_take() {
    let Some(mut browser) = Browser::start() else { return };
    let b = built("names", NAMES);
    browser.open(&served([&b]));
    let got = browser.eval(
        "(async () => {
            const { load } = await import('/names/model.js');
            const m = await load();
            const said = async (inputs, options) => {
                try {
                    return Object.fromEntries(Object.entries(await m.run(inputs, options)).map(([k, v]) => [k, [...v.data]]));
                } catch (e) {
                    return `${e.code}: ${e.message}`;
                }
            };
            const out = {
                part: await said({ a: [1, 2] }),
                proto: await said({ p: [1, 2, 3] }),
                many: await said({ p: [5], a: [1, 2], toString: [3, 4] }),
                two: await said({ a: [1, 2], toString: new BigInt64Array([3n, -4n]) }),
                all: await said({ a: [1, 2], toString: [3, 4], flag: [true, false] }, { outputs: ['kept', 'masked'] }),
                beyond: await said({ a: [1], toString: new BigInt64Array([1n << 40n]) }),
                half: await said({ a: [1], toString: [0.5] }),
                text: await said({ a: ['1', 2] }),
                none: await said({ a: [1, null] }),
                length: await said({ a: { data: 3 } }),
                truth: await said({ a: [1, 2], flag: [0, 2], toString: [1, 2] }),
                long: await said({ a: [1, 2], toString: [1, 2, 3] }),
            };
            m.destroy();
            return out;
        })()",
    );
    let near = |what: &serde_json::Value, want: &[f64]| {
        let got: Vec<f64> = what.as_array().unwrap_or_else(|| panic!("{what}")).iter().map(|v| v.as_f64().unwrap()).collect();
        assert_eq!(got.len(), want.len());
        assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() <= 2e-6 * w.abs().max(1.0)), "{got:?} instead of {want:?}");
    };
    near(&got["part"]["valueOf"], &[2.0, 3.0]);
    let angle = |a: f32| f64::from(1_700_000_000.0f32 * a).sin() + f64::from(a);
    near(&got["part"]["large"], &[angle(1.0), angle(2.0)]);
    assert!(got["part"].get("kept").is_none(), "{got}");
    near(&got["proto"]["__defineGetter__"], &[2.0, 4.0, 6.0]);
    // Whatever programs it takes, all that the inputs are enough for, and nothing else.
    near(&got["many"]["__defineGetter__"], &[10.0]);
    near(&got["many"]["valueOf"], &[2.0, 3.0]);
    near(&got["many"]["hasOwnProperty"], &[3.0, 8.0]);
    assert!(got["many"].get("kept").is_none() && got["many"].get("masked").is_none(), "{got}");
    near(&got["two"]["hasOwnProperty"], &[3.0, -8.0]);
    near(&got["all"]["kept"], &[3.0, -4.0]);
    near(&got["all"]["masked"], &[1.0, f64::from(-f32::MAX)]);
    for (case, word) in [
        ("beyond", "1099511627776"),
        ("half", "0.5"),
        ("text", "element 0"),
        ("none", "element 1 is null"),
        ("length", "no list of numbers"),
        ("truth", "element 1 is 2"),
        ("long", "elements"),
    ] {
        let said = got[case].as_str().unwrap_or_default();
        assert!(said.starts_with("value: ") && said.contains(word), "{case}: {}", got[case]);
    }
    assert_eq!(browser.faults, Vec::<String>::new());
    browser.open(&format!("{}/names/index.html", served([&b])));
    browser.wait(super::DONE);
    assert_eq!(browser.eval("document.querySelector('#message').textContent"), json!(""));
    super::keep(&mut browser, "names");
}
