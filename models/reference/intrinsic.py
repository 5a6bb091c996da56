"""The expected values of ../intrinsic.hnet (Aghajanyan et al. 2021): the transform as SciPy's Hadamard matrix, the slope by autograd."""

import torch
from scipy.linalg import hadamard
from torch.nn.functional import cross_entropy

from shelf import mlp, read, write

p, x = read("intrinsic")
h = torch.tensor(hadamard(128)).double()
sign = torch.where(p["project.flip"] < 0, -1.0, 1.0).double()
order = (37 * torch.arange(128) + 5) % 128
spread = p["project.spread"]
code = p["code"].requires_grad_(True)
once = h @ (torch.nn.functional.pad(code, (0, 112)) * sign)
change = h @ (once[order] * spread) / (128 * spread.norm())
target = p / "target"
target["fc1.w"] = target["fc1.w"] + p["rate"][0] * change[:64].reshape(8, 8)
target["fc2.w"] = target["fc2.w"] + p["rate"][1] * change[64:104].reshape(8, 5)
logits = mlp(target, x["x"])
nll = cross_entropy(logits, x["label"])
(slope,) = torch.autograd.grad(nll, code)
write("intrinsic", change=change.detach(), logits=logits.detach(), nll=nll.detach(), slope=slope)
