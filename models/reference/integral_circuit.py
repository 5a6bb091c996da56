"""The expected values of ../integral_circuit.hnet (Gala et al. 2024): sums over the grid in the linear domain, each pixel's children one
after the other. The chances come from Bayes' rule: the likelihood with the pixel dark, beside that without a word about it."""

import os
import re

import numpy as np

from shelf import FOLDER, read, write

POINTS, PIXELS = 16, 64


def listed(name):
    """A list of numbers of the model: the tree is a part of it."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integral_circuit.hnet")
    body = re.search(rf"const {name} = \[([^\]]*)\]", open(path).read()).group(1)
    return [int(w) for w in body.split(",")]


def heads(p, z):
    """[.., i] to [.., n]: sines and cosines of doubling frequencies, coordinates fastest, one hidden layer."""
    angle = np.concatenate([np.pi * 2**k * z for k in range(3)], -1)
    h = np.tanh(np.concatenate([np.sin(angle), np.cos(angle)], -1) @ p["inner"].numpy() + p["shift"].numpy())
    return h @ p["head"].numpy() + p["bias"].numpy()


p, x = read("integral_circuit")
pixel, parent = listed("pixel"), listed("parent")
at = np.linspace(-1, 1, POINTS)
share = np.full(POINTS, 1.0)
share[[0, -1]] = 0.5
pairs = np.stack(np.meshgrid(at, at, indexing="ij"), -1)
step = np.exp(heads(p / "edge", pairs)).transpose(2, 0, 1) * share
step /= step.sum(-1, keepdims=True)
prior = np.exp(heads(p / "root", at[:, None])[:, 0]) * share
prior /= prior.sum()
ink = 1 / (1 + np.exp(-heads(p / "emit", at[:, None]).T))


def likelihood(says):
    """`says` is [pixels of the picture, 2]: what may be light, what may be dark."""

    def below(v):
        own = says[pixel[v], 0] * (1 - ink[v]) + says[pixel[v], 1] * ink[v]
        for child in range(1, PIXELS):
            if parent[child] == v:
                own = own * (step[child] @ below(child))
        return own

    return prior @ below(0)


fits, chance = [], []
for image, seen in zip(x["image"].reshape(-1, PIXELS).numpy(), x["seen"].reshape(-1, PIXELS).numpy()):
    dark = image > 0.5
    says = np.stack([(seen == 0) | ~dark, (seen == 0) | dark], -1).astype(float)
    whole = likelihood(says)
    fits.append(np.log(whole))
    for k in range(PIXELS):
        one = says.copy()
        one[k, 0] = 0
        chance.append(likelihood(one) / whole)

# Four pixels have no word about them: their sixteen pictures share what is known of the rest.
says = np.stack([~dark, dark], -1).astype(float)
says[:4] = 1
each = []
for n in range(16):
    one = says.copy()
    for k in range(4):
        one[k, 1 - (n >> k & 1)] = 0
    each.append(likelihood(one))
assert abs(sum(each) / likelihood(says) - 1) < 1e-12

fits = np.array(fits)
write(
    "integral_circuit",
    log_likelihood=fits,
    chance=np.array(chance).reshape(-1, 8, 8, 1),
    nll=-fits.mean() / PIXELS,
)
