"""The expected values of ../domain.hnet (Alanov et al. 2022): StyleGAN2's modulated convolution, image by image."""

import torch
from torch.nn.functional import conv2d, cosine_similarity, interpolate, leaky_relu

from shelf import linear, mlp, read, write


def modulated(p, x, w, factor):
    kernel = p["kernel"].permute(3, 2, 0, 1) * (linear(p, w, "style") * factor)[None, :, None, None]
    kernel = kernel / torch.sqrt(kernel.pow(2).sum((1, 2, 3), keepdim=True) + 1e-8)
    return leaky_relu(conv2d(x, kernel, p["bias"], padding=1), 0.2)


def image(p, noise, factors):
    w = mlp(p, noise, "map")
    x = modulated(p / "conv1", p["start"].permute(2, 0, 1)[None], w, factors[0])
    x = modulated(p / "conv2", interpolate(x, scale_factor=2, mode="nearest"), w, factors[1])
    return torch.einsum("khw,k->hw", x[0], p["paint"])


p, x = read("domain")
source = p / "source"
shift = linear(p, torch.relu(linear(p, x["domain"], "hyper.trunk")), "hyper.head").reshape(2, 8)
stored = [source["conv1.factor"], source["conv2.factor"]]
before = torch.stack([image(source, z, stored) for z in x["noise"]])
after = torch.stack([image(source, z, 1 + shift) for z in x["noise"]])
seen, now = (linear(p, images.flatten(1), "look") for images in (before, after))
pairs = lambda v: cosine_similarity(v[:, None], v[None], dim=-1)
direction = (1 - cosine_similarity(now - seen, x["target"][None], dim=-1)).mean()
other = ~torch.eye(len(now), dtype=torch.bool)
angles = ((pairs(now) - pairs(seen)) ** 2)[other].mean()
write("domain", before=before, image=after, direction=direction, angles=angles)
