//! Words that people know from Python, PyTorch and JAX, and what stands for them here.
//!
//! In: a word that means nothing, a part that a tensor has not, a net that nobody declared. Out: advice, with an edit where the word alone is
//! wrong and both languages mean the same by it. What stands before functions elsewhere (`torch.`), and after values (`x.relu()`), is answered by
//! `foreign`.

use super::builtin;
use crate::diag::Diagnostic;
use crate::source::Span;

/// A word of elsewhere, the word here where it takes its place, and what is said.
type Row = (&'static str, Option<&'static str>, &'static str);

/// Elsewhere values are joined along the first axis, which is seldom the sized one.
const JOINED: &str = "values are joined along their first size by `concat(a, b)`, along a named axis by `concat[t](a, b)`";

/// Words that are values or functions elsewhere.
const WORDS: &[Row] = &[
    ("True", Some("true"), "truth values are `true` and `false`"),
    ("False", Some("false"), "truth values are `true` and `false`"),
    ("None", None, "everything has a value here: leave it out, or choose with `if c { a } else { b }`"),
    ("cat", None, JOINED),
    ("concatenate", None, JOINED),
    ("clip", Some("clamp"), "it is called `clamp`"),
    ("pow", None, "a power is written `x ^ 2`"),
    ("square", None, "a square is written `x ^ 2`"),
    ("rsqrt", None, "it is written `1 / sqrt(x)`"),
    ("maximum", None, "the larger of two values is `max(a, b)`"),
    ("minimum", None, "the smaller of two values is `min(a, b)`"),
    ("matmul", None, "a product of matrices is written `x @ w`, one over named axes `sum[i] x[i] * w[i]`"),
    ("mm", None, "a product of matrices is written `x @ w`"),
    ("bmm", None, "a product of matrices is written `x @ w`; what varies over a batch says so by its axes"),
    ("dot", None, "a product is written `x @ y`"),
    ("einsum", None, "write the indices out: `let y[i, k] = sum[j] a[i, j] * b[j, k]`"),
    ("log_softmax", None, "along the sized axis it is `x - logsumexp(x)`"),
    ("normalize", None, "`import std.math { unit }`: `unit(x)` is the direction of `x`, with length 1 along the sized axis"),
    ("pass", None, "a block without statements is `{ }`"),
    ("len", None, "a length is known by its name: the dim, `b`, or the number in the type; `size(x)` counts all numbers"),
    ("print", None, "nothing is printed while a model runs: what shall be seen is an `output`"),
    ("dropout", None, "chance is drawn: `draw keep: [n] = bernoulli(p: 0.9)`, then `if training { x * keep / 0.9 } else { x }`"),
    ("range", None, "a range is written `0..n`"),
    ("arange", None, "an index is its own number: `let v[i < 4] = i`"),
    ("linspace", None, "an index is its own number: `let v[i < 5] = i / 4`"),
    ("ones_like", None, "a number takes the shape of what it meets: write `1`"),
    ("zeros_like", None, "a number takes the shape of what it meets: write `0`"),
    ("full_like", None, "a number takes the shape of what it meets"),
    ("float", Some("number"), "a whole number becomes real by `number(n)`"),
    ("bool", None, "a number becomes a truth value by comparing it: `x != 0`"),
    ("where", None, "a choice is `if c { a } else { b }`"),
    ("map", None, "what a net is called with may have more axes than its signature: it is lifted over them"),
    ("vmap", None, "what a function is called with may have more axes than its signature: it is lifted over them"),
    ("scan", None, "write a loop: `for i in 0..n { .. }`"),
    ("gather", None, "elements are read with brackets: `x[index]`"),
    ("scatter", None, "write which element is meant: `sum[j where index[j] == i] x[j]`"),
    ("one_hot", None, "compare: `let h[k < 10] = number(label == k)`"),
    ("rand", None, "the shape is that of the type: `uniform(low: 0, high: 1)`"),
    ("randn", None, "the shape is that of the type: `normal(std: 1)`"),
    ("xavier", Some("xavier_uniform"), "there are `xavier_uniform` and `xavier_normal`"),
    ("kaiming", Some("kaiming_uniform"), "there are `kaiming_uniform` and `kaiming_normal`"),
    ("requires_grad", None, "every `param` learns; `freeze` keeps one from learning"),
    ("no_grad", None, "nothing flows through `stop_gradient(x)`"),
    ("detach", Some("stop_gradient"), "it is called `stop_gradient`"),
    (
        "mse_loss",
        None,
        "`import std.loss { mse }`: `mse(y, want)` of each row, `mean[b] mse(y, want)` of all; or write it out, `mean[b] (y - want)^2`",
    ),
    ("l1_loss", None, "`import std.loss { mae }`: `mae(y, want)` of each row, `mean[b] mae(y, want)` of all"),
    ("smooth_l1_loss", None, "`import std.loss { huber }`: `huber(y, want)` of each row, `mean[b] huber(y, want)` of all"),
    ("huber_loss", None, "`import std.loss { huber }`: `huber(y, want)` of each row, `mean[b] huber(y, want)` of all"),
    ("nll_loss", None, "`import std.math { cross_entropy }` takes logits: `mean[b] cross_entropy(logits, label)`"),
    ("cross_entropy_loss", None, "`import std.math { cross_entropy }`: `mean[b] cross_entropy(logits, label)`"),
    ("binary_cross_entropy_with_logits", None, "`import std.loss { bce_with_logits }`: `mean[b] bce_with_logits(logits, want)`"),
];

/// Parts that a tensor has elsewhere.
const PARTS: &[(&str, &str)] = &[
    ("shape", "an axis is known by its name: the dim, `b`, or the number in the type"),
    ("size", "an axis is known by its name: the dim, `b`, or the number in the type; `size(x)` counts all numbers"),
    ("ndim", "the axes of a value are those of its type"),
    ("dtype", "the type of a value is that of its declaration"),
    ("T", "a named axis needs no turning; sized ones are named first: `let y[i, j] = x[j, i]`"),
    ("mT", "a named axis needs no turning; sized ones are named first: `let y[i, j] = x[j, i]`"),
    ("view", "a size is split by indices: `let y[i < 2, j < 2] = x[(i, j)]`; `flatten(y)` joins them"),
    ("reshape", "a size is split by indices: `let y[i < 2, j < 2] = x[(i, j)]`; `flatten(y)` joins them"),
    ("permute", "a named axis needs no turning; sized ones are named first: `let y[i, j] = x[j, i]`"),
    ("transpose", "a named axis needs no turning; sized ones are named first: `let y[i, j] = x[j, i]`"),
    ("swapaxes", "a named axis needs no turning; sized ones are named first: `let y[i, j] = x[j, i]`"),
    ("unsqueeze", "axes meet by their names, and numbers with all of them: no axis of length 1 is needed"),
    ("squeeze", "an axis of length 1 goes with its place: `x[0]`"),
    ("expand", "axes meet by their names, and numbers with all of them: nothing is expanded"),
    ("repeat", "axes meet by their names, and numbers with all of them: nothing is repeated"),
    ("item", "a value without axes is a number already"),
    ("to", "where a model runs is said by `hnet run --backend`; types change by `number(n)` and `int(x)`"),
    ("cuda", "where a model runs is said by `hnet run --backend`"),
    ("cpu", "where a model runs is said by `hnet run --backend`"),
    ("numpy", "what shall be read outside is an `output`"),
    ("float", "a whole number becomes real by `number(n)`"),
    ("long", "a real number becomes whole by `int(x)`"),
    ("detach", "nothing flows through `stop_gradient(x)`"),
    ("backward", "gradients are values: `grad(loss, w)`; a `train` block takes the steps"),
    ("grad", "gradients are values: `grad(loss, w)`"),
    ("contiguous", "how values lie in memory is the compiler's matter"),
    ("matmul", "a product of matrices is written `x @ w`"),
    ("mm", "a product of matrices is written `x @ w`"),
    ("bmm", "a product of matrices is written `x @ w`; what varies over a batch says so by its axes"),
    ("dot", "a product is written `x @ y`"),
    ("pow", "a power is written `x ^ 2`"),
    ("square", "a square is written `x ^ 2`"),
    ("rsqrt", "it is written `1 / sqrt(x)`"),
    ("add", "operators stand between values: `x + y`"),
    ("sub", "operators stand between values: `x - y`"),
    ("mul", "operators stand between values: `x * y`"),
    ("div", "operators stand between values: `x / y`, of whole numbers `x div y`"),
    ("t", "a matrix of two sizes is turned round by `transpose(w)`; a named axis needs no turning"),
    ("std", "it is written out: `sqrt(mean[b] (x - mean[b] x)^2)`; PyTorch divides by one less than there are"),
    ("var", "it is written out: `mean[b] (x - mean[b] x)^2`; PyTorch divides by one less than there are"),
    ("numel", "`size(x)` counts all numbers"),
    ("clone", "a value never changes: it needs no copy"),
    ("masked_fill", "a choice is `if m { a } else { x }`; what is left out of a softmax is `softmax[t where not m[t]] s[t]`"),
    ("topk", "`top_k(x, 2)` gives `.value` and `.index`"),
    ("chunk", "a part is read by its range: `x[0..4]`, `x[4..8]`"),
    ("split", "a part is read by its range: `x[0..4]`, `x[4..8]`"),
    ("type", "types change by `number(n)` and `int(x)`"),
    ("int", "a real number becomes whole by `int(x)`"),
    ("bool", "a number becomes a truth value by comparing it: `x != 0`"),
    ("half", "values are `f32` while a model runs; `--f16` stores weights in half precision on a graphics card"),
];

/// Layers of elsewhere.
const NETS: &[(&str, &str)] = &[
    ("Sequential", "one net after the other is a call in a call, or a pipe: `x |> fc1 |> relu |> fc2`"),
    ("ModuleList", "equal nets are an array, `sub layer[4] = Linear(8, 8)`; unequal ones a family, `sub layer[l < 4] = ..`"),
    ("ReLU", "functions are no nets: `relu(x)`"),
    ("GELU", "functions are no nets: `import std.math { gelu }`, then `gelu(x)`"),
    ("SiLU", "functions are no nets: `import std.math { silu }`, then `silu(x)`"),
    ("Sigmoid", "functions are no nets: `sigmoid(x)`"),
    ("Tanh", "functions are no nets: `tanh(x)`"),
    ("Softmax", "functions are no nets: `softmax(x)`"),
    ("Dropout", "chance is drawn: `draw keep: [n] = bernoulli(p: 0.9)`, then `if training { x * keep / 0.9 } else { x }`"),
    ("LeakyReLU", "functions are no nets: `import std.math { leaky_relu }`, then `leaky_relu(x)`"),
    ("ELU", "functions are no nets: `import std.math { elu }`, then `elu(x)`"),
    ("Identity", "what does nothing needs no net: `x`"),
    ("Parameter", "a parameter is a line of the net or model: `param w: [4] = zeros()`"),
    (
        "GRU",
        "along an axis `t` it is `GruLayer(i, d)`, with `.y` at every step and the last state `.h`: `import std.recurrent { GruLayer }`; `Gru` is the cell \
         of one step",
    ),
    ("GRUCell", "the cell of one step is `Gru(i, d)`, called with the state first, `cell(h, x)`: `import std.recurrent { Gru }`"),
    (
        "LSTM",
        "along an axis `t` it is `Lstm(i, d)`, with `.y` at every step and the last `.m` and `.c`: `import std.recurrent { Lstm }`; `LstmCell` is the cell \
         of one step, `BiLstm` goes from both ends",
    ),
    ("RNN", "the cell of one step is `RnnCell(i, d)`, `import std.recurrent { RnnCell }`, and along an axis a `for` runs it"),
    (
        "TransformerEncoderLayer",
        "with the norms in front (`norm_first=True`) it is `Block(d, heads, h)`: `import std.transformer { Block }`; with the norms behind it is written \
         as a `net` of `Attention`, `LayerNorm` and `Mlp`",
    ),
    (
        "TransformerEncoder",
        "with the norms in front (`norm_first=True`) it is `Encoder(d, heads, h, depth)`: `import std.transformer { Encoder }`; there is none behind the last block",
    ),
    (
        "TransformerDecoderLayer",
        "with the norms in front (`norm_first=True`) it is `DecoderBlock(d, heads, h)`: `import std.transformer { DecoderBlock }`",
    ),
    (
        "MultiheadAttention",
        "attention of a sequence to itself is `Attention(d, heads)`, causal `CausalAttention(d, heads)`, to another `CrossAttention(d, c, heads)`, with \
         biases `MaskedAttention(d, heads, biased: true)`: `import std.attention { Attention }`",
    ),
    ("BatchNorm1d", "it is called `BatchNorm(c)`: `import std.norm { BatchNorm }`"),
    ("BatchNorm2d", "it is called `BatchNorm(c)`, of images with channels last: `import std.norm { BatchNorm }`"),
    ("Dense", "it is called `Linear(i, o)`: `import std.linear { Linear }`"),
    ("Flatten", "functions are no nets: `flatten(x)`"),
    ("MSELoss", "a loss is a line of the model: `loss fit = mean[b] mse(y, want)`, with `import std.loss { mse }`"),
    (
        "CrossEntropyLoss",
        "a loss is a line of the model: `loss nll = mean[b] cross_entropy(logits, label)`, with `import std.math { cross_entropy }`",
    ),
];

/// What arguments of layers are called elsewhere, and here.
const ARGUMENTS: &[(&str, &str)] = &[
    ("kernel_size", "k"),
    ("padding", "pad"),
    ("bias", "biased"),
    ("in_channels", "c"),
    ("out_channels", "o"),
    ("in_features", "i"),
    ("out_features", "o"),
    ("num_heads", "heads"),
    ("n_heads", "heads"),
    ("nhead", "heads"),
    ("embed_dim", "d"),
    ("d_model", "d"),
    ("num_embeddings", "n"),
    ("embedding_dim", "d"),
    ("normalized_shape", "d"),
];

/// What stands before functions elsewhere.
pub(super) const MODULES: &[&str] = &["torch", "nn", "F", "np", "numpy", "jnp", "jax", "math", "tf", "keras", "lax"];

/// A diagnostic with what is said of a word from elsewhere, if it is one.
pub(super) fn of_word(d: Diagnostic, word: &str, at: Span) -> Option<Diagnostic> {
    if let Some((_, here, says)) = WORDS.iter().find(|r| r.0 == word) {
        let known = here.filter(|w| matches!(*w, "true" | "false") || builtin::find(w).is_some());
        return Some(match known {
            Some(here) => d.fix(*says, at, here),
            None => d.help(*says),
        });
    }
    let drawn = builtin::distribution(word).is_some();
    drawn.then(|| d.fix("it is called: with parentheses, and arguments that have a name", Span { start: at.end, ..at }, "()"))
}

/// What is said of a layer from elsewhere.
pub(super) fn of_net(word: &str) -> Option<&'static str> {
    NETS.iter().find(|r| r.0 == word).map(|r| r.1)
}

/// What an argument of a layer from elsewhere is called here.
pub(super) fn of_argument(word: &str) -> Option<&'static str> {
    ARGUMENTS.iter().find(|r| r.0 == word).map(|r| r.1)
}

/// What is said of a part that a tensor has elsewhere.
pub(super) fn of_part(word: &str) -> Option<&'static str> {
    PARTS.iter().find(|r| r.0 == word).map(|r| r.1)
}
