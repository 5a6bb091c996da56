"""Writes the ONNX graph of a way; a program of its own, so that PyTorch is not in the process that runs the graph.

Parameters and what was prepared are constants of the graph: it is the best case for the runtime, which may lay them out as it likes.
"""
import pathlib
import sys

import torch
from safetensors.numpy import load_file, save_file

from . import suites
from .sides import tensors


class Graph(torch.nn.Module):
    def __init__(self, run, p, state, names):
        super().__init__()
        self.run, self.p, self.state, self.names = run, p, state, names

    def forward(self, *x):
        return self.run(self.p, dict(zip(self.names, x)), self.state)


def main(suite, case, way, folder, out):
    way, folder = suites.make(suite, case).ways[way], pathlib.Path(folder)
    p, x = (tensors(load_file(folder / f)) for f in "px")
    with torch.no_grad():
        state = way.prepare(p, x) if way.prepare else None
        graph = Graph(way.run, p, state, list(x)).eval()
        # Other inputs and what comes of them: a graph that has kept a value of these inputs would be wrong there.
        other = tensors(suites.make(suite, case, 1).x)
        y = way.run(p, dict(other), state)
        save_file({f"x.{k}": v.numpy() for k, v in other.items()} | {"y": y.numpy()}, f"{out}.other")
        torch.onnx.export(graph, tuple(x.values()), out, dynamo=True, input_names=[f"x.{k}" for k in x], output_names=["y"], verbose=False)


def reason(error):
    """The first line of what lies at the bottom of an error."""
    while error.__cause__:
        error = error.__cause__
    lines = [l.strip() for l in str(error).splitlines() if l.strip()] or [type(error).__name__]
    return f"{type(error).__name__}: {lines[0]}"[:200]


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Exception as error:
        print(reason(error), file=sys.stderr)
        raise SystemExit(1)
