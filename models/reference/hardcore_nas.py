"""The expected values of ../hardcore_nas.hnet (Nayman et al. 2021): gradients by autograd, each linear program by SciPy, and what a net
takes as the mean over all architectures, one by one, which the bilinear form has to equal."""

import itertools

import numpy as np
import torch
from scipy.optimize import linprog
from torch.nn.functional import cross_entropy

from shelf import linear, read, write

S, K, C, ROUNDS = 2, 3, 3, 4
TIME = np.array([[[(1 + c) * (1 + 0.5 * s) + 0.25 * k for c in range(C)] for k in range(K)] for s in range(S)])


def forward(p, x, alpha, beta):
    h, ops = linear(p, x, "stem"), p.nets("op")
    for s in range(S):
        z, after = h, []
        for k in range(K):
            z = z + sum(alpha[s, k, c] * torch.tanh(linear(ops[(s * K + k) * C + c], z)) for c in range(C))
            after.append(z)
        h = sum(beta[s, k] * after[k] for k in range(K))
    return linear(p, h, "head")


def program(score, price, budget):
    """Rows are distributions, and all together stay within the budget."""
    rows, n = score.shape
    sums = np.kron(np.eye(rows), np.ones(n))
    found = linprog(score.flatten(), price.reshape(1, -1), [budget], sums, np.ones(rows), bounds=(0, 1))
    assert found.success
    return torch.tensor(found.x.reshape(rows, n))


def taken(alpha, beta):
    """The mean over all that may be drawn: an operation for each block, an end for each stage."""
    total = 0.0
    for s in range(S):
        for ops in itertools.product(range(C), repeat=K):
            chance = np.prod([alpha[s, k, c] for k, c in enumerate(ops)])
            for end in range(K):
                total += chance * beta[s, end] * sum(TIME[s, k, ops[k]] for k in range(end + 1))
    return total


p, x = read("hardcore_nas")
p = type(p)({k.replace("net1.", "", 1): v for k, v in p.items()})
budget = float(x["budget"])
alpha, beta = torch.zeros(S, K, C).double(), torch.full((S, K), 1 / K).double()
alpha[..., 0] = 1
took = []
for m in range(ROUNDS):
    alpha.requires_grad_(True), beta.requires_grad_(True)
    to_alpha, to_beta = torch.autograd.grad(cross_entropy(forward(p, x["x"], alpha, beta), x["label"]), [alpha, beta])
    alpha, beta, step = alpha.detach(), beta.detach(), 2 / (m // 2 + 3)
    if m % 2 == 0:
        later = beta.numpy()[:, ::-1].cumsum(1)[:, ::-1]
        to = program(to_alpha.reshape(S * K, C).numpy(), (TIME * later[:, :, None]).reshape(S * K, C), budget)
        alpha = (1 - step) * alpha + step * to.reshape(S, K, C)
    else:
        price = (alpha.numpy() * TIME).sum(-1).cumsum(-1)
        beta = (1 - step) * beta + step * program(to_beta.numpy(), price, budget)
    took.append(taken(alpha.numpy(), beta.numpy()))
    assert took[-1] <= budget + 1e-9
latencies = torch.tensor(took)
write("hardcore_nas", operations=alpha, depths=beta, latencies=latencies, logits=forward(p, x["x"], alpha, beta))
