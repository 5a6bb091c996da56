"""The expected values of ../prototype_adapter.hnet (Zhao et al. 2023): example by example, with adapters made for each."""

import torch
from torch.nn.functional import cosine_similarity, cross_entropy, normalize

from shelf import linear, mlp, read, unpack, write

SHAPES = {"down": (32, 4), "up": (4, 32)}
TEMPERATURE = 0.1

p, x = read("prototype_adapter")
first = torch.relu(linear(p, x["x"], "stem"))
rows = []
for h, task in zip(first, x["task"]):
    for l, layer in enumerate(p.nets("layer")):
        code = torch.cat([p["prototype"][task], p["depth"][l]])
        made = unpack(linear(p, torch.relu(linear(p, code, "hyper.trunk")), "hyper.head"), SHAPES)
        h = torch.relu(linear(layer, h, "fc"))
        h = h + torch.relu(h @ made["down"]) @ made["up"]
    rows.append(linear(p, h, "head"))
logits = torch.stack(rows)

code = normalize(mlp(p, first, "retriever"), dim=-1)
group = torch.tensor(0.0).double()
for i, task in enumerate(x["task"]):
    others = [j for j in range(len(code)) if j != i]
    same = [j for j in others if x["task"][j] == task]
    if same:
        likely = (code[others] @ code[i] / TEMPERATURE).log_softmax(-1)
        group = group - torch.stack([likely[others.index(j)] for j in same]).mean()
near = cosine_similarity(code[:, None], p["prototype"][None], dim=-1)
proto = cross_entropy(near / TEMPERATURE, x["task"])
nll = cross_entropy(logits, x["label"])
write("prototype_adapter", logits=logits, nll=nll, group=group, proto=proto, found=near.argmax(-1))
