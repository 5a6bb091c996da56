//! The functions of the shaders' library, each in WGSL with the others that it calls.
//!
//! The language's own `exp`, `sin` and their like may be off by thousands of ulp, and drivers differ in what they make of NaN and
//! infinity; these are about 2 ulp everywhere. Sources: Cephes (Moshier) for exp, log, tanh and the reduction of angles; N. Juffa's
//! published minimax polynomials for erf, sin and cos; Salmon et al. 2011 for Philox.

use super::wide;

/// Every function: name, those that it calls, text.
const LIBRARY: &[(&str, &[&str], &str)] = &[
    // A function's argument is no constant: so infinities and NaN can be written down.
    ("from_bits", &[], "fn from_bits(b: u32) -> f32 { return bitcast<f32>(b); }\n"),
    ("from_half", &[], "fn from_half(w: u32, i: u32) -> f32 { return unpack2x16float(w)[i & 1u]; }\n"),
    (
        "half_",
        &["from_bits"],
        "fn half_(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let size = bits & 0x7fffffffu;
    let sign = bits & 0x80000000u;
    if size > 0x7f800000u { return x; }
    if size >= 0x477ff000u { return from_bits(sign | 0x7f800000u); }
    if size < 0x38800000u { return round(x * 16777216.0) * 5.9604644775390625e-8; }
    return from_bits(sign | ((size + 0xfffu + ((size >> 13u) & 1u)) & 0xffffe000u));
}
",
    ),
    ("is_nan", &[], "fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }\n"),
    // A comparison that may be turned round, or an operation that drivers take for their own `max`, loses NaN: so its bits are asked.
    (
        "max_",
        &["is_nan"],
        "fn max_(a: f32, b: f32) -> f32 {
    return select(select(select(b, a, a > b), b, is_nan(b)), a, is_nan(a));
}
",
    ),
    (
        "min_",
        &["is_nan"],
        "fn min_(a: f32, b: f32) -> f32 {
    return select(select(select(b, a, a < b), b, is_nan(b)), a, is_nan(a));
}
",
    ),
    (
        "sign_",
        &["is_nan"],
        "fn sign_(x: f32) -> f32 {
    return select(select(select(0.0, 1.0, x > 0.0), -1.0, x < 0.0), x, is_nan(x));
}
",
    ),
    (
        "by_zero",
        &["from_bits"],
        "fn by_zero(x: f32) -> f32 {
    let b = bitcast<u32>(x);
    return from_bits(select(b & 0x80000000u, 0x7fc00000u, (b & 0x7fffffffu) >= 0x7f800000u));
}
",
    ),
    (
        "zero_over",
        &["from_bits"],
        "fn zero_over(x: f32) -> f32 {
    let b = bitcast<u32>(x);
    let size = b & 0x7fffffffu;
    return from_bits(select(b & 0x80000000u, 0x7fc00000u, size == 0u || size > 0x7f800000u));
}
",
    ),
    (
        "over_zero",
        &["from_bits"],
        "fn over_zero(x: f32) -> f32 {
    let b = bitcast<u32>(x);
    let size = b & 0x7fffffffu;
    return from_bits(select((b & 0x80000000u) | 0x7f800000u, 0x7fc00000u, size == 0u || size > 0x7f800000u));
}
",
    ),
    (
        "by_itself",
        &["from_bits"],
        "fn by_itself(x: f32) -> f32 {
    let b = bitcast<u32>(x) & 0x7fffffffu;
    return from_bits(select(0x3f800000u, 0x7fc00000u, b == 0u || b >= 0x7f800000u));
}
",
    ),
    (
        // A total shared among a number of places: among none it is no number, which some drivers take for 0.
        "among",
        &["from_bits"],
        "fn among(x: f32, n: f32) -> f32 {
    let b = bitcast<u32>(x);
    let none = (b & 0x7fffffffu) == 0u || (b & 0x7fffffffu) > 0x7f800000u;
    let endless = 0x7f800000u | (b & 0x80000000u);
    return select(x / n, from_bits(select(endless, 0x7fc00000u, none)), n == 0.0);
}
",
    ),
    // A value behind a zero that compilers don't know.
    (
        "hidden",
        &[],
        "fn hidden(x: f32, zero: u32) -> f32 { return bitcast<f32>(bitcast<u32>(x) ^ zero); }\n",
    ),
    ("equal", &["is_nan"], "fn equal(a: f32, b: f32) -> bool { return a == b && !is_nan(a) && !is_nan(b); }\n"),
    ("at_most", &["is_nan"], "fn at_most(a: f32, b: f32) -> bool { return a <= b && !is_nan(a) && !is_nan(b); }\n"),
    (
        // Whether `new` takes the place of `old` among the largest: NaN is taken, and stays.
        "above",
        &["is_nan"],
        "fn above(new_: f32, old: f32) -> bool { return (new_ > old || is_nan(new_)) && !is_nan(old); }\n",
    ),
    ("below", &["is_nan"], "fn below(new_: f32, old: f32) -> bool { return (new_ < old || is_nan(new_)) && !is_nan(old); }\n"),
    (
        // A sum and what it rounded away so far, with one more term. `zero` is a zero that compilers don't know, or they would take
        // `(a + b) - a` for b; nothing is made good for infinities.
        "kept",
        &[],
        "fn kept(sum: vec2<f32>, term: f32, zero: u32) -> vec2<f32> {
    let x = term - sum.y;
    let all = bitcast<f32>(bitcast<u32>(sum.x + x) ^ zero);
    let lost = (all - sum.x) - x;
    return vec2<f32>(all, select(0.0, lost, (bitcast<u32>(lost) & 0x7fffffffu) < 0x7f800000u));
}
",
    ),
    (
        // Four sums at once; the second column is what was rounded away.
        "kept_four",
        &[],
        "fn kept_four(all: mat2x4<f32>, term: vec4<f32>, zero: u32) -> mat2x4<f32> {
    let x = term - all[1];
    let sum = bitcast<vec4<f32>>(bitcast<vec4<u32>>(all[0] + x) ^ vec4<u32>(zero));
    let lost = (sum - all[0]) - x;
    let fine = (bitcast<vec4<u32>>(lost) & vec4<u32>(0x7fffffffu)) < vec4<u32>(0x7f800000u);
    return mat2x4<f32>(sum, select(vec4<f32>(0.0), lost, fine));
}
",
    ),
    (
        "exp_",
        &[],
        "fn exp_(a: f32) -> f32 {
    let x = select(select(a, 89.0, a > 89.0), -104.0, a < -104.0);
    let n = round(x * 1.4426950);
    // The maximum keeps drivers from joining the two parts of log(2).
    let r = fma(n, 2.1219444e-4, max(fma(n, -0.693359375, x), -1e30));
    var p = fma(1.9875691e-4, r, 1.3982e-3);
    p = fma(p, r, 8.333452e-3);
    p = fma(p, r, 4.1665796e-2);
    p = fma(p, r, 1.6666665e-1);
    p = fma(p, r, 0.5);
    p = fma(p, r * r, r) + 1.0;
    let k = i32(n);
    let h = k >> 1u;
    return p * bitcast<f32>((h + 127) << 23u) * bitcast<f32>((k - h + 127) << 23u);
}
",
    ),
    (
        "log_",
        &["from_bits"],
        "fn log_(x: f32) -> f32 {
    let small = x < 1.17549435e-38;
    let b = bitcast<i32>(select(x, x * 8388608.0, small));
    let e = (b - 0x3f3504f3) >> 23u;
    let f = bitcast<f32>(b - (e << 23u)) - 1.0;
    let n = f32(e) - select(0.0, 23.0, small);
    let z = f * f;
    var p = fma(7.0376836e-2, f, -1.151461e-1);
    p = fma(p, f, 1.1676999e-1);
    p = fma(p, f, -1.2420141e-1);
    p = fma(p, f, 1.4249323e-1);
    p = fma(p, f, -1.6668058e-1);
    p = fma(p, f, 2.0000715e-1);
    p = fma(p, f, -2.4999994e-1);
    p = fma(p, f, 3.333333e-1);
    p = p * f * z;
    p = fma(-0.5, z, fma(n, -2.1219444e-4, p));
    let r = fma(n, 0.693359375, f + p);
    let top = bitcast<u32>(x) == 0x7f800000u;
    let wrong = select(from_bits(0x7fc00000u), from_bits(0xff800000u), x == 0.0);
    return select(wrong, select(r, x, top), x > 0.0);
}
",
    ),
    (
        "tanh_",
        &["exp_"],
        "fn tanh_(x: f32) -> f32 {
    let z = x * x;
    var p = fma(-5.7049887e-3, z, 0.02063909);
    p = fma(p, z, -5.3739715e-2);
    p = fma(p, z, 1.3331442e-1);
    p = fma(p, z, -3.333328e-1);
    let near = fma(p, z * x, x);
    let a = abs(x);
    let far = 1.0 - 2.0 / (exp_(a + a) + 1.0);
    return select(near, select(far, -far, x < 0.0), a > 0.625);
}
",
    ),
    (
        "sigmoid_",
        &["exp_"],
        "fn sigmoid_(x: f32) -> f32 {
    let e = exp_(-abs(x));
    return select(1.0, e, x < 0.0) / (1.0 + e);
}
",
    ),
    (
        "softplus_",
        &["exp_"],
        "fn softplus_(x: f32) -> f32 {
    let e = exp_(-abs(x));
    // log(1 + e) = 2 artanh(e / (2 + e)), whose argument is a third at most: 1 + e would round e away.
    let s = e / (2.0 + e);
    let z = s * s;
    var p = fma(0.07692308, z, 0.09090909);
    p = fma(p, z, 0.11111111);
    p = fma(p, z, 0.14285715);
    p = fma(p, z, 0.2);
    p = fma(p, z, 0.33333334);
    let l = 2.0 * fma(p * z, s, s);
    return select(0.0, x, x > 0.0) + l;
}
",
    ),
    (
        "erf_",
        &["exp_"],
        "fn erf_(x: f32) -> f32 {
    let t = abs(x);
    let q = x * x;
    var near = fma(-5.967617e-4, q, 4.9911942e-3);
    near = fma(near, q, -2.6768135e-2);
    near = fma(near, q, 1.12819925e-1);
    near = fma(near, q, -3.7612534e-1);
    near = fma(near, q, 1.2837917e-1);
    near = fma(near, x, x);
    let u = fma(-3.8839644e-3, t, 2.4254622e-2);
    var r = fma(fma(-1.7285347e-5, t, 3.831972e-4), q, u);
    r = fma(r, t, -1.0677788e-1);
    r = fma(r, t, -6.3484687e-1);
    r = fma(r, t, -1.2871751e-1);
    r = fma(r, t, -t);
    let far = select(1.0 - exp_(r), 1.0, t > 4.0);
    return select(near, select(far, -far, x < 0.0), t > 0.9277344);
}
",
    ),
    (
        // The word with this number of five. No array: a device that goes both ways at every condition would fill and read it for every angle.
        "word_at",
        &[],
        "fn word_at(k: u32, a: u32, b: u32, c: u32, d: u32, e: u32) -> u32 {
    return select(select(select(select(e, d, k == 3u), c, k == 2u), b, k == 1u), a, k == 0u);
}
",
    ),
    (
        // Payne and Hanek: the bits of 2/pi that a large angle needs, times the angle's 24 bits, modulo four quarters. Gives the angle
        // within its quarter and the quarter's number.
        "quarters",
        &["mul_wide", "word_at"],
        "fn quarters(x: f32) -> vec2<f32> {
    let b = bitcast<u32>(x);
    let m = (b & 0x7fffffu) | 0x800000u;
    // The first bit whose product with x is no multiple of four quarters.
    let first = min((b >> 23u) & 0xffu, 254u) - 120u;
    let k = first >> 5u;
    let s = first & 31u;
    // Of 2/pi after 32 zeros.
    let a0 = word_at(k, 0u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u);
    let a1 = word_at(k, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u);
    let a2 = word_at(k, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u);
    let a3 = word_at(k, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu);
    let w0 = (a0 << s) | ((a1 >> 1u) >> (31u - s));
    let w1 = (a1 << s) | ((a2 >> 1u) >> (31u - s));
    let w2 = (a2 << s) | ((a3 >> 1u) >> (31u - s));
    let p1 = mul_wide(w1, m);
    let low = p1.x + mul_wide(w2, m).y;
    let high = w0 * m + p1.y + select(0u, 1u, low < p1.x);
    let part = (high << 2u) | (low >> 30u);
    let n = (high >> 30u) + (part >> 31u);
    let r = fma(f32(low << 2u), 8.515304e-20, f32(bitcast<i32>(part)) * 3.6572952e-10);
    let negative = (b >> 31u) != 0u;
    return vec2<f32>(select(r, -r, negative), f32(select(n, 4u - n, negative)));
}
",
    ),
    (
        "turn",
        &["quarters", "from_bits"],
        "fn turn(x: f32, quarter: i32) -> f32 {
    // Cody and Waite: pi/2 in parts of nine bits, so that their products with n are exact for |x| up to 50,000.
    var n = round(x * 0.63661975);
    // What is taken off first must not be joined with the rest: drivers turn n * a + n * b into n * (a + b), but not across a maximum.
    var r = max(fma(n, -1.5703125, x), -1e30);
    r = max(fma(n, -4.8351288e-4, r), -1e30);
    r = fma(n, -3.1385571e-7, r);
    r = fma(n, -6.0708771e-11, r);
    let size = bitcast<u32>(x) & 0x7fffffffu;
    if (size >= 0x47000000u) {
        if (size >= 0x7f800000u) { return from_bits(0x7fc00000u); }
        let large = quarters(x);
        r = large.x;
        n = large.y;
    }
    let z = r * r;
    var c = fma(2.4467707e-5, z, -1.388773e-3);
    c = fma(c, z, 4.1666657e-2);
    c = fma(c, z, -0.5);
    c = fma(c, z, 1.0);
    var p = fma(2.8656796e-6, z, -1.9855992e-4);
    p = fma(p, z, 8.333386e-3);
    p = fma(p, z, -1.6666667e-1);
    let y = fma(p, r * z, r);
    let q = i32(n) + quarter;
    let v = select(y, c, (q & 1) != 0);
    return select(v, -v, (q & 2) != 0);
}
",
    ),
    ("sin_", &["turn"], "fn sin_(x: f32) -> f32 { return turn(x, 0); }\n"),
    ("cos_", &["turn"], "fn cos_(x: f32) -> f32 { return turn(x, 1); }\n"),
    ("tan_", &["turn"], "fn tan_(x: f32) -> f32 { return turn(x, 0) / turn(x, 1); }\n"),
    (
        // The angle of the smaller side over the larger one, turned to where the point lies. Bits tell zeros, infinities and NaN; sides
        // near the ends of what f32 holds are brought to where a division keeps its digits.
        "atan2_",
        &["is_nan", "from_bits"],
        "fn atan2_(y: f32, x: f32) -> f32 {
    if (is_nan(x) || is_nan(y)) { return from_bits(0x7fc00000u); }
    let a = bitcast<u32>(y) & 0x7fffffffu;
    let b = bitcast<u32>(x) & 0x7fffffffu;
    let steep = a > b;
    let large = select(b, a, steep);
    let scale = select(select(1.0, 1.0995116e12, large < 0x20000000u), 9.094947e-13, large > 0x60000000u);
    var q = (bitcast<f32>(select(a, b, steep)) * scale) / (bitcast<f32>(large) * scale);
    if (large >= 0x7f800000u) { q = 0.0; }
    if (a == b) { q = select(1.0, 0.0, a == 0u); }
    let z = q * q;
    var p = fma(-1.753928e-3, z, 1.0726934e-2);
    p = fma(p, z, -3.0804578e-2);
    p = fma(p, z, 5.7552084e-2);
    p = fma(p, z, -8.3773144e-2);
    p = fma(p, z, 1.094203e-1);
    p = fma(p, z, -1.4261933e-1);
    p = fma(p, z, 1.9998266e-1);
    p = fma(p, z, -3.3333284e-1);
    var r = fma(p * z, q, q);
    if (steep) { r = 1.5707964 - (r + 4.371139e-8); }
    if ((bitcast<u32>(x) >> 31u) != 0u) { r = 3.1415927 - (r + 8.742278e-8); }
    return bitcast<f32>(bitcast<u32>(r) | (bitcast<u32>(y) & 0x80000000u));
}
",
    ),
    (
        "pow_",
        &["exp_", "log_", "from_bits", "is_nan"],
        "fn pow_(x: f32, y: f32) -> f32 {
    if (y == 0.0 || x == 1.0) { return 1.0; }
    if (is_nan(x) || is_nan(y)) { return from_bits(0x7fc00000u); }
    let a = abs(x);
    let whole = y == floor(y);
    let odd = whole && abs(y) < 16777216.0 && (i32(y) & 1) != 0;
    let negative = odd && (bitcast<u32>(x) >> 31u) != 0u;
    // Not those of `a`: a driver may leave the sign of a zero on it.
    let bits = bitcast<u32>(x) & 0x7fffffffu;
    var r = 0.0;
    if (abs(y) > 3.4028234663852886e38) {
        if (a == 1.0) { return 1.0; }
        return select(0.0, from_bits(0x7f800000u), (a > 1.0) == (y > 0.0));
    }
    if (bits == 0u || bits == 0x7f800000u) {
        r = select(0.0, from_bits(0x7f800000u), (bits == 0u) == (y < 0.0));
    } else if (x < 0.0 && !whole) {
        return from_bits(0x7fc00000u);
    } else {
        // a = m * 2^e with m near 1, so that y * e stays apart from the rounded logarithm.
        let small = a < 1.17549435e-38;
        let b = bitcast<i32>(select(a, a * 8388608.0, small));
        let e = (b - 0x3f3504f3) >> 23u;
        let m = bitcast<f32>(b - (e << 23u));
        let t = y * (f32(e) - select(0.0, 23.0, small));
        let n = round(clamp(t, -300.0, 300.0));
        r = exp_(clamp(fma(t - n, 0.6931472, y * log_(m)), -300.0, 300.0));
        let h = i32(n) / 3;
        let g = i32(n) - 2 * h;
        r = r * bitcast<f32>((h + 127) << 23u) * bitcast<f32>((g + 127) << 23u) * bitcast<f32>((h + 127) << 23u);
    }
    return select(r, -r, negative);
}
",
    ),
    (
        "power_i",
        &[],
        "fn power_i(x: i32, n: i32) -> i32 {
    if (n < 0) {
        if (x == 1) { return 1; }
        if (x == -1) { return select(-1, 1, (n & 1) == 0); }
        return 0;
    }
    var r = 1;
    var b = x;
    var e = n;
    while (e > 0) {
        if ((e & 1) != 0) { r *= b; }
        b *= b;
        e = e >> 1u;
    }
    return r;
}
",
    ),
    (
        "floor_div",
        &[],
        "fn floor_div(a: i32, b: i32) -> i32 {
    if (b == 0) { return 0; }
    if (b == -1) { return -a; }
    let q = a / b;
    let r = a - q * b;
    return select(q, q - 1, r != 0 && (r < 0) != (b < 0));
}
",
    ),
    (
        "floor_mod",
        &[],
        "fn floor_mod(a: i32, b: i32) -> i32 {
    if (b == 0 || b == -1) { return 0; }
    let r = a - (a / b) * b;
    return select(r, r + b, r != 0 && (r < 0) != (b < 0));
}
",
    ),
    (
        // A quotient may be off by an ulp or two: the remainder tells.
        "floor_div_f",
        &[],
        "fn floor_div_f(a: f32, b: f32) -> f32 {
    if (b == 0.0) { return 0.0; }
    var q = floor(a / b);
    let r = fma(-q, b, a);
    if (abs(q) < 16777216.0) {
        if (r != 0.0 && (r < 0.0) != (b < 0.0)) { q -= 1.0; }
        if (abs(r) >= abs(b) && (r < 0.0) == (b < 0.0)) { q += 1.0; }
    }
    return q;
}
",
    ),
    (
        "floor_mod_f",
        &["floor_div_f"],
        "fn floor_mod_f(a: f32, b: f32) -> f32 {
    if (b == 0.0) { return 0.0; }
    return a - b * floor_div_f(a, b);
}
",
    ),
    (
        "to_i32",
        &["is_nan"],
        "fn to_i32(x: f32) -> i32 {
    if (is_nan(x)) { return -2147483647 - 1; }
    if (x >= 2147483648.0) { return 2147483647; }
    if (x <= -2147483648.0) { return -2147483647 - 1; }
    return i32(x);
}
",
    ),
    (
        // A float as a u32 that sorts the same way: both zeros alike, NaN last.
        "sort_key",
        &[],
        "fn sort_key(b: u32, descending: bool) -> u32 {
    if ((b & 0x7fffffffu) > 0x7f800000u) { return 0xffffffffu; }
    var k = select(b, 0u, (b & 0x7fffffffu) == 0u);
    k = select(k | 0x80000000u, ~k, (k >> 31u) != 0u);
    return select(k, ~k, descending);
}
",
    ),
    (
        "mul_wide",
        &[],
        "fn mul_wide(a: u32, b: u32) -> vec2<u32> {
    let p0 = (a & 0xffffu) * (b & 0xffffu);
    let p1 = (a >> 16u) * (b & 0xffffu);
    let p2 = (a & 0xffffu) * (b >> 16u);
    let mid = p1 + (p0 >> 16u);
    let low = (mid & 0xffffu) + p2;
    return vec2<u32>((low << 16u) | (p0 & 0xffffu), (a >> 16u) * (b >> 16u) + (mid >> 16u) + (low >> 16u));
}
",
    ),
    (
        "philox",
        &["mul_wide"],
        "fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    var c = counter;
    var k = key;
    for (var i = 0u; i < 10u; i++) {
        let p = mul_wide(0xd2511f53u, c.x);
        let q = mul_wide(0xcd9e8d57u, c.z);
        c = vec4<u32>(q.y ^ c.y ^ k.x, q.x, p.y ^ c.w ^ k.y, p.x);
        k += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    return c;
}
",
    ),
];

type Entry = (&'static str, &'static [&'static str], &'static str);

fn all() -> impl Iterator<Item = &'static Entry> {
    LIBRARY.iter().chain(wide::LIBRARY)
}

fn entry(name: &str) -> &'static Entry {
    all().find(|e| e.0 == name).unwrap_or_else(|| unreachable!("`{name}` is in the library"))
}

/// What a function calls.
pub(super) fn needs(name: &str) -> &'static [&'static str] {
    entry(name).1
}

/// Whether a function is called so.
pub(super) fn known(name: &str) -> bool {
    all().any(|e| e.0 == name)
}

/// Its text.
pub(super) fn text(name: &str) -> &'static str {
    entry(name).2
}
