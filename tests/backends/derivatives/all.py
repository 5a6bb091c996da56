"""What `all.hnet` must give, from JAX in f64: writes `all.inputs`, `all.params` and `all.expected`.

    pip install jax safetensors && python tests/backends/derivatives/all.py
"""
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import save_file

jax.config.update("jax_enable_x64", True)
HERE = pathlib.Path(__file__).parent
RNG = np.random.default_rng(1)

x = RNG.normal(size=(4, 3)).astype(np.float32)
x[1] = 0  # a row without a length
s = RNG.normal(size=(4, 6, 2)).astype(np.float32)
z = np.array(1.3, np.float32)
w = RNG.normal(size=(3, 3)).astype(np.float32)
X, S, W = (a.astype(np.float64) for a in (x, s, w))


def hidden(w, x):
    return jnp.tanh(w @ x)


def fit(w, x):
    return jnp.sum(hidden(w, x)) ** 2


def mean_fit(w):
    return jnp.mean(jax.vmap(lambda x: fit(w, x))(X))


def recurrence(s):
    def step(h, x):
        h = jnp.tanh(0.9 * h + x)
        return h, h

    return jax.lax.scan(step, jnp.zeros(2), s)[1]


length = np.linalg.norm(X, axis=1, keepdims=True)
expected = {
    "jacobian": jax.vmap(jax.jacobian(lambda x: hidden(W, x)))(X),
    "per": jax.vmap(lambda x: jax.grad(fit)(W, x))(X),
    "total": jax.grad(mean_fit)(W),
    "hess": jax.grad(lambda w: jnp.sum(jax.grad(mean_fit)(w) ** 2))(W),
    "second": jax.grad(jax.grad(lambda z: jnp.sin(z) * z**2))(float(z)),
    # JAX says NaN where there is no length; here it is 0.
    "n": np.divide(X, length, out=np.zeros_like(X), where=length > 0),
    "seq": jax.vmap(jax.grad(lambda s: jnp.sum(recurrence(s) ** 2)))(S),
    "lse": jax.vmap(jax.grad(jax.nn.logsumexp))(X),
    "sm": jax.vmap(jax.grad(lambda x: jnp.sum(jax.nn.softmax(x) ** 2)))(X),
    "stop": X,
    "sur": 2 * X,
}
save_file({"x": x, "s": s, "z": z}, HERE / "all.inputs.safetensors")
save_file({"w": w}, HERE / "all.params.safetensors")
save_file({k: np.asarray(v, np.float32) for k, v in expected.items()}, HERE / "all.expected.safetensors")
