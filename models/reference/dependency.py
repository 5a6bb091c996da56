"""The expected values of ../dependency.hnet (Chandra et al. 2022): PyTorch's LSTM over the pieces, then the written net."""

import torch
from torch.nn.functional import cross_entropy

from shelf import linear, mlp, read, unpack, write

SHAPES = {"fc1.w": (64, 32), "fc1.bias": (32,), "fc2.w": (32, 10), "fc2.bias": (10,)}


def written(p, task):
    lstm = torch.nn.LSTM(12, 16, batch_first=True).double()
    order = [0, 2, 1, 3]  # PyTorch: input, forget, candidate, output
    lstm.weight_ih_l0.data = p["cell.wx"][order].transpose(1, 2).reshape(64, 12)
    lstm.weight_hh_l0.data = p["cell.wh"][order].transpose(1, 2).reshape(64, 16)
    lstm.bias_ih_l0.data, lstm.bias_hh_l0.data = p["cell.bias"][order].flatten(), torch.zeros(64).double()
    pieces = p["piece_code"]
    code = torch.cat([p["task_code"][task].expand(len(pieces), -1), pieces], -1)
    return linear(p, lstm(code[None])[0][0], "head").flatten()


with torch.no_grad():
    p, x = read("dependency")
    task, size = int(x["task"]), sum(a * b for a, b in ((64, 32), (1, 32), (32, 10), (1, 10)))
    logits = mlp(unpack(written(p / "hyper", task)[:size], SHAPES), x["x"])
    drift = sum(((written(p / "hyper", t) - written(p / "old", t)) ** 2).sum() for t in range(task)) / max(task, 1)
    accuracy = (logits.argmax(-1) == x["label"]).double().mean()
    write("dependency", logits=logits, accuracy=accuracy, nll=cross_entropy(logits, x["label"]), drift=torch.as_tensor(drift))
