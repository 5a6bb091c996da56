"""The expected values of ../neural_ode.hnet, from SciPy and PyTorch (Chen et al. 2018): the matrix's exponential, an integrator of high
order, and derivatives through an unrolled solver of many small steps in place of the adjoint.

    python3 models/reference/neural_ode.py
"""

import math
import os

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from scipy.integrate import solve_ivp
from scipy.linalg import expm

BASE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "neural_ode.")
load = lambda what: {k: v.double() for k, v in load_file(BASE + what + ".safetensors").items()}
p, x = load("params"), load("inputs")["x"]
WEIGHTS = ["field.fc1.w", "field.fc1.bias", "field.fc2.w", "field.fc2.bias"]
UNITS = 4


def mlp(v, w1, b1, w2, b2):
    return torch.relu(v @ w1 + b1) @ w2 + b2


def field(z, t, weights):
    w1, b1, w2, b2 = weights
    return torch.tanh(torch.cat([z, torch.tensor([t], dtype=z.dtype)]) @ w1 + b1) @ w2 + b2


def planar(z, t):
    name = "planar.write."
    row = mlp(torch.tensor([t], dtype=z.dtype), p[name + "fc1.w"], p[name + "fc1.bias"], p[name + "fc2.w"], p[name + "fc2.bias"])
    u, w, gate, shift = row.reshape(UNITS, 6).split([2, 2, 1, 1], dim=1)
    return (torch.sigmoid(gate[:, 0]) * torch.tanh(w @ z + shift[:, 0])) @ u


def exactly(f, start, begin, end):
    at = solve_ivp(lambda t, s: f(torch.tensor(s), t).numpy(), (begin, end), start.numpy(), "DOP853", rtol=1e-11, atol=1e-12)
    return torch.tensor(at.y[:, -1])


def unrolled(z, weights, steps=400):
    h = 1 / steps
    for k in range(steps):
        t = k * h
        k1 = field(z, t, weights)
        k2 = field(z + h / 2 * k1, t + h / 2, weights)
        k3 = field(z + h / 2 * k2, t + h / 2, weights)
        k4 = field(z + h * k3, t + h, weights)
        z = z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return z


def with_density(s, t):
    jacobian = torch.autograd.functional.jacobian(lambda z: planar(z, t), s[:2])
    return torch.cat([planar(s[:2], t), -torch.trace(jacobian)[None]]).detach()


def careful(z, tolerance=1e-5):
    """Bogacki and Shampine's pair, with the controller of the model."""
    f = lambda z, t: field(z, t, weights)
    t, h = 0.0, 0.1
    while t < 1:
        step = min(h, 1 - t)
        k1 = f(z, t)
        k2 = f(z + step * k1 / 2, t + step / 2)
        k3 = f(z + step * 3 * k2 / 4, t + step * 3 / 4)
        third = z + step * (2 / 9 * k1 + 1 / 3 * k2 + 4 / 9 * k3)
        k4 = f(third, t + step)
        second = z + step * (7 / 24 * k1 + 1 / 4 * k2 + 1 / 3 * k3 + 1 / 8 * k4)
        off = float((second - third).norm() / (tolerance * (1 + z.norm())))
        if off <= 1:
            z, t = third, t + step
        h = step * float(np.clip(0.9 * (off + 1e-10) ** (-1 / 3), 0.2, 5))
    return z


weights = [p[w] for w in WEIGHTS]
slope, weight_slope = [], []
for row in x:
    own = [w.clone().requires_grad_() for w in [row, *weights]]
    by = torch.autograd.grad((unrolled(own[0], own[1:]) ** 2).sum(), own)
    slope.append(by[0])
    weight_slope.append(torch.cat([g.flatten() for g in by[1:]]))
flown = torch.stack([exactly(with_density, torch.cat([row, row.new_zeros(1)]), 1, 0) for row in x])
code = flown[:, :2]
density = -flown[:, 2] - math.log(2 * math.pi) - (code**2).sum(1) / 2
state = torch.stack([exactly(lambda z, t: field(z, t, weights), row, 0, 1) for row in x])
adaptive = torch.stack([careful(row) for row in x])
assert (adaptive - state).abs().max() < 1e-3
expected = {
    "linear": x @ torch.tensor(expm(p["rotation.by.w"].numpy())),
    "state": state,
    "adaptive": adaptive,
    "slope": torch.stack(slope),
    "weight_slope": torch.stack(weight_slope),
    "code": code,
    "log_density": density,
    "nll": -density.mean(),
}
save_file({k: v.float().contiguous() for k, v in expected.items()}, BASE + "expected.safetensors")
