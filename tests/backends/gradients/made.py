"""What the scripts share: numbers that belong to names, and files of gradients.

No value is stored: the test makes the same numbers of the same names (`words` in `gradients.rs`).
"""
import json
import pathlib

import numpy as np
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent
WHOLE, PLACES = 128, 96


def words(name, count):
    start = 0xCBF29CE484222325
    for byte in name.encode():
        start = (start ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(start) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def units(name, count):
    return (words(name, count) >> np.uint64(40)).astype(np.float64) / 2**24


class Values:
    """The inputs and the parameters of one model."""

    def __init__(self):
        self.how = {}
        self.params = {}
        self.inputs = {}

    def _made(self, path, how):
        self.how[path] = how
        count = int(np.prod(how["shape"]))
        if "is" in how:
            return np.full(how["shape"], how["is"])
        u = units(path, count).reshape(how["shape"])
        if "below" in how:
            return (u * how["below"]).astype(np.int64)
        return (how["centre"] + how["spread"] * (2 * u - 1)).astype(np.float32).astype(np.float64)

    def param(self, path, *shape, centre=0.0, spread=None):
        if spread is None:
            spread = 0.5 if len(shape) < 2 else 1.5 / float(np.sqrt(shape[-2]))
        self.params[path] = self._made(path, {"shape": list(shape), "centre": centre, "spread": spread})

    def linear(self, path, i, o, *array):
        self.param(path + ".w", *array, i, o)
        self.param(path + ".bias", *array, o)

    def mlp(self, path, i, h, o, *array):
        self.linear(path + ".fc1", i, h, *array)
        self.linear(path + ".fc2", h, o, *array)

    def norm(self, path, d, *array):
        self.param(path + ".gain", *array, d, centre=1.0, spread=0.3)
        self.param(path + ".bias", *array, d)

    def floats(self, path, *shape, centre=0.0, spread=1.5):
        self.inputs[path] = self._made(path, {"shape": list(shape), "centre": centre, "spread": spread})

    def wholes(self, path, below, *shape):
        self.inputs[path] = self._made(path, {"shape": list(shape), "below": below})

    def whole(self, path, number):
        self.inputs[path] = self._made(path, {"shape": [], "is": number})

    def save(self, name, sizes, loss, gradients):
        """Of gradients with more than WHOLE numbers only some places, and two sums of all."""
        out = {"loss": np.float64(loss)}
        assert gradients.keys() == self.params.keys()
        for path, g in gradients.items():
            g = np.asarray(g, np.float64)
            assert list(g.shape) == self.how[path]["shape"] and np.isfinite(g).all(), path
            g = g.reshape(-1)
            if g.size > WHOLE:
                at = (words("at " + path, PLACES) % np.uint64(g.size)).astype(np.int64)
                sums = [(g * (2 * units(f"weigh {k} {path}", g.size) - 1)).sum() for k in (0, 1)]
                largest = np.abs(g).max()
                g = np.concatenate([g[at], sums, [largest]])
            out["by " + path] = g
        out = {k: np.asarray(v, np.float32) for k, v in out.items()}
        about = {"values": json.dumps(self.how), "sizes": json.dumps(sizes)}
        save_file(out, HERE / f"{name}.safetensors", metadata=about)
        print(f"{name}: loss {loss:.6f}, {len(gradients)} gradients")
