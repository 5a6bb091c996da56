//! Outputs that stay on the device, and are given to the next run without a number coming back.

use super::browser::Browser;
use super::served;
use super::values::built;
use serde_json::json;

const STEP: &str = "dim b
dim n
model Step {
    condition gain: [n] = 1
    input x: [b, n]
    input s: [b, n]
    input on: bool[b]
    input at: i32[b]
    input table: [4, b]
    output next: [b, n] = if on { 0.5 * s + x * gain } else { s - x }
    output flip: bool[b] = sum[n] next > 0
    output best: i32[b] = argmax[n] next
    output there: [b] = table[at]
    output code: [n] = mean[b] next
}
";

#[test]
fn what_stays_on_the_device_is_what_would_have_come_back() {
    let Some(mut browser) = Browser::start() else { return };
    let b = built("step", STEP);
    browser.open(&served([&b]));
    let got = browser.eval(
        "(async () => {
            const { load } = await import('/step/model.js');
            const m = await load();
            const x = { shape: [2, 3], data: [0.3, -1, 2, 5, 0.7, 0.1] };
            const plain = (v) => [v.shape, [...v.data]];
            const all = async (outputs) => Object.fromEntries(await Promise.all(Object.entries(outputs).map(async ([k, v]) => [k, plain(v.read ? await v.read() : v)])));
            const outputs = ['next', 'flip', 'best', 'code'];
            // Five steps with numbers, and five without; conditions come from a run, too.
            const steps = async (keep) => {
                m.prepare({ gain: [1, 1, 1] });
                let s = x, on = [true, false], out = {};
                for (let k = 0; k < 5; k++) {
                    const before = out;
                    out = await m.run({ x, s, on }, { outputs, keep });
                    s = out.next;
                    on = out.flip;
                    if (k === 2) m.prepare({ gain: out.code });
                    else if (k !== 3) Object.values(before).forEach((v) => v.free?.());
                }
                return all(out);
            };
            const told = await steps([]), held = await steps(['next', 'flip', 'best', 'code']), mixed = await steps(['flip', 'code']);
            // Several runs under way, and what they read freed meanwhile.
            m.prepare({ gain: [1, 2, 3] });
            const { next } = await m.run({ x, s: x, on: [true, true] }, { outputs: ['next'], keep: ['next'] });
            const under = [1, 2, 3].map((k) => m.run({ x, s: next, on: [true, k === 2] }, { outputs: ['next'] }));
            next.free();
            next.free();
            const many = (await Promise.all(under)).map((o) => [...o.next.data]);
            const again = await m.run({ x, s: (await m.run({ x, s: x, on: [true, true] }, { outputs: ['next'] })).next, on: [true, false] }, { outputs: ['next'] });
            // An index is looked at before the device sees it.
            const { best } = await m.run({ x, s: x, on: [true, true] }, { outputs: ['best'], keep: ['best'] });
            m.prepare({ gain: [1, 1] });
            const rows = { shape: [3, 2], data: [4, 5, 6, 1, 2, 3] }, zero = { shape: [3, 2], data: [0, 0, 0, 0, 0, 0] };
            const at = (await m.run({ x: rows, s: zero, on: [true, true, true] }, { outputs: ['best'], keep: ['best'] })).best;
            const table = { shape: [4, 3], data: [10, 11, 12, 20, 21, 22, 30, 31, 32, 40, 41, 42] };
            const { there } = await m.run({ at, table }, { outputs: ['there'] });
            m.prepare({ gain: [1, 1, 1] });
            const said = async (f) => {
                try {
                    await f();
                    return 'fine';
                } catch (e) {
                    return `${e.code}: ${e.message}`;
                }
            };
            const other = await load();
            const errors = {
                freed: await said(() => m.run({ x, s: next, on: [true, true] })),
                read: await said(() => next.read()),
                type: await said(() => m.run({ x, s: best, on: [true, true] })),
                unknown: await said(() => m.run({ x, s: x, on: [true, true] }, { outputs: ['next'], keep: ['flip'] })),
                device: await said(async () => other.run({ x, s: (await m.run({ x, s: x, on: [true, true] }, { keep: ['next'] })).next, on: [true, true] })),
            };
            const small = (await m.run({ x: { shape: [1, 3], data: [1, 2, 3] }, s: { shape: [1, 3], data: [1, 2, 3] }, on: [true] }, { keep: ['next'] })).next;
            errors.rows = await said(() => m.run({ x, s: small, on: [true, true] }, { outputs: ['next'] }));
            m.prepare({ gain: (await m.run({ x, s: x, on: [true, true] }, { keep: ['code'] })).code });
            m.conditions.get('gain').held.free();
            errors.condition = await said(() => m.run({ x, s: x, on: [true, true] }));
            m.prepare({ gain: [1, 1, 1] });
            errors.after = await said(() => m.run({ x, s: x, on: [true, true] }));
            // Nothing along an axis.
            const none = { shape: [0, 3], data: [] };
            const nothing = (await m.run({ x: none, s: none, on: [] }, { outputs: ['next'], keep: ['next'] })).next;
            const empty = plain((await m.run({ x: none, s: nothing, on: [] }, { outputs: ['next'] })).next), still = plain(await nothing.read());
            m.destroy();
            other.destroy();
            return { told, held, mixed, many, again: [...again.next.data], there: [...there.data], errors, empty, still };
        })()",
    );
    assert_eq!(got["held"], got["told"]);
    assert_eq!(got["mixed"], got["told"]);
    assert!(got["told"]["next"][1].as_array().unwrap().iter().all(|v| v.as_f64().unwrap().abs() > 1e-3), "{got}");
    // The second of three runs is the one where both rows are on.
    assert_eq!(got["many"][0], got["many"][2]);
    assert_ne!(got["many"][0], got["many"][1]);
    assert_eq!(got["many"][0], got["again"]);
    assert_eq!(got["there"], json!([20, 11, 22]));
    assert_eq!((&got["empty"], &got["still"]), (&json!([[0, 3], []]), &json!([[0, 3], []])));
    let errors = &got["errors"];
    assert_eq!(errors["freed"], "value: `next` was given back by free()");
    assert_eq!(errors["read"], errors["freed"]);
    assert_eq!(errors["type"], "value: `s` is f32[b, n], but `best`, which lies on the device, is i32");
    assert_eq!(errors["unknown"], "value: `keep` names `flip`, which this run does not compute; it computes `next`");
    assert_eq!(errors["device"], "lost: `next` lies on another GPU, or on one that was lost");
    assert_eq!(errors["rows"], "value: `s` is f32[b, n]: [2, 3] is wanted, but the value has 3 elements, [1, 3]");
    assert_eq!(errors["condition"], "value: `code` was given back by free()");
    assert_eq!(errors["after"], "fine");
    assert_eq!(browser.faults, Vec::<String>::new());
}
