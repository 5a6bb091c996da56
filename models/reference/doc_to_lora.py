"""The expected values of ../doc_to_lora.hnet (Charakorn et al. 2026): document by document, adapters in full, and each added to its matrix."""

import torch
from torch.nn.functional import cross_entropy, scaled_dot_product_attention, silu

from shelf import read, write

HEADS, LAYERS, RANK, ALPHA = 4, 2, 2, 4


def norm(p, x):
    return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * p["scale"]


def split(x):
    return x.unflatten(-1, (HEADS, -1)).transpose(-2, -3)


def turned(x):
    """Rotary positions, as complex numbers: the first half of a head is real, the second imaginary."""
    half = x.shape[-1] // 2
    speed = 10000.0 ** (-torch.arange(half, dtype=x.dtype) / half)
    angle = torch.arange(x.shape[-2], dtype=x.dtype)[:, None] * speed
    z = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat([z.real, z.imag], -1)


def attend(p, x, causal):
    q, k, v = (split(x @ p[f"{m}.w"]) for m in "qkv")
    y = scaled_dot_product_attention(turned(q), turned(k), v, is_causal=causal)
    return y.transpose(-2, -3).flatten(-2) @ p["o.w"]


def look(p, query, memory):
    """From each query at all of a memory, without positions."""
    q, k, v = split(query @ p["q.w"]), split(memory @ p["k.w"]), split(memory @ p["v.w"])
    return scaled_dot_product_attention(q, k, v).transpose(-2, -3).flatten(-2) @ p["o.w"]


def layer(p, x, causal, update=0):
    x = x + attend(p / "attn", norm(p / "norm.0", x), causal)
    y, m = norm(p / "norm.1", x), p / "mlp"
    return x + (silu(y @ m["gate.w"]) * (y @ m["up.w"])) @ (m["down.w"] + update)


p, x = read("doc_to_lora")
w = p / "writer"
logits = []
for documents, token in zip(x["doc"], x["token"]):
    updates = [0, 0]
    for words in documents:
        seen = p["written"][words]
        for l in range(LAYERS):
            seen = layer(p / f"reader.{l}", seen, causal=False)
        for l in range(LAYERS):
            query = w["query"][l]
            row = norm(w / "norm", query + look(w / "look", query, seen))
            updates[l] = updates[l] + ALPHA / RANK * (row @ w["down"][l]).T @ (row @ w["up"][l])
    h = p["embed"][token]
    for l in range(LAYERS):
        h = layer(p / f"layer.{l}", h, causal=True, update=updates[l])
    logits.append(norm(p / "norm", h) @ p["embed"].T)
logits = torch.stack(logits)
write("doc_to_lora", logits=logits, nll=cross_entropy(logits.flatten(0, 1), x["answer"].flatten()))
