"""Routing: PyTorch, after the routers of `transformers`, fairseq and Megatron-LM."""
import itertools
import math

import torch
import torch.nn.functional as F

from common import Case

c = Case("moe", 3)
B, T, D, H = 2, 5, 4, 3
x = c.input("x", B, T, D)
row = c.input("row", 6, D)
flat = x.flatten(0, 1)


def each(path, n, parts, i=D, h=H, o=D):
    """Arrays of nets are stored net by net."""
    shapes = {"w1": (i, h), "w3": (i, h), "w2": (h, o), "fc1.w": (i, h), "fc1.bias": (h,), "fc2.w": (h, o), "fc2.bias": (o,)}
    shapes |= {f"{p}.w": (i, h) for p in ["gate", "up"]} | {f"{p}.bias": (h,) for p in ["gate", "up"]}
    shapes |= {"down.w": (h, o), "down.bias": (o,)}
    return [{p: c.param(f"{path}.{e}.{p}", *shapes[p]) for p in parts} for e in range(n)]


MLP = ["fc1.w", "fc1.bias", "fc2.w", "fc2.bias"]
mlp = lambda p, x: F.relu(x @ p["fc1.w"] + p["fc1.bias"]) @ p["fc2.w"] + p["fc2.bias"]
swiglu = lambda p, x: (F.silu(x @ p["w1"]) * (x @ p["w3"])) @ p["w2"]


def routed(x, pick, weight, experts, f):
    out = torch.zeros_like(x)
    for r in range(len(x)):
        for s in range(pick.shape[1]):
            out[r] += weight[r, s] * f(experts[pick[r, s]], x[r])
    return out


# Switch with seats: of those who chose an expert the first ones have one.
p = (flat @ c.param("full.gate.w", D, 3)).softmax(-1)
experts = each("full.expert", 3, MLP)
value, pick = p.max(-1)
seats, y = math.ceil(0.6 * B * T / 3), torch.zeros_like(flat)
for e in range(3):
    for r in torch.where(pick == e)[0][:seats]:
        y[r] = value[r] * mlp(experts[e], flat[r])
assert (y.abs().sum(-1) == 0).any(), "some go without"
c.expect("full_y", y.view_as(x))
c.expect("full.balance", 3 * (F.one_hot(pick, 3).double().mean(0) * p.mean(0)).sum())

# DSelect-k, one gate for each example: binary codes through the smooth step.
z, alpha = c.linear("gates.z", D, 6, scale=0.8)(flat).view(-1, 2, 3), c.linear("gates.alpha", D, 2)(flat)
g = 2.0
s = torch.where(z <= -g / 2, 0.0, torch.where(z >= g / 2, 1.0, -2 / g**3 * z**3 + 3 / (2 * g) * z + 0.5))
bits = torch.tensor([[(i >> j) & 1 for j in range(3)] for i in range(8)])
r = torch.where(bits == 1, s[:, :, None], 1 - s[:, :, None]).prod(-1)
c.expect("gates_q", (alpha.softmax(-1)[..., None] * r).sum(1).view(B, T, 8))
c.expect("gates_e", (-(r * (r + 1e-9).log()).sum((1, 2))).view(B, T))


def deep(path, n, k, groups, best, shared, scaling, even):
    """`DeepseekV3TopkRouter` of transformers."""
    scores = torch.sigmoid(flat @ c.param(f"{path}.gate.w", D, n))
    bias = c.param(f"{path}.bias", n)
    experts = each(f"{path}.expert", n, ["w1", "w3", "w2"])
    choice = scores + bias
    strength = choice.view(-1, groups, n // groups).topk(min(2, n // groups), -1).values.sum(-1)
    mask = torch.zeros_like(strength).scatter(1, strength.topk(best, -1).indices, 1)
    choice = choice.masked_fill(mask.repeat_interleave(n // groups, -1) == 0, -math.inf)
    pick = choice.topk(k, -1).indices
    w = scores.gather(1, pick)
    if even:
        w = w / (w.sum(-1, keepdim=True) + 1e-20)
    y = routed(flat, pick, w * scaling, experts, swiglu)
    if shared:
        always = {p: c.param(f"{path}.always.{p}", *s) for p, s in [("w1", (D, shared * H)), ("w3", (D, shared * H)), ("w2", (shared * H, D))]}
        y = y + swiglu(always, flat)
    return y.view_as(x)


c.expect("deep_y", deep("deep", 8, 3, 4, 2, 2, 2.5, True))
c.expect("flat_y", deep("flat", 4, 2, 1, 1, 0, 1.0, False))


def gpt_oss(p, x, alpha=1.702, limit=0.4):
    """`GptOssExperts` of transformers."""
    gate = (x @ p["gate.w"] + p["gate.bias"]).clamp(max=limit)
    up = (x @ p["up.w"] + p["up.bias"]).clamp(-limit, limit)
    return ((up + 1) * gate * torch.sigmoid(alpha * gate)) @ p["down.w"] + p["down.bias"]


value, pick = c.linear("oss.gate", D, 4)(flat).topk(2, -1)
experts = each("oss.expert", 4, [f"{p}.{q}" for p in ["gate", "up", "down"] for q in ["w", "bias"]])
c.expect("oss_y", routed(flat, pick, value.softmax(-1), experts, gpt_oss).view_as(x))

# Soft MoE, as in the paper's algorithm 1 with its normalisation (2.3).
phi, scale = c.param("soft.phi", D, 3, 2), c.stored("soft.scale", 1.7)
experts = each("soft.expert", 3, MLP)
logits = torch.einsum("bti,ies->btes", F.normalize(x, dim=-1), scale * F.normalize(phi, dim=0))
dispatch = logits.softmax(1)
combine = logits.flatten(2).softmax(-1).view_as(logits)
slots = torch.einsum("btes,bti->besi", dispatch, x)
made = torch.stack([mlp(experts[e], slots[:, e]) for e in range(3)], 1)
c.expect("soft_y", torch.einsum("btes,besi->bti", combine, made))

# Mixture of depths: attention among those who are taken, in their order.
score = (x @ c.param("depths.gate.w", D, 1))[..., 0]
q, k, v, o = (c.param(f"depths.inner.{n}.w", D, D) for n in "qkvo")
y = x.clone()
for b in range(B):
    place = score[b].topk(2).indices.sort().values
    h = x[b, place]
    split = lambda m: m.view(2, 2, 2).transpose(0, 1)
    a = F.scaled_dot_product_attention(split(h @ q), split(h @ k), split(h @ v), is_causal=True)
    y[b, place] += score[b, place, None] * (a.transpose(0, 1).reshape(2, D) @ o)
c.expect("depths_y", y)

# Product keys: all n * n pairs compared one by one.
query = c.linear("keys.query", D, 12)(flat).view(-1, 2, 2, 3)
key, value = c.param("keys.key", 2, 2, 5, 3), c.param("keys.value", 25, D)
score = torch.einsum("rasi,asji->rasj", query, key)
pairs = (score[:, :, 0, :, None] + score[:, :, 1, None]).flatten(2)
top, pick = pairs.topk(3, -1)
c.expect("keys_y", torch.einsum("ras,rasi->ri", top.softmax(-1), value[pick]).view_as(x))

# BASE: the best of all balanced assignments.
for name in ["base", "greedy"]:
    centroid = c.param(f"{name}.centroid", 3, D)
    experts = each(f"{name}.expert", 3, MLP)
    score = row @ centroid.T
    pick = score.argmax(-1)
    if name == "base":
        balanced = set(itertools.permutations([0, 0, 1, 1, 2, 2]))
        pick = torch.tensor(max(balanced, key=lambda p: float(sum(score[i, e] for i, e in enumerate(p)))))
    a = torch.sigmoid(score.gather(1, pick[:, None]))
    y = torch.stack([mlp(experts[pick[i]], row[i]) for i in range(6)])
    c.expect(f"{name}_y", a * y + (1 - a) * row)

# Sinkhorn over the examples of each row: Megatron's, until nothing changes.
logits = x @ c.param("transport.gate.w", D, 3)
experts = each("transport.expert", 3, MLP)
y = torch.zeros_like(x)
for b in range(B):
    cost, d1 = logits[b].exp(), torch.ones(3)
    for _ in range(1000):
        d0 = 1 / T / (d1 * cost).sum(1)
        d1 = 1 / 3 / (d0[:, None] * cost).sum(0)
    pick = (d1 * cost * d0[:, None]).argmax(-1)
    w = torch.sigmoid(logits[b]).gather(1, pick[:, None])
    y[b] = routed(x[b], pick[:, None], w, experts, mlp)
c.expect("transport_y", y)
logits = flat @ c.param("plain.gate.w", D, 3)
pick = logits.topk(2, -1).indices
c.expect("plain_y", routed(flat, pick, logits.softmax(-1).gather(1, pick), each("plain.expert", 3, MLP), mlp).view_as(x))
c.save()
