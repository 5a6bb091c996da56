"""The expected values of ../smash.hnet (Brock et al. 2018): only what is read and written is put together, layer by layer."""

import torch
from torch.nn.functional import conv2d, cross_entropy

from shelf import linear, read, write


def conv(p, x):
    kernel = p["kernel"].permute(3, 2, 0, 1)
    return conv2d(x, kernel, p["bias"], padding=kernel.shape[-1] // 2)


p, x = read("smash")
reads, writes, wide = x["read"], x["write"], x["wide"]
about = torch.stack([reads.T, writes.T, wide.expand(4, 3)])[None]  # an image: three channels, banks by layers
w = p / "writer"
slices = conv(w / "slice", torch.relu(conv(w / "conv2", torch.relu(conv(w / "conv1", about)))))[0]

image = conv(p / "stem", x["x"].permute(0, 3, 1, 2))
banks = [image] + [torch.zeros_like(image)] * 3
for l, layer in enumerate(p.nets("layer")):
    seen = torch.cat([reads[l, k] * banks[k] for k in range(4)], 1)
    mix = slices[:, :, l].T.reshape(16, 4)  # a slice of 16 numbers for each bank
    z = torch.relu(torch.einsum("bihw,io->bohw", seen, mix))
    far = 2 if wide[l] > 0.5 else 1
    made = conv2d(z, layer["kernel"].permute(2, 0, 1)[:, None], padding=far, dilation=far, groups=4)
    banks = [bank + writes[l, k] * made for k, bank in enumerate(banks)]
logits = linear(p, torch.cat(banks, 1).mean((2, 3)), "head")
accuracy = (logits.argmax(-1) == x["label"]).double().mean()
write("smash", logits=logits, accuracy=accuracy, nll=cross_entropy(logits, x["label"]))
