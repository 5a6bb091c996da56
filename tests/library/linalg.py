"""Matrices: NumPy's LAPACK; the signs that it leaves open are those that std.linalg says."""
import numpy as np
import torch

from common import Case

c = Case("linalg")
a = c.rng.normal(size=(3, 3, 3)) + np.array([0, 0, 1])[:, None, None]
# A pivot that is 0, and a right side of zeros.
a[1, 0, 0] = 0
a = c.given("a", a)
rhs = c.rng.normal(size=(3, 2, 3))
rhs[0, 0] = 0
rhs = c.given("c", rhs)
tall = c.rng.normal(size=(3, 4, 3))
tall[2, :, 1] *= 1e-2
tall = c.given("tall", tall).numpy()
n = a.numpy()
c.expect("x", np.linalg.solve(n[:, None], rhs.numpy()[..., None])[..., 0])
c.expect("back", np.linalg.inv(n))
c.expect("half", np.linalg.cholesky(n @ n.swapaxes(1, 2) + 0.5 * np.eye(3)))
q, r = np.linalg.qr(tall)
sign = np.sign(np.diagonal(r, axis1=1, axis2=2))
c.expect("q", q * sign[:, None])
c.expect("r", r * sign[:, :, None])


def signs(v):
    """The largest component of each column is positive."""
    return np.where(v.max(-2) < -v.min(-2), -1.0, 1.0)[..., None, :]


even = n + n.swapaxes(1, 2)
for names, m in [(("values", "vectors"), even), (("two", "second"), even[:, :2, :2])]:
    value, vector = np.linalg.eigh(m)
    c.expect(names[0], value)
    c.expect(names[1], vector * signs(vector))
u, s, vt = np.linalg.svd(tall, full_matrices=False)
v = vt.swapaxes(1, 2)
c.expect("u", u * signs(v))
c.expect("lengths", s)
c.expect("v", v * signs(v))
t = a.clone().requires_grad_()
total = (torch.linalg.eigvalsh((t + t.transpose(1, 2))[:, :2, :2]) * torch.arange(1, 3)).sum()
c.expect("slope", torch.autograd.grad(total, t)[0])
c.save()
