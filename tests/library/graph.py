"""Graphs: PyTorch's scatter_reduce, and layers as PyTorch Geometric writes them, edge by edge."""
import torch
import torch.nn.functional as F

from common import Case

c = Case("graph", 13)
N, E = 5, 7
x, feature = c.input("x", N, 3), c.input("feature", E, 2)
source = c.given("source", torch.tensor([0, 1, 2, 2, 3, 0, 1]))
target = c.given("target", torch.tensor([1, 2, 1, 0, 1, 2, 2]))  # nothing ends in 3 and 4, nothing begins in 4
weight = c.given("weight", torch.tensor(c.rng.random(E) + 0.5))


def reduced(kind, start=0.0):
    rows = target[:, None].expand(E, 2)
    return torch.full((N, 2), start).scatter_reduce(0, rows, feature, kind, include_self=False)


c.expect("sums", reduced("sum"))
c.expect("means", reduced("mean"))
c.expect("largest", reduced("amax"))
shares = torch.zeros(E, 2)
for v in range(N):
    shares[target == v] = feature[target == v].softmax(0)
c.expect("shares", shares)

loops = torch.arange(N)
s, t = torch.cat([source, loops]), torch.cat([target, loops])


def gcn(path, w, biased):
    h = x @ c.param(f"{path}.w", 3, 2)
    w = torch.cat([w, torch.ones(N)])
    degree = torch.zeros(N).index_add(0, t, w)
    norm = degree[s] ** -0.5 * w * degree[t] ** -0.5
    y = torch.zeros(N, 2).index_add(0, t, norm[:, None] * h[s])
    return y + c.param(f"{path}.bias", 2) if biased else y


c.expect("plain_y", gcn("plain", torch.ones(E), True))
c.expect("weighted_y", gcn("weighted", weight, False))

h = torch.einsum("ni,iak->nak", x, c.param("gat.w", 3, 2, 2))
a_from, a_to = c.param("gat.from", 2, 2), c.param("gat.to", 2, 2)
score = F.leaky_relu((h * a_from).sum(-1)[s] + (h * a_to).sum(-1)[t], 0.2)
alpha = torch.zeros_like(score)
for v in range(N):
    alpha[t == v] = score[t == v].softmax(0)
y = torch.zeros(N, 2, 2).index_add(0, t, alpha[..., None] * h[s])
c.expect("gat_y", y.flatten(1) + c.param("gat.bias", 4))


def conditioned(path, mean):
    fc1, fc2 = c.linear(f"{path}.write.fc1", 2, 4), c.linear(f"{path}.write.fc2", 4, 6)
    w = fc2(F.relu(fc1(feature))).view(E, 3, 2)
    y = torch.zeros(N, 2).index_add(0, target, torch.einsum("ei,eio->eo", x[source], w))
    if mean:
        y = y / torch.bincount(target, minlength=N).clamp(min=1)[:, None]
    return y + x @ c.param(f"{path}.own.w", 3, 2) + c.param(f"{path}.bias", 2)


c.expect("added_y", conditioned("added", False))
c.expect("averaged_y", conditioned("averaged", True))
c.save()
