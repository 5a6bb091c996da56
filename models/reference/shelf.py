"""What the references here share: they read what lies beside a model, and write what it should give.

    python3 models/reference/NAME.py [FOLDER]

reads NAME.params.safetensors and NAME.inputs.safetensors of models/, or of another folder, and writes NAME.expected.safetensors
there. Everything is computed in float64 and stored as float32. Nothing of hnet is used.
"""

import os
import sys

import torch
from safetensors.torch import load_file, save_file

FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


class Params(dict):
    """Tensors by their dotted paths; `p / "block.0"` has those below that path, `p.nets("expert")` one for each net of an array."""

    def __truediv__(self, path):
        return Params({k[len(path) + 1 :]: v for k, v in self.items() if k.startswith(path + ".")})

    def nets(self, path):
        below = self / path
        return [below / str(n) for n in range(1 + max(int(k.split(".")[0]) for k in below))]


def read(name):
    def load(what):
        path = os.path.join(FOLDER, f"{name}.{what}.safetensors")
        tensors = load_file(path) if os.path.exists(path) else {}
        return {k: v.double() if v.is_floating_point() else v.long() for k, v in tensors.items()}

    return Params(load("params")), load("inputs")


def write(name, **outputs):
    def plain(v):
        v = torch.as_tensor(v)
        return v.float().contiguous() if v.is_floating_point() else v.contiguous() if v.dtype == torch.bool else v.int().contiguous()

    save_file({k: plain(v) for k, v in outputs.items()}, os.path.join(FOLDER, f"{name}.expected.safetensors"))


def linear(p, x, path=""):
    below = p / path if path else p
    return x @ below["w"] + below["bias"] if "bias" in below else x @ below["w"]


def mlp(p, x, path=""):
    """Two layers with a ReLU between, as std.mlp has them."""
    below = p / path if path else p
    return linear(below, torch.relu(linear(below, x, "fc1")), "fc2")


def layer_norm(p, x, path=""):
    below = p / path if path else p
    return torch.nn.functional.layer_norm(x, x.shape[-1:], below["gain"], below["bias"], 1e-5)


def unpack(v, shapes):
    """Cuts vectors [.., n] into tensors, one after the other: {name: shape} to {name: [.., *shape]}."""
    out, at = {}, 0
    for name, shape in shapes.items():
        n = int(torch.tensor(shape).prod())
        out[name] = v[..., at : at + n].reshape(*v.shape[:-1], *shape)
        at += n
    assert at == v.shape[-1]
    return Params(out)
