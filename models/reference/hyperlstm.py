"""The expected values of ../hyperlstm.hnet, in NumPy and by the paper's equations (Ha et al. 2017, HyperNetworks).

    python3 models/reference/hyperlstm.py

reads hyperlstm.{params,inputs}.safetensors and writes hyperlstm.expected.safetensors, computed in float64 and stored as float32.
In each step the small LSTM scales the *stored* weights of the main LSTM; nothing is carried from step to step but the two
states. No code of hnet is used.
"""

import json
import os

import numpy as np

BASE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "hyperlstm.")
TYPES = {"F32": np.float32, "I32": np.int32}
GATES = 4  # input, candidate, forget, output


def load(what):
    data = open(BASE + what + ".safetensors", "rb").read()
    start = 8 + int.from_bytes(data[:8], "little")
    out = {}
    for name, entry in json.loads(data[8:start]).items():
        if name != "__metadata__":
            a, b = entry["data_offsets"]
            out[name] = np.frombuffer(data[start + a : start + b], TYPES[entry["dtype"]]).reshape(entry["shape"])
    return out


def save(what, name, value):
    body = value.astype("<f4").tobytes()
    head = json.dumps({name: {"dtype": "F32", "shape": list(value.shape), "data_offsets": [0, len(body)]}}).encode()
    head += b" " * (-len(head) % 8)
    with open(BASE + what + ".safetensors", "wb") as file:
        file.write(len(head).to_bytes(8, "little") + head + body)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def layer_norm(x, p, path):
    mean = x.mean(-1, keepdims=True)
    spread = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(spread + 1e-5) * p[path + ".gain"] + p[path + ".bias"]


def rows(m, p, path):
    """For each gate a code, and from it a number for each unit: [batch, gate, unit]."""
    linear = lambda x, at: x @ p[at + ".w"] + p[at + ".bias"]
    one = lambda g: linear(linear(m, f"{path}.code.{g}"), f"{path}.write.{g}")
    return np.stack([one(g) for g in range(GATES)], 1)


def gates(x, w):
    return np.einsum("bj,gjk->bgk", x, w)


def logits(p, token):
    batch, length = token.shape
    x = p["vocab"][token]
    units, small = p["lstm.main.wh"].shape[-1], p["lstm.inner.wh"].shape[-1]
    h, c = np.zeros((batch, units)), np.zeros((batch, units))
    fast_h, fast_c = np.zeros((batch, small)), np.zeros((batch, small))
    out = []
    for t in range(length):
        seen = np.concatenate([h, x[:, t]], -1)
        a = gates(seen, p["lstm.inner.wx"]) + gates(fast_h, p["lstm.inner.wh"]) + p["lstm.inner.bias"]
        fast_c = sigmoid(a[:, 2]) * fast_c + sigmoid(a[:, 0]) * np.tanh(a[:, 1])
        fast_h = sigmoid(a[:, 3]) * np.tanh(fast_c)

        pre = (
            gates(h, p["lstm.main.wh"]) * rows(fast_h, p, "lstm.scale_h")
            + gates(x[:, t], p["lstm.main.wx"]) * rows(fast_h, p, "lstm.scale_x")
            + rows(fast_h, p, "lstm.shift")
        )
        n = [layer_norm(pre[:, g], p, f"lstm.main.norm.{g}") for g in range(GATES)]
        c = sigmoid(n[2]) * c + sigmoid(n[0]) * np.tanh(n[1])
        h = sigmoid(n[3]) * np.tanh(layer_norm(c, p, "lstm.main.out"))
        out.append(h @ p["head.w"] + p["head.bias"])
    return np.stack(out, 1)


if __name__ == "__main__":
    params = {name: value.astype(np.float64) for name, value in load("params").items()}
    save("expected", "logits", logits(params, load("inputs")["token"]))
