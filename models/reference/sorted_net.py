"""The expected values of ../sorted_net.hnet (Valipour et al. 2023): each net cut out of the large one."""

import torch
from torch.nn.functional import cross_entropy

from shelf import read, write

p, x = read("sorted_net")


def net(width, depth):
    h = torch.relu(x["x"] @ p["first"][:, :width])
    for l in range(depth):
        h = torch.relu(h @ p["w"][l, :width, :width] + p["bias"][l, :width])
    return h @ p["last"][:width]


logits = net(int(x["width"]), int(x["depth"]))
accuracy = (logits.argmax(-1) == x["label"]).double().mean()
every = torch.stack([net(w, 3) for w in (4, 8, 12, 16)])
write("sorted_net", logits=logits, accuracy=accuracy, nll=cross_entropy(logits, x["label"]), beyond=0.0, every=every)
