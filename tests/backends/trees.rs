//! Trees and families: what is written out over them, initialisers and relations for each of their nets, stored values. By hand, on every
//! backend.

use crate::brothers::{gives, says};
use hnet::fuzz::check::model;

const SCALE: &str = "net Scale(d, by: f32) {
    param w: [d] = fill(by)
    (x: [d]) -> [d] { w * x }
}
";

#[test]
fn an_index_over_a_family_is_written_out() {
    let text = format!(
        "{SCALE}dim b
model M {{
    input x: [b, 2]
    param z: [2] = ones()
    sub net[l < 3] = Scale(2, l + 1)
    let a[l] = net[l](x)
    let p[l] = softmax[l] sum(net[l](z))
    let w[l] = net[l].w
    output y: [b, 3, 2] = a
    output s: [b, 2] = sum[l] net[l](x)
    output t: [b, 2] = sum[l] (l + 1) * net[l](x)
    output m: f32 = max[l] sum(net[l](z))
    output u: f32 = sum(p)
    output v: [3, 2] = w
}}
"
    );
    let wants: &[(&str, &[f64])] = &[
        ("y", &[1.0, 2.0, 2.0, 4.0, 3.0, 6.0]),
        ("s", &[6.0, 12.0]),
        ("t", &[14.0, 28.0]),
        ("m", &[6.0]),
        ("u", &[1.0]),
        ("v", &[1.0, 1.0, 2.0, 2.0, 3.0, 3.0]),
    ];
    gives(&text, &[("b", 1)], &[("x", &[1.0, 2.0])], wants);
    says(&text.replace("let a[l] =", "let a[l < 2] ="), "H0305");
}

#[test]
fn leaves_of_a_tree_one_by_one() {
    let text = format!(
        "{SCALE}net Two() {{
    param a: [2, 2] = fill(3)
    sub inner = Scale(3, 2)
}}
model M {{
    input x: [2]
    sub tree = Two()
    sub write[p in tree.*] = Scale(2, size(p))
    param mark[p in tree.*]: [2] = fill(size(p))
    let total[p < leaves(tree.*)] = sum(flatten(tree.*[p]))
    let both[p] = sum(write[p](x)) + sum(mark[p])
    output n: i32 = leaves(tree.*) + 10 * leaves(tree)
    output t: [2] = total
    output b: [2] = both
    output s: f32 = sum[p < leaves(tree.*)] sum(flatten(tree.*[p])^2)
    output inner: i32 = size(tree.*.w)
}}
"
    );
    let wants: &[(&str, &[f64])] =
        &[("n", &[22.0]), ("t", &[12.0, 6.0]), ("b", &[20.0, 15.0]), ("s", &[48.0]), ("inner", &[3.0])];
    gives(&text, &[], &[("x", &[1.0, 2.0])], wants);
}

#[test]
fn a_function_of_a_number_goes_over_the_leaves_of_a_tree() {
    let text = format!(
        "{SCALE}fn shrink(x: f32) -> f32 {{ if x > 2 {{ x / 2 }} else {{ x }} }}
model M {{
    input x: [2]
    sub a = Scale(2, 6)
    output y: [2] = a{{* = shrink(a.*)}}(x)
}}
"
    );
    gives(&text, &[], &[("x", &[1.0, 2.0])], &[("y", &[3.0, 6.0])]);
}

#[test]
fn families_within_families_are_written_by_free_names() {
    let text = format!(
        "{SCALE}net Pair(n) {{
    sub into[t < 2] = Scale(n + t, 0)
}}
model M {{
    input x: [3]
    sub link[m < 2] = Pair(2 * m + 1)
    generate link[m].into[t].w from 10 * m + t + 1
    scale link[1].into[t].w by 2
    init link[m].into[t].w = fill(m)
    output a: [1] = link[0].into[0].w
    output c: [2] = link[0].into[1].w
    output d: [3] = link[1].into[0](x)
    output e: [4] = link[1].into[1].w
}}
"
    );
    let wants: &[(&str, &[f64])] = &[("a", &[1.0]), ("c", &[2.0; 2]), ("d", &[22.0, 44.0, 66.0]), ("e", &[24.0; 4])];
    gives(&text, &[], &[("x", &[1.0, 2.0, 3.0])], wants);
    says(&text.replace("link[m].into[t].w from", "link[m].into[t < 3].w from"), "H0305");
}

#[test]
fn an_initialiser_for_each_net_and_place() {
    let text = format!(
        "{SCALE}model M {{
    input x: [2]
    const dense = [[1, 2, 3, 4, 5, 6]]
    sub part[3] = Scale(2, 0)
    sub step[l < 2] = Scale(2, 0)
    init part[e].w[i] = dense[0, e * 2 + i]
    init step[l].w[i] = 10 * l + i
    output y: [2] = part[2](x)
    output z: [2] = part[0](x)
    output u: [2] = step[1](x)
}}
"
    );
    let wants: &[(&str, &[f64])] = &[("y", &[5.0, 12.0]), ("z", &[1.0, 4.0]), ("u", &[10.0, 22.0])];
    gives(&text, &[], &[("x", &[1.0, 2.0])], wants);
    says(&text.replace("init part[e].w[i] = dense[0, e * 2 + i]", "init part[1].w = ones()"), "H0414");
}

#[test]
fn several_patterns_self_in_lets_and_stored_values() {
    let text = format!(
        "{SCALE}model M {{
    input x: [2]
    sub q = Scale(2, 1)
    sub k = Scale(2, 2)
    sub v = Scale(2, 3)
    each twist(w: [n]) at l in q.w, v.w {{
        param g: [n] = fill(l + 1)
        let own = 10 * self
        let more = own + n
        generate w from more + g
    }}
    scale v.w by 2
    generate k.w from stored(q.w) + 1
    output a: [2] = q(x)
    output c: [2] = v(x)
    output d: [2] = k(x)
    output e: [2] = stored(v.w) + stored(k.w)
    output f: f32 = sum(stored(v.*) * stored(v.*))
}}
"
    );
    let wants: &[(&str, &[f64])] =
        &[("a", &[13.0, 26.0]), ("c", &[68.0, 136.0]), ("d", &[2.0, 4.0]), ("e", &[5.0, 5.0]), ("f", &[18.0])];
    gives(&text, &[], &[("x", &[1.0, 2.0])], wants);
    let model = model(&text).unwrap_or_else(|f| panic!("{}", f.detail));
    let paths: Vec<&str> = model.params.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(paths, ["q.w", "k.w", "v.w", "twist.0.g", "twist.1.g"]);
    let form = "net Scale(d) {\n    param w: [d] = ones()\n    (x: [d]) -> [d] { w * x }\n}\nmodel M {\n    input x: [2]\n    form f = Scale(2)\n    output y: [2] = stored(f.w) + x\n}\n";
    says(form, "H0402");
}

#[test]
fn sizes_of_what_a_relation_writes_go_in_no_circle() {
    let text = "net Net() {
    param w: [2, 3] = ones()
    param bias: [3] = ones()
}
net Outer() {
    sub a = Net()
    sub c = Net()
}
model M {
    input x: [2]
    sub net = Outer()
    const columns = size(net.*.bias), rows = size(net.a.w)
    param code: [columns + rows, 3] = ones()
    param more: [leaves(net.*)] = ones()
    generate net.a.w from code[0..2]
    generate net.c.* from flatten(code)[0..size(net.c)]
    output y: [3] = x @ net.a.w
    output n: i32 = columns + 100 * rows
    output m: f32 = sum(more) + sum(net.c.bias)
}
";
    gives(text, &[], &[("x", &[1.0, 2.0])], &[("y", &[3.0; 3]), ("n", &[606.0]), ("m", &[7.0])]);
}

/// Each net of an array may be made from another one of it, whichever stands first; weights by hand.
#[test]
fn nets_of_an_array_are_made_from_each_other() {
    let text = format!(
        "{SCALE}model M {{
    input x: [2]
    sub e[4] = Scale(2, 1)
    adapt e[0].* by 10 * e[1].*
    adapt e[1].* by 2 * e[3].*
    scale e[1].* by 3
    generate e[2].w from e[0].w + x[0] * e[3].w
    output a: [2] = e[0](x)
    output c: [2] = e[1](x)
    output d: [2] = e[2](x)
    output f: [2] = e[3](x)
    output every: [4, 2] = e.w
}}
"
    );
    // e[3] is 1, e[1] 3 * (1 + 2), e[0] 1 + 10 * 9, e[2] 91 + 2 * 1.
    let wants: &[(&str, &[f64])] = &[
        ("a", &[182.0, 273.0]),
        ("c", &[18.0, 27.0]),
        ("d", &[186.0, 279.0]),
        ("f", &[2.0, 3.0]),
        ("every", &[91.0, 91.0, 9.0, 9.0, 93.0, 93.0, 1.0, 1.0]),
    ];
    gives(&text, &[], &[("x", &[2.0, 3.0])], wants);
}
