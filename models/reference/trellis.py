"""The expected values of ../trellis.hnet (Biçici et al. 2024): image by image through the blocks that are picked."""

import torch
from torch.nn.functional import conv2d, cross_entropy

from shelf import linear, read, write


def conv(p, x):
    return torch.relu(conv2d(x, p["kernel"].permute(3, 2, 0, 1), p["bias"], padding=1))


def stage(p, x, temperature):
    logit = linear(p, x.mean((2, 3)), "router")
    taken = torch.cat([conv(p / f"block.{k}", image[None]) for k, image in zip(logit.argmax(-1), x)])
    return taken, (logit / temperature).softmax(-1)


def gain(label, p, beta=2.0):
    joint = torch.stack([p[label == y].sum(0) for y in range(10)]) / len(label)
    entropy = lambda q: torch.special.entr(q).sum()
    return entropy(joint.sum(1)) + beta * entropy(joint.sum(0)) - entropy(joint)


p, x = read("trellis")
f = conv(p / "stem", x["x"].permute(0, 3, 1, 2))
one, p1 = stage(p / "first", f, x["temperature"])
two, p2 = stage(p / "other", one, x["temperature"])
logits = linear(p, two.mean((2, 3)), "head")
told = -gain(x["label"], p1) - gain(x["label"], p2)
nll = cross_entropy(logits, x["label"])
write("trellis", logits=logits, masked=logits, routed=torch.stack([p1, p2]), nll=nll, told=told)
