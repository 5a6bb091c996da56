//! Blocks of every kind, for pages that train.

/// A generated net, experts with seats, a draw, a state, several rules, an average, batches that are gathered.
pub const ALL: &str = "import std.linear { Linear }
import std.mlp { Mlp }
import std.math { cross_entropy }
dim b
model M {
    condition task: i32
    input x: [b, 6]
    input label: i32[b]
    param embed: [3, 4] = normal(std: 0.5)
    sub hyper = Linear(4, size(target.*))
    form target = Linear(6, 5)
    sub gate = Linear(5, 4)
    sub expert[4] = Mlp(5, 8, 3)
    generate target.* from 0.3 * hyper(embed[task])
    state mu: [6] = zeros()
    draw noise: [b, 6] = normal(std: 0.01)
    let h = tanh(target(x - 0.1 * mu + noise))
    let pick = top_k(gate(h), 2)
    let y = route h over expert at pick.index by softmax(pick.value) { capacity: 1.0 per [b] }
    update mu = 0.9 * mu + 0.1 * mean[b] x
    output logits: [b, 3] = y
    loss nll = mean[b] cross_entropy(y, label)
    loss small = mean[i, j] hyper.w[i, j]^2
}
train M {
    data \"rows.safetensors\" { x, label, task }
    batch b = 8 by task
    minimize nll + 0.01 * small
    over * except gate.*
    with adamw(lr: 1e-2 * warmup((step + 1) / 10))
    over gate.*
    with sgd(lr: 0.05, momentum: 0.9)
    clip 1.0
    average 0.9
    accumulate 2
    steps 40
    seed 5
}
";

/// Rounds, with what is set in each and now and then; a condition that is fed and one of each row; muon; a loss that has a feed.
pub const ROUNDS: &str = "dim b
model R {
    condition task: i32
    condition lam: f32 = 0.5
    input x: [b, 6]
    input y: [b]
    param w: [3, 6] = normal(std: 0.3)
    param v: [6, 4] = normal(std: 0.3)
    param old: [3, 6] = zeros()
    output fit: [b] = sum[i] w[task, i] * x[b, i] + mean[j] tanh(sum[i] x[b, i] * v[i, j])
    loss mse = mean[b] (fit - y)^2
    loss hold = lam * sum[k, i] (w[k, i] - old[k, i])^2
}
train R as each for task in 0..2 {
    set old = w
    data \"rows.safetensors\" { x, y, task }
    batch b = 5
    feed lam = uniform(0, 1)
    minimize mse + 0.1 * hold
    over w
    with rmsprop(lr: 1e-2, centered: true, momentum: 0.5)
    over v
    with muon(lr: 0.02)
    every 3 when mean[k, i] w[k, i]^2 > 0.01 set w = 0.9 * w
    steps 7
    seed 3
}
";

/// Two players in turn; each sample has a condition of its own, and one of them takes all rows.
pub const TURNS: &str = "dim b
model T {
    condition task: i32
    input x: [b, 6]
    input y: [b]
    param w: [3, 6] = normal(std: 0.3)
    param scale: f32 = 1
    output fit: [b] = scale * sum[i] w[task, i] * x[b, i]
    loss mse = mean[b] (fit - y)^2
}
train T {
    data \"rows.safetensors\" { x, y, task }
    alternate 2 {
        batch b = 5
        minimize mse
        over w
        with lion(lr: 1e-2)
    } 1 {
        batch b = all
        minimize mse
        over scale
        with adagrad(lr: 0.1)
    }
    steps 12
}
";

/// Names that every object has.
pub const NAMES: &str = "dim constructor
model Names {
    input __proto__: [constructor, 2]
    condition valueOf: f32 = 1
    param toString: [2] = normal()
    param hasOwnProperty: f32 = 0
    output __defineGetter__: [constructor] = valueOf * (sum[i] toString[i] * __proto__[constructor, i] + hasOwnProperty)
    loss isPrototypeOf = mean[constructor] (__defineGetter__ - 3)^2
}
train Names {
    data \"names.safetensors\" { __proto__ }
    batch constructor = 4
    minimize isPrototypeOf
    steps 10
}
";

/// A block that says by itself how long something is.
pub const SIZED: &str = "dim b
model S {
    condition d: size in [1, 2]
    input x: [b]
    param w: f32 = 1
    loss mse = mean[b] sum[k < d] (w * x[b] - number(k))^2
}
train S {
    data \"rows.safetensors\" { x: y }
    batch b = 5
    feed d = 2
    minimize mse
    steps 3
}
";
