"""The expected values of ../scse.hnet (Roy et al. 2018): all six ways, by PyTorch's convolutions."""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, conv2d

from shelf import linear, read, write


def conv(p, x):
    return conv2d(x, p["kernel"].permute(3, 2, 0, 1), p["bias"], padding=1)


def gates(p, l, h):
    see, look = p.nets("channel")[l], p.nets("spatial")[l]
    squeezed = torch.relu(linear(see, h.mean((2, 3)), "fc1"))
    channel = h * torch.sigmoid(linear(see, squeezed, "fc2"))[:, :, None, None]
    place = h * torch.sigmoid(linear(look, h.movedim(1, -1), "look")).movedim(-1, 1)
    return channel, place


WAYS = [
    lambda h, c, q: h,
    lambda h, c, q: c,
    lambda h, c, q: q,
    lambda h, c, q: torch.maximum(c, q),
    lambda h, c, q: c + q,
    lambda h, c, q: c * q,
]

p, x = read("scse")
s = p / "segment"
every = []
for way in WAYS:
    h = torch.relu(conv(s / "conv1", x["x"].movedim(-1, 1)))
    h = torch.relu(conv(s / "conv2", way(h, *gates(s, 0, h))))
    h = way(h, *gates(s, 1, h))
    every.append(linear(s, h.movedim(1, -1), "head")[..., 0])
logits, mask = every[int(x["way"])], x["mask"]
chance = torch.sigmoid(logits)
dice = (2 * (chance * mask).sum((1, 2)) + 1) / (chance.sum((1, 2)) + mask.sum((1, 2)) + 1)
write("scse", logits=logits, every=torch.stack(every), dice=dice, fit=binary_cross_entropy_with_logits(logits, mask))
