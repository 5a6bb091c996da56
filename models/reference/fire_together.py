"""The expected values of ../fire_together.hnet (Elkerdawy et al. 2022): only the open channels are computed, image by image; how many
channels hold a share of the mass comes from a sort and a running sum."""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, conv2d, cross_entropy

from shelf import linear, mlp, read, write


def conv(p, x):
    return torch.relu(conv2d(x, p["kernel"].permute(3, 2, 0, 1), p["bias"], padding=1))


def strongest(heat):
    order = heat.argsort(descending=True, stable=True)
    k = 1 + int((heat[order].cumsum(0) < 0.8 * heat.sum()).sum())
    want = torch.zeros(len(heat), dtype=torch.bool)
    want[order[:k]] = True
    return want


def gated(p, x):
    logit = mlp(p, x.mean((2, 3)), "mask")
    out = torch.zeros(len(x), logit.shape[-1], *x.shape[2:], dtype=torch.double)
    for image, row, y in zip(x, logit, out):
        some = row.sigmoid() > 0.5
        y[some] = torch.relu(conv2d(image, p["conv.kernel"].permute(3, 2, 0, 1)[some], p["conv.bias"][some], padding=1))
    want = torch.stack([strongest(h) for h in conv(p / "conv", x).mean((2, 3))])
    return out, logit > 0, want, binary_cross_entropy_with_logits(logit, want.double())


p, x = read("fire_together")
f = conv(p / "stem", x["x"].permute(0, 3, 1, 2))
one, open_, want, loss1 = gated(p / "conv1", f)
two, _, _, loss2 = gated(p / "conv2", one)
logits = linear(p, two.mean((2, 3)), "head")
losses = {"predict1": loss1, "predict2": loss2, "nll": cross_entropy(logits, x["label"])}
write("fire_together", logits=logits, masked=logits, open=open_, want=want, few=want.sum(-1), **losses)
