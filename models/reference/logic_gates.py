"""The expected values of ../logic_gates.hnet: truth tables that are looked up bit by bit, and their expectations over independent inputs."""

import torch
from torch.nn.functional import cross_entropy

from shelf import read, write

p, x = read("logic_gates")
bits = (x["x"][:, :, None] > torch.arange(3) - 1).flatten(1)
soft, hard = bits.double(), bits
for name, step in (("one", 5), ("two", 7), ("three", 11)):
    theta, i = p[f"circuit.{name}.theta"], soft.shape[1]
    n = torch.arange(60)
    a, c = n % i, (step * n + 1) % i
    # Four rows of the table, each with the chance that both inputs are so.
    rows = torch.stack([(1 - soft[:, a]) * (1 - soft[:, c]), (1 - soft[:, a]) * soft[:, c], soft[:, a] * (1 - soft[:, c]), soft[:, a] * soft[:, c]], -1)
    soft = (rows * torch.sigmoid(theta)).sum(-1)
    hard = (theta > 0)[n, 2 * hard[:, a].long() + hard[:, c].long()]
logits, counted = soft.reshape(-1, 5, 12).sum(-1) / 4, hard.reshape(-1, 5, 12).sum(-1)
alike = (logits.argmax(-1) == counted.argmax(-1)).double().mean()
write("logic_gates", logits=logits, counted=counted, alike=alike, nll=cross_entropy(logits, x["label"]))
