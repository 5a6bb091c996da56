"""The expected values of ../sparse_mlp.hnet (Yu et al. 2022): a text after the other, experts picked in Python."""

import torch
from torch.nn.functional import cross_entropy, gelu

from shelf import layer_norm, linear, mlp, read, write

HEAD = 4


def dense(p, x):
    z = gelu(linear(p, layer_norm(p, x, "norm"), "up"))
    u, v = z[:, :16], layer_norm(p, z[:, 16:], "gate")
    return x + linear(p, u * (p["w"].tril() @ v + p["bias"][:, None]), "down")


def sparse(p, x):
    parts = layer_norm(p, x, "norm").chunk(4, -1)
    mix = lambda e, v: p["w"][e].tril() @ v + p["bias"][e][:, None]
    out = [mix(k, v) for k, v in enumerate(parts)]
    if "gate.w" in p:
        for k, v in enumerate(parts):
            score = linear(p, v[:HEAD].mean(0), "gate").softmax(-1)
            e = int(score.argmax())
            out[k][HEAD:] = score[e] * mix(e, v)[HEAD:]
    return x + torch.cat(out, -1)


def tokens(p, x):
    score = x @ p["centroid"].T
    rows = []
    for row, s in zip(x, score):
        e = int(s.argmax())
        a = s[e].sigmoid()
        rows.append(a * mlp(p, row, f"expert.{e}") + (1 - a) * row)
    return torch.stack(rows)


def logits(p, text):
    y = sparse(p / "sparse", dense(p / "dense", p["embed"][text]))
    return linear(p, y + tokens(p / "tokens", layer_norm(p, y, "norm")), "out")


p, x = read("sparse_mlp")
fixed, guess = (torch.stack([logits(p / w, text) for text in x["text"]]) for w in ("fixed", "guess"))
nll = cross_entropy(fixed[:, :-1].flatten(0, 1), x["text"][:, 1:].flatten())
write("sparse_mlp", logits=fixed, guessed=guess, nll=nll, causal=torch.tensor(True), causal_guess=torch.tensor(True))
