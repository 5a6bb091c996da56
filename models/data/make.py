"""Makes the data of the models that learn: `python3 models/data/make.py`, with NumPy alone. Seeds are fixed, so the files are the
same each time. The digits (`digits5_*`) are not made here; `digits_*` are cut out of them.
"""

import json
import os

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
TYPES = {"float32": "F32", "int32": "I32"}


def load(name):
    data = open(os.path.join(HERE, name + ".safetensors"), "rb").read()
    start = 8 + int.from_bytes(data[:8], "little")
    out = {}
    for key, entry in json.loads(data[8:start]).items():
        a, b = entry["data_offsets"]
        dtype = {v: k for k, v in TYPES.items()}[entry["dtype"]]
        out[key] = np.frombuffer(data[start + a : start + b], dtype).reshape(entry["shape"])
    return out


def save(name, **columns):
    """Real numbers in f32, whole ones in i32."""
    head, parts, at = {}, [], 0
    for key, value in columns.items():
        value = np.ascontiguousarray(value, np.int32 if np.issubdtype(value.dtype, np.integer) else np.float32)
        end = at + value.nbytes
        head[key] = {"dtype": TYPES[value.dtype.name], "shape": list(value.shape), "data_offsets": [at, end]}
        parts.append(value.tobytes())
        at = end
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(HERE, name + ".safetensors"), "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text + b"".join(parts))


def in_two(name, rows, **columns):
    """The first rows learn, the others measure."""
    save(name + "_train", **{k: v[:rows] for k, v in columns.items()})
    save(name + "_test", **{k: v[rows:] for k, v in columns.items()})


def digits():
    """The first task has its pixels in order. As images; and few of them, with others to choose hyperparameters by."""
    train, test = load("digits5_train"), load("digits5_test")
    own, other = train["task"] == 0, test["task"] == 0
    image = train["x"][own].reshape(-1, 8, 8, 1)
    save("digits_train", image=image, label=train["label"][own])
    save("digits_test", image=test["x"][other].reshape(-1, 8, 8, 1), label=test["label"][other])
    # A tenth of the labels is wrong, so that a net without a penalty learns what it should not.
    rng = np.random.default_rng(1)
    x, label = train["x"][own][:600], train["label"][own][:600].copy()
    wrong = rng.random(200) < 0.1
    label[:200][wrong] = rng.integers(0, 10, wrong.sum())
    save("digits_few", x=x[:200], label=label[:200])
    save("digits_held", x=x[200:], label=label[200:])


def split():
    """Five tasks of two digits each, in the order of the pixels that all share: is it the second of the two?"""
    for part in ("train", "test"):
        all_of = load("digits5_" + part)
        own = all_of["task"] == 0
        label = all_of["label"][own]
        save("digits_split_" + part, x=all_of["x"][own], label=label % 2, task=label // 2)


def clusters():
    """Four clouds of points; each has a linear map of its own."""
    rng = np.random.default_rng(2)
    centre = rng.normal(size=(4, 16)) * 1.5
    turn = rng.normal(size=(4, 16, 16)) / 4
    k = rng.integers(0, 4, 2560)
    x = centre[k] + 0.5 * rng.normal(size=(2560, 16))
    in_two("clusters", 2048, x=x, want=np.einsum("bi,bij->bj", x, turn[k]))


def domains():
    """Sequences of one of four domains; the sign of a direction that only this domain asks about gives two labels in each pair."""
    rng = np.random.default_rng(3)
    n, t = 1536, 6
    mark, ask = rng.normal(size=(4, 16)), rng.normal(size=(4, 16))
    k = rng.integers(0, 4, n)
    x = 0.7 * rng.normal(size=(n, t, 16)) + mark[k][:, None]
    side = np.einsum("nd,nd->n", x.mean(1) - mark[k], ask[k]) > 0
    in_two("domains", 1024, x=x, label=2 * (k % 2) + side)


def planted():
    """Four tasks, two of them on each of two hidden features."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(2560, 16))
    hidden = np.tanh(x @ rng.normal(size=(2, 16, 4)) / 2)  # two features of four numbers
    weight = rng.normal(size=(4, 4))
    want = np.stack([hidden[k // 2] @ weight[k] for k in range(4)], 1)
    in_two("planted", 2048, x=x, want=want + 0.02 * rng.normal(size=want.shape))


def two_targets():
    """Two targets of which a small net can have one or the other: they share their inputs and pull apart."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(2560, 16))
    a, b = rng.normal(size=(2, 16))
    first = np.sin(x @ a / 3)
    second = np.cos(x @ b / 3) + 0.5 * first
    in_two("two_targets", 2048, x=x, first=first, second=second)


def poisson():
    """Manufactured solutions of -laplace(u) = f on the unit square: sums of sines that vanish at its edge."""
    rng = np.random.default_rng(6)
    n, p, modes = 576, 16, 2
    c = rng.normal(size=(n, modes, modes)) / (1 + np.add.outer(np.arange(modes), np.arange(modes)))
    k = np.arange(1, modes + 1) * np.pi
    factor = np.add.outer(k**2, k**2)

    def at(x, y, c):
        return np.einsum("n...i,n...j,nij->n...", np.sin(k * x[..., None]), np.sin(k * y[..., None]), c)

    line = (np.arange(16) + 0.5) / 16
    gx, gy = np.broadcast_to(np.meshgrid(line, line, indexing="ij"), (n, 2, 16, 16)).transpose(1, 0, 2, 3)
    place = rng.random((n, p, 2))
    f, exact = at(place[..., 0], place[..., 1], c * factor), at(place[..., 0], place[..., 1], c)
    in_two("poisson", 512, source=at(gx, gy, c * factor) / 30, at=place, f=f, exact=exact)


def waves():
    """Sines of many heights and places: five points to learn from, ten to be asked for."""
    rng = np.random.default_rng(7)
    n = 1200
    height, shift = rng.uniform(0.5, 2, (n, 1)), rng.uniform(0, np.pi, (n, 1))
    sx, qx = rng.uniform(-3, 3, (n, 5)), rng.uniform(-3, 3, (n, 10))
    in_two("waves", 1000, sx=sx, sy=height * np.sin(sx + shift), qx=qx, qy=height * np.sin(qx + shift))


def ring():
    """Points about eight places on a circle, each with its number."""
    rng = np.random.default_rng(8)
    kind = rng.integers(0, 8, 4096)
    angle = kind * np.pi / 4
    real = np.stack([np.cos(angle), np.sin(angle)], 1) + 0.05 * rng.normal(size=(4096, 2))
    save("ring", real=real, kind=kind)


def zoo():
    """Weights of small nets that draw a wave, each fitted from one start, so that their units correspond."""
    rng = np.random.default_rng(9)
    n, h = 512, 8
    x = np.linspace(-1, 1, 33)[:, None]
    shape = rng.uniform(0, 1, (n, 2))
    want = (0.5 + shape[:, :1]) * np.sin(3 * x[:, 0] + 2 * shape[:, 1:])
    start = np.random.default_rng(10)
    w1, b1 = 2 * start.normal(size=(1, h)), start.normal(size=h)
    theta = [np.repeat(a[None], n, 0) for a in (w1, b1, start.normal(size=(h, 1)) / 3, np.zeros(1))]
    m, v = [np.zeros_like(a) for a in theta], [np.zeros_like(a) for a in theta]
    for step in range(1, 1501):
        hidden = np.tanh(x[None] * theta[0] + theta[1][:, None])
        error = (hidden @ theta[2] + theta[3][:, None])[..., 0] - want
        back = error[..., None] * theta[2][:, None, :, 0] * (1 - hidden**2) * 2 / len(x)
        slope = [
            (back * x[None]).sum(1)[:, None],
            back.sum(1),
            (error[..., None] * hidden).sum(1)[..., None] * 2 / len(x),
            error.sum(1)[:, None] * 2 / len(x),
        ]
        for k, g in enumerate(slope):
            m[k] = 0.9 * m[k] + 0.1 * g
            v[k] = 0.99 * v[k] + 0.01 * g * g
            theta[k] = theta[k] - 0.01 * (m[k] / (1 - 0.9**step)) / (np.sqrt(v[k] / (1 - 0.99**step)) + 1e-8)
    flat = np.concatenate([a.reshape(n, -1) for a in theta], 1)
    in_two("zoo", 448, zoo=flat, shape=shape)


def chars():
    """Letters of sentences of a small grammar, cut into rows: 64 kinds of letters, most of them unused."""
    rng = np.random.default_rng(11)
    words = [["the", "a", "one"], ["small", "old", "red", "quiet"], ["net", "code", "task", "gate"]]
    words += [["writes", "reads", "scales", "blends"], ["the", "each"], ["weight", "layer", "expert", "token"]]
    text = ""
    while len(text) < 320 * 32:
        text += " ".join(rng.choice(w) for w in words) + ". "
    codes = np.array([min(ord(c) - 32, 63) if c < "a" else ord(c) - 97 + 33 for c in text[: 320 * 32]])
    in_two("chars", 256, token=codes.reshape(320, 32))


if __name__ == "__main__":
    for make in (digits, split, clusters, domains, planted, two_targets, poisson, waves, ring, zoo, chars):
        make()
        print(make.__name__)
