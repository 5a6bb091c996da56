"""The expected values of ../hypershot.hnet (Sendera et al. 2023): a classifier for each episode, in a Python loop."""

import torch
from torch.nn.functional import cosine_similarity, cross_entropy

from shelf import linear, mlp, read, unpack, write

SHAPES = {"fc1.w": (5, 16), "fc1.bias": (16,), "fc2.w": (16, 5), "fc2.bias": (5,)}

p, x = read("hypershot")
rows = []
for support, query in zip(x["x"], x["query"]):
    code = mlp(p / "encode", support).mean(1)
    kernel = cosine_similarity(code[:, None], code[None], dim=-1)
    target = unpack(linear(p, torch.relu(linear(p, kernel.flatten(), "hyper.trunk")), "hyper.head"), SHAPES)
    asked = mlp(p / "encode", query)
    rows.append(mlp(target, cosine_similarity(asked[:, None], code[None], dim=-1)))
logits = torch.stack(rows)
accuracy = (logits.argmax(-1) == x["label"]).double().mean(-1)
write("hypershot", logits=logits, accuracy=accuracy, nll=cross_entropy(logits.flatten(0, 1), x["label"].flatten()))
