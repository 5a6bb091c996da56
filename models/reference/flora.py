"""The expected values of ../flora.hnet: the core along its four axes, one after the other, and the convolution by the sum."""

import torch
from torch.nn.functional import conv2d, cross_entropy

from shelf import linear, read, write

p, x = read("flora")
delta = p["core"]
for axis, factor in enumerate(("down", "across", "from", "to")):
    delta = torch.tensordot(delta, p[factor], dims=([axis], [1])).movedim(-1, axis)
delta = 0.5 * delta
merged = p["conv.kernel"] + delta


def conv(kernel, bias=None):
    return conv2d(x["x"].movedim(-1, 1), kernel.permute(3, 2, 0, 1), bias, padding=1)


logits = linear(p, torch.relu(conv(merged, p["conv.bias"])).mean((2, 3)), "head")
write("flora", delta=delta, merged=merged, logits=logits, update=conv(delta).movedim(1, -1), nll=cross_entropy(logits, x["label"]))
