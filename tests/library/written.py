"""Hypernetworks, written out in PyTorch."""
import torch
import torch.nn.functional as F

from common import Case

c = Case("written", 19)
x, z = c.input("x", 2, 4), c.input("z", 2, 3)
link = c.given("link", torch.tensor([[0.0, 1, 1], [0, 0, 1], [0, 0, 0]]))


def through(w):
    return torch.einsum("bi,bio->bo", x, w)


h = F.relu(c.linear("low.trunk", 3, 5)(z))
down, up = c.linear("low.left", 5, 8)(h).view(2, 4, 2), c.linear("low.right", 5, 12)(h).view(2, 2, 6)
c.expect("one_y", through(down @ up))
h = F.relu(c.linear("kron.trunk", 3, 5)(z))
left, right = c.linear("kron.left", 5, 12)(h).view(2, 2, 2, 3), c.linear("kron.right", 5, 8)(h).view(2, 2, 2, 2)
c.expect("two_y", through(torch.stack([sum(torch.kron(left[b, k], right[b, k]) for k in range(2)) for b in range(2)])))
fc1, fc2 = c.linear("place.field.fc1", 5, 7), c.linear("place.field.fc2", 7, 1)
grid = torch.cartesian_prod(torch.linspace(-1, 1, 4), torch.linspace(-1, 1, 6))
rows = torch.cat([grid.expand(2, 24, 2), z[:, None].expand(2, 24, 3)], -1)
c.expect("three_y", through(fc2(F.relu(fc1(rows))).view(2, 4, 6)))


def hyper(path, i, h, o):
    trunk, head = c.linear(f"{path}.trunk", i, h), c.linear(f"{path}.head", h, o)
    return lambda e: head(F.relu(trunk(e)))


state = c.param("graph.code", 3, 4)
message, write = hyper("graph.message", 4, 5, 4), hyper("graph.write", 4, 5, 24)
cell = torch.nn.GRUCell(4, 4)
flat = lambda n: c.param(f"graph.update.{n}", 3, 4, 4).transpose(1, 2).flatten(0, 1)
cell.weight_ih.data, cell.weight_hh.data = flat("wx"), flat("wh")
cell.bias_ih.data, cell.bias_hh.data = c.param("graph.update.bias_x", 3, 4).flatten(), c.param("graph.update.bias_h", 3, 4).flatten()
for _ in range(2):
    state = cell(link.T @ message(state), state)
c.expect("layers", torch.einsum("bi,lio->lbo", x, write(state).view(3, 4, 6)))
c.save()
