"""Choices and orders with a derivative: PyTorch, its derivatives, and SciPy's roots."""
import torch
from scipy.optimize import brentq

from common import Case

c = Case("relax")
x = c.input("x", 2, 6).requires_grad_()
noise = c.given("noise", -torch.log(-torch.log(torch.tensor(c.rng.random((2, 6))))))
score = c.input("score", 2, 4, 5)


def slope(y):
    return torch.autograd.grad(y.sum(), x)[0]


soft = ((x + noise) / 0.5).softmax(-1)
c.expect("soft_y", soft)
hard = torch.nn.functional.one_hot(soft.argmax(-1), 6).double()
c.expect("hard_y", hard)
c.expect("hard_slope", slope((soft + (hard - soft).detach()) * torch.arange(1, 7)))
c.expect("step_y", (x > 0).double())
c.expect("step_slope", (x.abs() <= 1).double())
c.expect("round_y", (3 * x).round())
c.expect("round_slope", torch.full((2, 6), 3.0))
down = x.sort(-1, descending=True).values
c.expect("sort_y", (-(down[:, :, None] - x[:, None]).abs() / 0.4).softmax(-1))
apart = (x[:, :, None] - x[:, None]).abs().sum(-1)
rank = 7 - 2 * torch.arange(1, 7).double()
c.expect("neural_y", ((rank[None, :, None] * x[:, None] - apart[:, None]) / 0.4).softmax(-1))


def top(row):
    f = lambda bar: float(torch.sigmoid((row - bar) / 0.3).sum() - 3)
    return torch.sigmoid((row - brentq(f, -50, 50, xtol=1e-14)) / 0.3)


def weighed(row):
    return (torch.arange(1, 7) * top(row) ** 2).sum()


plain = x.detach()
c.expect("three_y", torch.stack([top(r) for r in plain]))
h = 1e-6
c.expect("three_slope", torch.stack([torch.stack([(weighed(r + h * e) - weighed(r - h * e)) / (2 * h) for e in torch.eye(6)]) for r in plain]))


def sinkhorn(s, rounds):
    p = torch.exp(s)
    for _ in range(rounds):
        p = p / p.sum(-1, keepdim=True) / p.shape[-2]
        p = p / p.sum(-2, keepdim=True) / p.shape[-1]
    return p


c.expect("plan", sinkhorn(score / 0.5, 50))
c.expect("log_plan", sinkhorn(score / 0.05, 3).log())
c.save()
