"""The expected values of ../specialized_lm.hnet (Grangier et al. 2024): a small model with weights summed up before it runs."""

import torch
from torch.nn.functional import cross_entropy, scaled_dot_product_attention

from shelf import Params, layer_norm, mlp, read, write


def small(p, text):
    x = p["embed"][text]
    z = layer_norm(p, x, "norm1")
    q, k, v = (torch.einsum("bti,ihe->bhte", z, p["attend." + w]) for w in ("wq", "wk", "wv"))
    x = x + torch.einsum("bhte,hej->btj", scaled_dot_product_attention(q, k, v, is_causal=True), p["attend.wo"])
    return (x + mlp(p, layer_norm(p, x, "norm2"), "ffn")) @ p["out"]


p, x = read("specialized_lm")
code = p["code"][x["cluster"]]
weights = Params({k: v + sum(c * net[k] for c, net in zip(code, p.nets("bank"))) for k, v in (p / "big").items()})
logits = small(weights, x["text"])
which = torch.cdist(x["sample"], p["centre"]).argmin(-1)
by_expert = torch.cat([small(p / f"expert.{c}", row[None]) for c, row in zip(which, x["text"])])
nll = cross_entropy(logits[:, :-1].flatten(0, 1), x["text"][:, 1:].flatten())
write("specialized_lm", logits=logits, which=which, by_expert=by_expert, nll=nll)
