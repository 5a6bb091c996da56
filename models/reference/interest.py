"""The expected values of ../interest.hnet (Zhou et al. 2018): each row's past by itself, cut to its length."""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from shelf import linear, read, write


def dice(p, x):
    share = torch.sigmoid((x - p["norm.centre"]) / torch.sqrt(p["norm.spread"] + 1e-8))
    return share * x + (1 - share) * p["alpha"] * x


p, x = read("interest")
table, unit = p["embed.w"], p / "unit"
weights, rows = torch.zeros(x["past"].shape).double(), []
for row, (past, many, item) in enumerate(zip(x["past"], x["many"], x["item"])):
    offer, done = table[item], table[past[:many]]
    both = torch.cat([offer.expand_as(done), done, offer - done, offer * done], -1)
    weights[row, :many] = linear(unit, dice(unit / "dice", linear(unit, both, "fc1")), "fc2")[:, 0]
    seen = torch.cat([weights[row, :many] @ done, offer])
    rows.append(linear(p, dice(p / "dice", linear(p, seen, "fc1")), "fc2")[0])
logit = torch.stack(rows)
write("interest", weights=weights, logit=logit, nll=binary_cross_entropy_with_logits(logit, x["clicked"]))
