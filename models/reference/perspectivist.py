"""The expected values of ../perspectivist.hnet (Ignatev et al. 2025): one person after the other, each with adapters of their own."""

import torch
from torch.nn.functional import cross_entropy, gelu, scaled_dot_product_attention

from shelf import layer_norm, linear, read, unpack, write

SHAPES = {"down.w": (16, 2), "down.bias": (2,), "up.w": (2, 16), "up.bias": (16,)}


def attend(p, x):
    q, k, v = (torch.einsum("ti,ihe->hte", x, p[w]) for w in ("wq", "wk", "wv"))
    return torch.einsum("hte,hej->tj", scaled_dot_product_attention(q, k, v), p["wo"])


p, x = read("perspectivist")
rows = []
for text, user in zip(x["text"], x["user"]):
    h = p["embed"][text]
    for l, layer in enumerate(p.nets("layer")):
        code = torch.cat([p["person"][user], p["depth"][l]])
        adapter = unpack(linear(p, torch.relu(linear(p, code, "hyper.trunk")), "hyper.head"), SHAPES)
        h = layer_norm(layer, h + attend(layer / "attend", h), "norm1")
        z = linear(layer, gelu(linear(layer, h, "ffn.fc1")), "ffn.fc2")
        z = z + linear(adapter, gelu(linear(adapter, z, "down")), "up")
        h = layer_norm(layer, h + z, "norm2")
    rows.append(linear(p, h.mean(0), "head"))
logits = torch.stack(rows)
write("perspectivist", logits=logits, nll=cross_entropy(logits, x["label"]))
