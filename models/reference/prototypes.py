"""The expected values of ../prototypes.hnet (Snell et al. 2017): distances to the means of classes, episode by episode."""

import torch

from shelf import mlp, read, write

p, x = read("prototypes")
encode = p / "encode"
rows = []
for e in range(len(x["x"])):
    code, asked = mlp(encode, x["x"][e]), mlp(encode, x["query"][e])
    centre = torch.stack([code[x["class"][e] == c].mean(0) for c in range(5)])
    rows.append(-torch.cdist(asked, centre) ** 2)
logits = torch.stack(rows)
right = (logits.argmax(-1) == x["label"]).double().mean(-1)
nll = torch.nn.functional.cross_entropy(logits.flatten(0, 1), x["label"].flatten())
write("prototypes", logits=logits, linear=logits, chance=logits.softmax(-1), accuracy=right, nll=nll)
