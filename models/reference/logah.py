"""The expected values of ../logah.hnet (Zhou et al. 2024): SciPy's shortest paths, and the leading parts of both factors."""

import torch
from scipy.sparse.csgraph import shortest_path
from torch.nn.functional import cross_entropy, gelu, scaled_dot_product_attention

from shelf import layer_norm, linear, mlp, read, write

WIDTH, MOST, RANK, FAR = [16, 24, 12, 10], 24, 3, 4

p, x = read("logah")
steps = torch.tensor(shortest_path(x["link"].numpy(), directed=False, unweighted=True)).clamp(max=FAR).long()
bias = p["apart"][steps].permute(2, 0, 1)
h = p["embed"][x["kind"]]
for layer in p.nets("layer"):
    a, z = layer / "attend", layer_norm(layer, h, "norm1")
    q, k, v = (linear(a, z, w).reshape(-1, 2, 8).transpose(0, 1) for w in "qkv")
    y = scaled_dot_product_attention(q, k, v, attn_mask=bias)
    h = h + linear(a, y.transpose(0, 1).flatten(1), "o")
    h = h + linear(layer, gelu(linear(layer, layer_norm(layer, h, "norm2"), "ffn.fc1")), "ffn.fc2")

y = x["x"]
for l in range(3):
    a = mlp(p, h[l + 1], "left").reshape(MOST, RANK)[: WIDTH[l]]
    b = mlp(p, h[l + 1], "right").reshape(RANK, MOST)[:, : WIDTH[l + 1]]
    y = y @ (a @ b) + mlp(p, h[l + 1], "flat")[: WIDTH[l + 1]]
    y = torch.relu(y) if l < 2 else y
    if l == 0:
        values = torch.linalg.svdvals(a @ b) ** 2
write("logah", logits=y, nll=cross_entropy(y, x["label"]), share=values[:RANK].sum() / values.sum())
