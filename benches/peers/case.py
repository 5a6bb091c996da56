"""A case: a model of hnet's at certain sizes, its parameters and inputs, and the ways to compute the same in PyTorch."""
import dataclasses
import pathlib
import typing

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


TOLERANCE = 2e-3


def apart(got, want):
    """The largest difference, as a part of the largest value; NaN where one is NaN."""
    if got.shape != want.shape:
        return float("inf")
    return float(np.abs(got - want).max(initial=0) / (np.abs(want).max(initial=0) or 1))


@dataclasses.dataclass
class Way:
    """`run(p, x, state)` is what is timed; `prepare(p, x)` gives the state, once, where the model has a condition."""

    run: typing.Callable
    prepare: typing.Callable | None = None


@dataclasses.dataclass
class Case:
    model: str  # a file, from the root of the repository
    sizes: dict  # constants of the file that are replaced
    p: dict
    x: dict
    ways: dict  # by name; the name is empty where there is one
    want: np.ndarray | None = None  # what comes out, where something knows it that is none of the ways


class Draw:
    """Random arrays; each case begins with the same seed, so that it does not matter which others there are. `other` draws stand for what
    comes another time: inputs of the same sizes with other values."""

    def __init__(self, other=0):
        self.other = other
        self.rng = np.random.default_rng(7 + other)

    def normal(self, *shape, std=1.0):
        return (self.rng.standard_normal(shape) * std).astype(np.float32)

    def uniform(self, *shape):
        return self.rng.uniform(-1, 1, shape).astype(np.float32)

    def whole(self, below, *shape):
        return self.rng.integers(0, below, shape).astype(np.int32)

    def dense(self, p, name, i, o, std=None):
        p[f"{name}.w"] = self.normal(i, o, std=std or i ** -0.5)
        p[f"{name}.bias"] = self.normal(o, std=0.1)

    def swiglu(self, p, name, n, d, h):
        for w in ("w1", "w3"):
            p[f"{name}.{w}"] = self.normal(n, d, h, std=d ** -0.5)
        p[f"{name}.w2"] = self.normal(n, h, d, std=h ** -0.5)
