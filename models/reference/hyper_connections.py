"""The expected values of ../hyper_connections.hnet (Zhu et al. 2025): for each token the paper's matrix [[0, B], [A_m, A_r]]."""

import torch
from torch.nn.functional import cross_entropy, gelu, scaled_dot_product_attention

from shelf import layer_norm, linear, read, write


def layer(p, x):
    z = layer_norm(p, x, "norm")
    if "attend.wq" not in p:
        return linear(p, gelu(linear(p, z, "ffn.fc1")), "ffn.fc2")
    q, k, v = (torch.einsum("bti,ihe->bhte", z, p["attend." + w]) for w in ("wq", "wk", "wv"))
    return torch.einsum("bhte,hej->btj", scaled_dot_product_attention(q, k, v, is_causal=True), p["attend.wo"])


def connection(p, h):
    """[b, t, n, d] to [b, t, n + 1, n + 1]."""
    n = h.shape[-2]
    z = h / torch.sqrt((h * h).mean(-1, keepdim=True) + 1e-5) * p["norm.scale"]
    hc = torch.zeros(*h.shape[:2], n + 1, n + 1, dtype=torch.double)
    hc[..., 0, 1:] = p["write"] + p["write_scale"] * torch.tanh(z @ p["write_w"])
    hc[..., 1:, 0] = p["read"] + p["read_scale"] * torch.tanh(z @ p["read_w"])
    hc[..., 1:, 1:] = p["mix"] + p["mix_scale"] * torch.tanh(z @ p["mix_w"])
    return hc


p, x = read("hyper_connections")
embedded = p["embed"][x["text"]]
layers, connections = p.nets("layer"), p.nets("connect")
h = embedded[..., None, :].expand(*embedded.shape[:2], 4, 16)
for net, c in zip(layers, connections):
    hc = connection(c, h)
    mixed = hc[..., 1:, :].transpose(-1, -2) @ h  # [A_m, A_r]^T H: what the layer reads, then the streams
    made = layer(net, mixed[..., 0, :])
    h = mixed[..., 1:, :] + hc[..., 0, 1:, None] * made[..., None, :]
logits = h.sum(-2) @ p["out"]
plain = embedded
for net in layers:
    plain = plain + layer(net, plain)
nll = cross_entropy(logits[:, :-1].flatten(0, 1), x["text"][:, 1:].flatten())
write("hyper_connections", logits=logits, residual=plain @ p["out"], at_start=plain @ p["out"], nll=nll)
