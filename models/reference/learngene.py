"""The expected values of ../learngene.hnet (Shi et al. 2024): all paths from the small net into the large one, put together by hand."""

import torch
from torch.nn.functional import cross_entropy

from shelf import layer_norm, linear, mlp, read, write


def block(p, x):
    return x + mlp(p, layer_norm(p, x, "norm"), "ffn")


def through(blocks, x):
    for p in blocks:
        x = block(p, x)
    return x


p, x = read("learngene")
small, large = p / "small", p / "large"


def path(i, j):
    """Out of the small net behind `i` blocks, into block `j` of the large one."""
    z = through(small.nets("block")[:i], linear(small, x["x"], "stem"))
    return linear(large, through(large.nets("block")[j:], z @ p[f"stitch.{4 * (i - 1) + j}.w"]), "head")


every = torch.stack([torch.stack([path(i + 1, j) for j in range(4)]) for i in range(4)])
anchors = [linear(a, through(a.nets("block"), linear(a, x["x"], "stem")), "head") for a in (small, large)]
logits = path(int(x["leave"]), int(x["enter"]))
like = 4 * cross_entropy(logits / 2, (x["teacher"] / 2).softmax(-1))
write("learngene", logits=logits, every=every, anchors=torch.stack(anchors), nll=cross_entropy(logits, x["label"]), like=like)
