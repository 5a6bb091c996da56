"""The peers in PyTorch. A side is made without a model first, so that it can be said what the program itself holds; `load` gives it one."""
import os
import shutil

import torch
from safetensors.numpy import load_file

from . import suites


def tensors(arrays):
    return {k: torch.tensor(v) for k, v in arrays.items()}


class Eager:
    def __init__(self, threads):
        torch.set_num_threads(threads)
        torch.ones(8, 8) @ torch.ones(8, 8)

    def load(self, suite, case, way, folder):
        way = suites.make(suite, case).ways[way]
        self.p, self.x = (tensors(load_file(folder / f)) for f in "px")
        with torch.inference_mode():
            self.state = way.prepare(self.p, self.x) if way.prepare else None
        self.run = way.run

    def call(self):
        with torch.inference_mode():
            return self.run(self.p, self.x, self.state)

    def numpy(self, y):
        return y.numpy()

    def only_here(self):
        """Why its time is of these inputs alone, if it is so."""
        return None

    def notes(self):
        return []


class Compiled(Eager):
    """`torch.compile` with Inductor, for the sizes of these inputs, but not for their values: it sees others first, as a server would, so
    that what data give (how many rows an expert has) becomes a size that may vary."""

    def __init__(self, threads):
        if not (os.environ.get("CXX") or any(map(shutil.which, ("g++", "c++", "clang++")))):
            raise RuntimeError("Inductor needs a C++ compiler, and there is none")
        super().__init__(threads)
        # What the compiler itself holds belongs to the program, not to the model.
        with torch.inference_mode():
            torch.compile(lambda x: x + 1, dynamic=False)(torch.ones(64))
        torch._dynamo.utils.counters.clear()

    def load(self, suite, case, way, folder):
        super().load(suite, case, way, folder)
        eager, others = self.run, [tensors(suites.make(suite, case, k).x) for k in (1, 2, 3)]
        # In one graph, sizes that data give among it, if it can be; otherwise in pieces with Python between them.
        for whole in (True, False):
            torch._dynamo.config.capture_dynamic_output_shape_ops = whole
            torch._dynamo.config.capture_scalar_outputs = whole
            torch._dynamo.reset()
            torch._dynamo.utils.counters.clear()
            self.run = torch.compile(eager)
            try:
                for x in others[:2] + [self.x]:
                    self.see(x)
                break
            except Exception:
                if not whole:
                    raise
        before = graphs()
        self.see(others[2])
        self.anew = graphs() > before

    def see(self, x):
        with torch.inference_mode():
            self.run(self.p, x, self.state)

    def only_here(self):
        return "is compiled anew when values of the inputs change" if self.anew else None

    def notes(self):
        breaks = sum(torch._dynamo.utils.counters["graph_break"].values())
        return [f"{breaks} graph breaks"] if breaks else []


def graphs():
    return torch._dynamo.utils.counters["stats"]["unique_graphs"]
