"""The expected values of ../dynamic_dino.hnet (Lu et al. 2025): attention by PyTorch's own function, experts one after the other, and SciPy
for the pairs of queries and objects."""

import torch
from scipy.optimize import linear_sum_assignment
from torch.nn.functional import binary_cross_entropy_with_logits, scaled_dot_product_attention

from shelf import layer_norm, mlp, read, write

HEADS, CUT = 2, 2


def heads(x):
    return x.unflatten(-1, (HEADS, -1)).transpose(-2, -3)


def joined(x):
    return x.transpose(-2, -3).flatten(-2)


def look(p, x):
    q, k, v = (torch.einsum("bti,ihe->bhte", x, p[w]) for w in ("wq", "wk", "wv"))
    return torch.einsum("bhte,hej->btj", scaled_dot_product_attention(q, k, v), p["wo"])


def cross(p, x, memory):
    q, k, v = heads(x @ p["q.w"]), heads(memory @ p["k.w"]), heads(memory @ p["v.w"])
    return joined(scaled_dot_product_attention(q, k, v)) @ p["o.w"]


def pieces(p, x):
    """What the chosen experts give, what the whole net gave, and how evenly the experts are chosen."""
    score, experts = x @ p["router.w"], p.nets("expert")
    best = score.topk(CUT, -1)
    weight = torch.zeros_like(score).scatter(-1, best.indices, CUT * best.values.softmax(-1))
    y = sum(weight[..., e, None] * mlp(expert, x) for e, expert in enumerate(experts))
    hit = (weight > 0).double().flatten(0, 1).mean(0) / CUT
    balance = len(experts) * (hit * score.softmax(-1).flatten(0, 1).mean(0)).sum()
    return y, mlp(p, x, "plain"), balance


p, x = read("dynamic_dino")
word, label, box = x["word"], x["label"], x["box"]
place = x["image"] + cross(p / "fuse", x["image"], word.expand(len(label), -1, -1))
begin = (place @ word.T).amax(-1).topk(label.shape[1], -1).indices
q = p["query"] + place.gather(1, begin[..., None].expand(-1, -1, place.shape[-1]))
moved, balance = torch.tensor(0.0), 0
for layer in p.nets("layer"):
    norm = layer.nets("norm")
    q = layer_norm(norm[0], q + look(layer / "look", q))
    q = layer_norm(norm[1], q + cross(layer / "read", q, place))
    y, was, even = pieces(layer / "ffn", q)
    moved, balance = torch.maximum(moved, (y - was).abs().max()), balance + even
    q = layer_norm(norm[2], q + y)

logits = q @ word.T / word.shape[-1] ** 0.5
side = torch.stack([(begin % 4 + 0.5) / 4, (begin // 4 + 0.5) / 4, torch.full(begin.shape, 0.25), torch.full(begin.shape, 0.25)], -1)
boxes = torch.sigmoid(mlp(p, q, "shape") + torch.logit(side.double()))

named = boxed = 0
for score, found, want, near in zip(logits, boxes, label, box):
    apart = torch.cdist(found, near, p=1)
    cost = torch.where(want >= 0, 5 * apart - score[:, want.clamp(min=0)], 0.0)
    pair = torch.as_tensor(linear_sum_assignment(cost.numpy())[1])
    target = torch.stack([want[pair] == c for c in range(score.shape[-1])], -1).double()
    named = named + binary_cross_entropy_with_logits(score, target, reduction="sum") / len(label)
    boxed = boxed + apart[torch.arange(len(pair)), pair][want[pair] >= 0].sum() / len(label)

write("dynamic_dino", logits=logits, boxes=boxes, moved=moved, named=named, boxed=boxed, **{"layer.*.ffn.balance": balance})
