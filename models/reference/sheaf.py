"""The expected values of ../sheaf.hnet (Purificato et al. 2023): the whole normalised sheaf Laplacian as one matrix, block by block."""

import torch
from torch.nn.functional import elu, logsigmoid

from shelf import mlp, read, write

USERS, STALK = 12, 2


def laplacian(p, x, link):
    """[n * stalk, n * stalk], with D^-1/2 on both sides: blocks of the coboundary, an edge with its two ends in each row."""
    n = len(link)
    at = {}
    for v in range(n):
        for u in range(n):
            a = mlp(p, torch.cat([x[v].flatten(), x[u].flatten()]), "turn")[0]
            c, s = torch.cos(a), torch.sin(a)
            at[v, u] = torch.stack([torch.stack([c, -s]), torch.stack([s, c])])
    edges = [(v, u) for v in range(n) for u in range(v) if link[v, u] > 0]
    delta = torch.zeros(len(edges), STALK, n, STALK).double()
    for e, (v, u) in enumerate(edges):
        delta[e, :, v] = at[v, u]
        delta[e, :, u] = -at[u, v]
    delta = delta.reshape(len(edges) * STALK, n * STALK)
    degree = link.sum(1).repeat_interleave(STALK)
    root = torch.where(degree > 0, degree.clamp(min=1e-30) ** -0.5, 0.0)
    return delta * root


def step(p, x, link):
    delta = laplacian(p, x, link)
    turned = torch.einsum("ij,nje,ec->nic", p["within"], x, p["across"]).reshape(delta.shape[1], -1)
    apart = delta @ turned
    return x - elu((delta.T @ apart).reshape(x.shape)), (apart**2).sum()


p, given = read("sheaf")
x, energies = p["embed"], []
for layer in p.nets("layer"):
    x, energy = step(layer, x, given["link"])
    energies.append(energy)
scores = torch.einsum("uic,vic->uv", x[:USERS], x[USERS:])
liked, other = (scores[given["user"], given[w]] for w in ("liked", "other"))
write("sheaf", scores=scores, energies=torch.stack(energies), bpr=-logsigmoid(liked - other).mean())
