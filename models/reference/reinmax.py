"""The expected values of ../reinmax.hnet, in PyTorch, from the formulas of the paper (Liu et al. 2023): every outcome is enumerated and
the softmax's Jacobians are written out; nothing is derived but the exact expectation.

    python3 models/reference/reinmax.py
"""

import os

import torch
from safetensors.torch import load_file, save_file

BASE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reinmax.")
load = lambda what: {k: v.double() for k, v in load_file(BASE + what + ".safetensors").items()}
params, theta = load("params"), load("inputs")["theta"].requires_grad_()
square, slope = params["f.square"], params["f.slope"]
f = lambda d: d @ square @ d + slope @ d
df = lambda d: (square + square.T) @ d + slope
jacobian = lambda p: torch.diag(p) - torch.outer(p, p)

truth = sum(sum(p[c] * f(torch.eye(3, dtype=p.dtype)[c]) for c in range(3)) for p in theta.softmax(-1))
exact = torch.autograd.grad(truth, theta)[0]
heun, straight = torch.zeros_like(exact), torch.zeros_like(exact)
for row, p in enumerate(theta.detach().softmax(-1)):
    for c in range(3):
        d = torch.eye(3, dtype=p.dtype)[c]
        straight[row] += p[c] * jacobian(p).T @ df(d)
        heun[row] += p[c] * (2 * jacobian((p + d) / 2).T @ df(d) - 0.5 * jacobian(p).T @ df(d))
assert (heun - exact).abs().max() < 1e-12
expected = {"exact": exact, "heun": heun, "straight": straight, "straight_off": (straight - exact).norm(dim=-1)}
save_file({k: v.float().contiguous() for k, v in expected.items()}, BASE + "expected.safetensors")
