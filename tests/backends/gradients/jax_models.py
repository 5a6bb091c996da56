"""Gradients of shipped models from JAX in f64.

    pip install jax safetensors && python tests/backends/gradients/jax_models.py
"""
import math

import jax
import jax.numpy as jnp
from jax.scipy.special import erf, logsumexp
from made import Values

jax.config.update("jax_enable_x64", True)


def settle(name, sizes, values, loss):
    number, slopes = jax.value_and_grad(loss)({k: jnp.asarray(v) for k, v in values.params.items()}, values.inputs)
    values.save(name, sizes, number, slopes)


def linear(p, at, x):
    return x @ p[at + ".w"] + p[at + ".bias"]


def mlp(p, at, x):
    return linear(p, at + ".fc2", jax.nn.relu(linear(p, at + ".fc1", x)))


def norm(p, at, x):
    mean = x.mean(-1, keepdims=True)
    spread = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / jnp.sqrt(spread + 1e-5) * p[at + ".gain"] + p[at + ".bias"]


def cross_entropy(logits, label):
    return logsumexp(logits, axis=-1) - jnp.take_along_axis(logits, label[..., None], -1)[..., 0]


def cv2(v):
    mean = v.mean()
    return ((v - mean) ** 2).mean() / (mean**2 + 1e-10)


def cut(flat, *shapes):
    """A vector as weights, one after the other."""
    out = []
    for shape in shapes:
        n = math.prod(shape)
        out.append(flat[:n].reshape(shape))
        flat = flat[n:]
    assert flat.size == 0
    return out


def classifier(flat, x, i, h, o):
    w1, b1, w2, b2 = cut(flat, (i, h), (h,), (h, o), (o,))
    return jax.nn.relu(x @ w1 + b1) @ w2 + b2


# MAML (Finn et al. 2017): the outer loss through two inner steps.


def maml():
    v = Values()
    v.linear("net1.fc1", 1, 40)
    v.linear("net1.fc2", 40, 40)
    v.linear("net1.fc3", 40, 1)
    for name, n in [("sx", 5), ("sy", 5), ("qx", 10), ("qy", 10)]:
        v.floats(name, 3, n)

    def net(p, x):
        h = jax.nn.relu(linear(p, "net1.fc1", x[:, None]))
        return linear(p, "net1.fc3", jax.nn.relu(linear(p, "net1.fc2", h)))[:, 0]

    def one(p, sx, sy, qx, qy):
        for _ in range(2):
            g = jax.grad(lambda p: ((net(p, sx) - sy) ** 2).mean())(p)
            p = {k: p[k] - 0.02 * g[k] for k in p}
        return ((net(p, qx) - qy) ** 2).mean()

    def loss(p, x):
        return jax.vmap(one, (None, 0, 0, 0, 0))(p, x["sx"], x["sy"], x["qx"], x["qy"]).mean()

    settle("maml.0.0.0", {"e": 3}, v, loss)


# HyPINO (Bischof et al. 2025): the residual asks a generated net for its Laplacian.


def hypino():
    v = Values()
    v.linear("embed", 1, 32)
    v.param("place", 16, 16, 32, spread=0.5)
    v.norm("window.*.norm", 32, 2)
    for name in ["wq", "wk", "wv"]:
        v.param(f"window.*.attn.{name}", 2, 32, 4, 8, spread=0.25)
    v.param("window.*.attn.wo", 2, 4, 8, 32, spread=0.25)
    v.param("query", 3, 32)
    for name in ["wq", "wk", "wv"]:
        v.param(f"pool.{name}", 32, 4, 8, spread=0.25)
    v.param("pool.wo", 4, 8, 32, spread=0.25)
    v.norm("norm", 32)
    shapes = [[(16, 32), (32,)], [(32, 32), (32,)], [(32, 1), (1,)]]
    for k, layer in enumerate(shapes):
        v.linear(f"write{k + 1}.fc1", 32, 64)
        v.param(f"write{k + 1}.fc2.w", 64, sum(map(math.prod, layer)), spread=0.1)
        v.param(f"write{k + 1}.fc2.bias", sum(map(math.prod, layer)), spread=0.1)
    v.floats("source", 2, 16, 16)
    v.floats("at", 2, 3, 2, centre=0.5, spread=0.4)
    v.floats("f", 2, 3)
    v.floats("exact", 2, 3)
    v.whole("step", 100)

    def attend(q, k, v, wo):
        a = jax.nn.softmax(jnp.einsum("qhe,khe->hqk", q, k) / math.sqrt(8), axis=-1)
        return jnp.einsum("hqk,khe,hej->qj", a, v, wo)

    def heads(x, w):
        return jnp.einsum("ti,ihe->the", x, w)

    def window(p, w, x, shift):
        at = {k[len("window.*.") :]: p[k][w] for k in p if k.startswith("window.*.")}
        z = jnp.roll(norm(at, "norm", x), (-shift, -shift), (0, 1))
        tiles = z.reshape(4, 4, 4, 4, 32).transpose(0, 2, 1, 3, 4).reshape(16, 16, 32)
        mixed = jax.vmap(
            lambda t: attend(heads(t, at["attn.wq"]), heads(t, at["attn.wk"]), heads(t, at["attn.wv"]), at["attn.wo"])
        )(tiles)
        back = mixed.reshape(4, 4, 4, 4, 32).transpose(0, 2, 1, 3, 4).reshape(16, 16, 32)
        return x + jnp.roll(back, (shift, shift), (0, 1))

    def pinn(weights, at):
        (w1, b1), (w2, b2), (w3, b3) = weights
        wave = (2.0 ** jnp.arange(4)[:, None] * math.pi * at[None, :]).reshape(-1)
        y = jnp.tanh(jnp.concatenate([jnp.sin(wave), jnp.cos(wave)]) @ w1 + b1)
        y = (jnp.tanh(y @ w2 + b2) @ w3 + b3)[0]
        return y * at[0] * (1 - at[0]) * at[1] * (1 - at[1])

    def equation(p, source, at, f, exact):
        x = linear(p, "embed", source[..., None]) + p["place"]
        token = window(p, 1, window(p, 0, x, 0), 2).reshape(256, 32)
        query = heads(p["query"], p["pool.wq"])
        keys, values = heads(token, p["pool.wk"]), heads(token, p["pool.wv"])
        code = norm(p, "norm", attend(query, keys, values, p["pool.wo"]))
        weights = [cut(mlp(p, f"write{k + 1}", code[k]), *layer) for k, layer in enumerate(shapes)]
        u = jax.vmap(lambda at: pinn(weights, at))(at)
        laplacian = jax.vmap(lambda at: jnp.trace(jax.hessian(pinn, 1)(weights, at)))(at)
        return (u - exact) ** 2, (laplacian + f) ** 2

    def loss(p, x):
        fit, residual = jax.vmap(lambda *e: equation(p, *e))(x["source"], x["at"], x["f"], x["exact"])
        return fit.mean() + min(1.0, x["step"] / 200) * 1e-4 * residual.mean()

    settle("hypino.0.0.0", {"b": 2, "p": 3}, v, loss)


# The sparsely-gated mixture (Shazeer et al. 2017), with both losses; all experts are computed for all examples.


def sparse_moe():
    v = Values()
    v.param("moe.w_gate", 16, 8)
    v.param("moe.w_noise", 16, 8)
    v.param("moe.expert.*.up", 8, 16, 32)
    v.param("moe.expert.*.down", 8, 32, 16)
    v.floats("x", 12, 16)
    v.floats("want", 12, 16)
    v.floats("draw.0", 12, 8)

    def loss(p, x):
        clean = x["x"] @ p["moe.w_gate"]
        std = jax.nn.softplus(x["x"] @ p["moe.w_noise"])
        noisy = clean + x["draw.0"] * std
        top, index = jax.lax.top_k(noisy, 3)
        hot = jax.nn.one_hot(index[:, :2], 8)
        gate = jnp.einsum("bs,bse->be", jax.nn.softmax(top[:, :2], axis=-1), hot)
        bar = jnp.where(noisy > top[:, 2:3], top[:, 2:3], top[:, 1:2])
        chance = 0.5 * (1 + erf((clean - bar) / std / math.sqrt(2)))
        hidden = jax.nn.relu(jnp.einsum("bi,eih->beh", x["x"], p["moe.expert.*.up"]))
        y = jnp.einsum("beh,ehi,be->bi", hidden, p["moe.expert.*.down"], gate)
        mse = ((y - x["want"]) ** 2).sum(-1).mean()
        return mse + cv2(gate.sum(0)) + cv2(chance.sum(0))

    settle("sparse_moe.0.0.0", {"b": 12}, v, loss)


# DSelect-k (Hazimeh et al. 2021).


def dselect_k():
    v = Values()
    v.mlp("expert.*", 16, 16, 8, 8)
    v.param("gate.*.alpha", 4, 2)
    v.param("gate.*.z", 4, 2, 3, spread=0.6)
    v.linear("tower.*", 8, 1, 4)
    v.floats("x", 5, 16)
    v.floats("want", 5, 4)
    v.whole("step", 250)

    def step(t):
        return jnp.where(t <= -0.5, 0.0, jnp.where(t >= 0.5, 1.0, -2 * t**3 + 1.5 * t + 0.5))

    def gate(alpha, z):
        bits = (jnp.arange(8)[:, None] // 2 ** jnp.arange(3)) % 2
        s = step(z)[:, None, :]
        r = jnp.where(bits == 1, s, 1 - s).prod(-1)
        return jax.nn.softmax(alpha) @ r, -(r * jnp.log(r + 1e-9)).sum()

    def loss(p, x):
        q, entropy = jax.vmap(gate)(p["gate.*.alpha"], p["gate.*.z"])
        h = jax.nn.relu(jnp.einsum("bi,eij->bej", x["x"], p["expert.*.fc1.w"]) + p["expert.*.fc1.bias"])
        h = jnp.einsum("bei,eij->bej", h, p["expert.*.fc2.w"]) + p["expert.*.fc2.bias"]
        mixed = jnp.einsum("ke,bei->bki", q, h)
        score = jnp.einsum("bki,kij->bkj", mixed, p["tower.*.w"])[..., 0] + p["tower.*.bias"][:, 0]
        return ((score - x["want"]) ** 2).mean() + 0.1 * min(1.0, x["step"] / 500) * entropy.mean()

    settle("dselect_k.0.0.0", {"b": 5}, v, loss)


# Pareto fronts: a hypernetwork (Navon et al. 2021), low-rank adapters (Dimitriadis et al. 2024).


def two_targets(v):
    v.floats("x", 6, 16)
    v.floats("first", 6)
    v.floats("second", 6)


def pareto():
    v = Values()
    v.linear("hyper.trunk", 2, 64)
    v.linear("hyper.head", 64, 577)
    two_targets(v)
    v.floats("prefer", centre=0.5, spread=0.5)

    def loss(p, x):
        prefer = jnp.asarray(x["prefer"])
        flat = linear(p, "hyper.head", jax.nn.relu(linear(p, "hyper.trunk", jnp.stack([prefer, 1 - prefer]))))
        y = classifier(flat, x["x"], 16, 32, 1)[:, 0]
        return prefer * ((y - x["first"]) ** 2).mean() + (1 - prefer) * ((y - x["second"]) ** 2).mean()

    settle("pareto.0.0.0", {"b": 6}, v, loss)


def palora():
    v = Values()
    v.mlp("base", 16, 64, 2)
    for k, (i, o) in enumerate([(16, 64), (64, 2)]):
        v.param(f"lora.{k}.down", 2, i, 4)
        v.param(f"lora.{k}.up", 2, 4, o)
    two_targets(v)
    v.floats("lam", 3, 2, centre=0.5, spread=0.5)

    def net(p, lam, x):
        w = [
            p[f"base.fc{k + 1}.w"] + 2 * jnp.einsum("k,kir,kro->io", lam, p[f"lora.{k}.down"], p[f"lora.{k}.up"])
            for k in (0, 1)
        ]
        return jax.nn.relu(x @ w[0] + p["base.fc1.bias"]) @ w[1] + p["base.fc2.bias"]

    def mixed(p, lam, x):
        y = net(p, lam, x["x"])
        return lam[0] * ((y[:, 0] - x["first"]) ** 2).mean() + lam[1] * ((y[:, 1] - x["second"]) ** 2).mean()

    settle("palora.1.0.0", {"b": 6, "m": 3}, v, lambda p, x: jax.vmap(lambda lam: mixed(p, lam, x))(x["lam"]).mean())


# Magnitude invariant parametrizations (Ortiz et al. 2023): what is written is added, and the penalty sees the sum.


def magnitude_invariant():
    v = Values()
    v.linear("hyper.trunk", 2, 64)
    v.linear("hyper.head", 64, 2410)
    v.mlp("target", 64, 32, 10)
    v.floats("gamma", centre=0.5, spread=0.5)
    v.floats("x", 6, 64)
    v.wholes("label", 10, 6)

    def loss(p, x):
        gamma = x["gamma"]
        code = jnp.array([jnp.cos(gamma * jnp.pi / 2), jnp.sin(gamma * jnp.pi / 2)])
        written = linear(p, "hyper.head", jax.nn.relu(linear(p, "hyper.trunk", code)))
        own = [p[f"target.{k}"] for k in ("fc1.w", "fc1.bias", "fc2.w", "fc2.bias")]
        flat = jnp.concatenate([w.reshape(-1) for w in own]) + written
        nll = cross_entropy(classifier(flat, x["x"], 64, 32, 10), x["label"]).mean()
        return (1 - gamma) * nll + gamma * 1e-3 * (flat**2).sum()

    settle("magnitude_invariant.0.0.0", {"b": 6}, v, loss)


# Continual learning with hypernetworks (von Oswald et al. 2020): the penalty looks a step ahead, through no second derivative.


def continual():
    v = Values()
    for net in ["hyper", "old"]:
        v.param(f"{net}.task_code", 5, 16)
        v.param(f"{net}.piece_code", 17, 8)
        v.linear(f"{net}.write.trunk", 24, 64)
        v.linear(f"{net}.write.head", 64, 128)
    v.whole("task", 3)
    v.floats("x", 5, 64)
    v.wholes("label", 2, 5)

    def write(p, at, task):
        code = jnp.concatenate([jnp.broadcast_to(p[at + ".task_code"][task], (17, 16)), p[at + ".piece_code"]], axis=1)
        return linear(p, at + ".write.head", jax.nn.relu(linear(p, at + ".write.trunk", code))).reshape(-1)

    def nll(p, x):
        flat = write(p, "hyper", x["task"])[: 64 * 32 + 32 + 32 * 2 + 2]
        return cross_entropy(classifier(flat, x["x"], 64, 32, 2), x["label"]).mean()

    def loss(p, x):
        ahead = jax.tree.map(lambda w, g: w - 0.01 * jax.lax.stop_gradient(g), p, jax.grad(nll)(p, x))
        drift = sum(((write(ahead, "hyper", t) - write(p, "old", t)) ** 2).sum() for t in range(x["task"]))
        return nll(p, x) + 0.1 * drift / max(x["task"], 1)

    settle("continual.0.0.0", {"b": 5}, v, loss)


for case in [maml, hypino, sparse_moe, dselect_k, pareto, palora, magnitude_invariant, continual]:
    case()
