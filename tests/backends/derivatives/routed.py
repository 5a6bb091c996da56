"""What `routed.hnet` must give, from JAX in f64: second and third derivatives through experts that are chosen, and who have seats.

JAX computes every expert for every example, and weighs them by one-hot rows: a slot without a seat has weight 0.

    pip install jax safetensors && python tests/backends/derivatives/routed.py
"""
import math
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import save_file

jax.config.update("jax_enable_x64", True)
HERE = pathlib.Path(__file__).parent
RNG = np.random.default_rng(5)
B, D, H, N = 9, 4, 5, 3


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


given = {"x": normal(B, D), "along": normal(B, D), "turn": normal(D, N), "push": normal(N, D, H)}
stored = {"gate": normal(D, N), "up": normal(N, D, H), "down": normal(N, H, D)}
X, ALONG, TURN, PUSH = (given[k].astype(np.float64) for k in ("x", "along", "turn", "push"))
P = {k: v.astype(np.float64) for k, v in stored.items()}


def picked(p, x):
    value, index = jax.lax.top_k(jax.nn.softmax(x @ p["gate"], axis=-1), 2)
    return value, jax.nn.one_hot(index, N)


def seats(hot, limit):
    """For each slot whether it has a seat: slot 0 of all examples first, in order, then slot 1."""
    order = hot.transpose(1, 0, 2).reshape(2 * B, N)
    before = jnp.cumsum(order, axis=0) - order
    return ((before * order).sum(1) < limit).reshape(2, B).T


def mixed(p, x, weight, hot):
    hidden = jnp.tanh(jnp.einsum("bi,eij->bej", x, p["up"]))
    return jnp.einsum("bej,eji,bs,bse->bi", hidden, p["down"], weight, hot)


def full(p, x):
    value, hot = picked(p, x)
    limit = math.ceil(0.5 * 2 * B / N)
    return mixed(p, x, value * seats(hot, limit), hot)


def fit(p, x):
    return ((full(p, x) - x) ** 2).sum(1).mean()


def easy(p, x):
    value, hot = picked(p, x)
    return (mixed(p, x, value / value.sum(1, keepdims=True), hot) ** 3).sum(1).mean()


def flat(g):
    return jnp.concatenate([jnp.concatenate([g["up"][e].reshape(-1), g["down"][e].reshape(-1)]) for e in range(N)])


def both(f):
    return jax.grad(f)(P, X), jax.grad(f, 1)(P, X)


on_gate, on_gate_x = both(lambda p, x: (jax.grad(fit)(p, x)["gate"] * TURN).sum())
on_x, on_x_x = both(lambda p, x: (jax.grad(fit, 1)(p, x) * ALONG).sum())
on_up, _ = both(lambda p, x: (jax.grad(fit)(p, x)["up"] * PUSH).sum())


def once(p, x):
    return (jax.grad(easy, 1)(p, x) * ALONG).sum()


third, third_x = both(lambda p, x: (jax.grad(once)(p, x)["gate"] * TURN).sum())
_, hot = picked(P, X)
assert not seats(hot, 2).all() and not seats(hot, math.ceil(B / N)).all(), "somebody has no seat"
# What an example makes of its slots hangs on the others by their seats alone, which have no derivative.
def own(b):
    return lambda row: (full(P, jnp.asarray(X).at[b].set(row))[b] ** 2).sum()


hessian = jnp.stack([jax.hessian(own(b))(X[b]) for b in range(B)])

expected = {
    "seats": seats(hot, 2).sum(),
    "by_x": jax.grad(fit, 1)(P, X),
    "gate_gate": on_gate["gate"],
    "gate_x": on_gate_x,
    "gate_all": flat(on_gate),
    "x_x": on_x_x,
    "x_gate": on_x["gate"],
    "x_all": flat(on_x),
    "up_gate": on_up["gate"],
    "up_all": flat(on_up),
    "third_x": third_x,
    "third_all": flat(third),
    "hessian": hessian,
}
save_file(given, HERE / "routed.inputs.safetensors")
params = {"gate": stored["gate"], "expert.up": stored["up"], "expert.down": stored["down"]}
save_file(params, HERE / "routed.params.safetensors")
save_file({k: np.asarray(v, np.float32) for k, v in expected.items()}, HERE / "routed.expected.safetensors")
