"""What the scripts beside it share: seeded numbers that an f32 holds, and the files of a case.

Each script writes what its `.hnet` must give by a reference from elsewhere: PyTorch, transformers, SciPy or NumPy, in f64.

    pip install torch numpy scipy safetensors && python tests/library/attention.py
"""
import pathlib

import numpy as np
import torch
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent
torch.set_default_dtype(torch.float64)


class Case:
    """The tensors of one case: what is drawn is remembered under its name."""

    def __init__(self, name, seed=1):
        self.name, self.rng = name, np.random.default_rng(seed)
        self.inputs, self.params, self.expected = {}, {}, {}

    def _keep(self, table, name, value):
        value = np.asarray(value)
        if value.dtype == np.float64:
            value = value.astype(np.float32)
        table[name] = np.array(value, order="C")
        return torch.tensor(value.astype(np.float64) if value.dtype == np.float32 else value)

    def input(self, name, *shape):
        return self._keep(self.inputs, name, self.rng.normal(size=shape))

    def given(self, name, value):
        return self._keep(self.inputs, name, value)

    def param(self, name, *shape, scale=0.5):
        return self._keep(self.params, name, self.rng.normal(size=shape) * scale)

    def stored(self, name, value):
        return self._keep(self.params, name, value)

    def linear(self, path, i, o, bias=True, scale=0.5):
        """A layer `x @ w + bias` of the library as one of PyTorch."""
        layer = torch.nn.Linear(i, o, bias)
        layer.weight.data = self.param(f"{path}.w", i, o, scale=scale).T.contiguous()
        if bias:
            layer.bias.data = self.param(f"{path}.bias", o, scale=scale)
        return layer

    def expect(self, name, value):
        if isinstance(value, torch.Tensor):
            value = value.detach().numpy()
        value = np.asarray(value)
        kind = {"f": np.float32, "i": np.int32, "u": np.int32, "b": np.bool_}[value.dtype.kind]
        self.expected[name] = np.array(value.astype(kind), order="C")

    def save(self):
        for kind in ["inputs", "params", "expected"]:
            table = getattr(self, kind)
            if table:
                save_file({k: v.astype(np.int32) if v.dtype == np.int64 else v for k, v in table.items()}, HERE / f"{self.name}.{kind}.safetensors")
