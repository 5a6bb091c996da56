"""The expected values of ../monotone_sort.hnet, in PyTorch, comparator by comparator as the paper writes them (Petersen et al. 2022,
Monotonic Differentiable Sorting Networks): min = a f(b - a) + b f(a - b), max = a f(a - b) + b f(b - a).

    python3 models/reference/monotone_sort.py
"""

import math
import os

import torch
from safetensors.torch import load_file, save_file

BASE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "monotone_sort.")
BETA, N = 2.0, 8

logistic = lambda x: torch.sigmoid(BETA * x)
cauchy = lambda x: torch.atan(BETA * x) / math.pi + 0.5
reciprocal = lambda x: 0.5 * 2 * BETA * x / (1 + 2 * BETA * x.abs()) + 0.5


def optimal(x):
    x = BETA * x
    far = 1 / (16 * x.abs().clamp(min=0.25))
    return torch.where(x < -0.25, far, torch.where(x > 0.25, 1 - far, x + 0.5))


def odd_even(n):
    return [[(i, i + 1) for i in range(layer % 2, n - 1, 2)] for layer in range(n)]


def bitonic(n):
    """Blocks of size 2, 4, .. are sorted up and down in turn, each by halving the distance."""
    layers, size = [], 2
    while size <= n:
        gap = size // 2
        while gap:
            pairs = [(i, i ^ gap) for i in range(n) if i < i ^ gap]
            layers.append([(i, j) if (i & size) == 0 else (j, i) for i, j in pairs])
            gap //= 2
        size *= 2
    return layers


def sort(x, layers, f):
    y, order = list(x), list(torch.eye(N, dtype=x.dtype))
    for pairs in layers:
        for low, high in pairs:
            a, b = y[low], y[high]
            p, q = order[low], order[high]
            y[low], y[high] = a * f(b - a) + b * f(a - b), a * f(a - b) + b * f(b - a)
            order[low], order[high] = p * f(b - a) + q * f(a - b), p * f(a - b) + q * f(b - a)
    return torch.stack(y), torch.stack(order)


x = load_file(BASE + "inputs.safetensors")["x"].double()
slope = lambda f: torch.stack([torch.autograd.functional.jacobian(lambda v: sort(v, bitonic(N), f)[0], row).min() for row in x])
both = [sort(row, bitonic(N), cauchy) for row in x]
order = torch.stack([o for _, o in both])
truth = torch.argsort(x)
expected = {
    "sorted": torch.stack([y for y, _ in both]),
    "order": order,
    "reciprocal_order": torch.stack([sort(row, odd_even(N), reciprocal)[1] for row in x]),
    "optimal_order": torch.stack([sort(row, odd_even(N), optimal)[1] for row in x]),
    "least_slope": slope(cauchy),
    "logistic_slope": slope(logistic),
    "astray": torch.stack([(y - row.sort().values).abs().max() for (y, _), row in zip(both, x)]),
    "nll": -order.gather(2, truth[:, :, None]).log().mean(),
}
assert expected["least_slope"].min() >= 0 > expected["logistic_slope"].max()
save_file({k: v.float().contiguous() for k, v in expected.items()}, BASE + "expected.safetensors")
