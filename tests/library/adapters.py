"""Adapters: the formulas of the papers in PEFT's form, over PyTorch."""
import torch
import torch.nn.functional as F

from common import Case

c = Case("adapters", 5)
B, T, I, O = 2, 3, 8, 6
x = c.input("x", B, T, I)
weight = c.input("weight", B, 3)


def base(path):
    return c.linear(f"{path}.base", I, O)


def low(path, r, i=I, o=O):
    return c.param(f"{path}.down", i, r) @ c.param(f"{path}.up", r, o)


layer = base("dora")
delta, magnitude = 2 * low("dora.delta", 2), c.param("dora.magnitude", O)
w = layer.weight.T + delta
c.expect("dora_y", x @ (w * magnitude / w.norm(dim=0)) + layer.bias)

layer = base("ada")
down, e, up = c.param("ada.down", I, 3), c.param("ada.weight", 3), c.param("ada.up", 3, O)
c.expect("ada_y", layer(x) + 2 * x @ (down * e) @ up)
orth = lambda m: (m - torch.eye(3)).norm()
c.expect("ada.orthogonal", orth(down.T @ down) + orth(up @ up.T))

layer = base("loha")
part = lambda n: c.param(f"loha.down{n}", I, 2) @ c.param(f"loha.up{n}", 2, O)
c.expect("loha_y", layer(x) + 2 * x @ (part(1) * part(2)))

layer = base("low")
c.expect("low_y", layer(x) + 0.5 * x @ torch.kron(c.param("low.outer", 2, 3), low("low", 2, 4, 2)))
layer = base("full")
c.expect("full_y", layer(x) + 2 * x @ torch.kron(c.param("full.outer", 4, 2), c.param("full.inner", 2, 3)))

c.expect("ia3_y", base("ia3")(x) * c.param("ia3.factor", O))
c.expect("inside_y", base("inside")(x * c.param("inside.factor", I)))


def cayley(skew):
    one = torch.eye(skew.shape[-1])
    return torch.linalg.solve(one + skew, one - skew, left=False)


layer, turn = base("oft"), c.param("oft.turn", 2, 6)
skew = torch.zeros(2, 4, 4)
row, col = torch.triu_indices(4, 4, 1)
skew[:, row, col] = turn
r = cayley(skew - skew.transpose(1, 2))
c.expect("oft_y", layer(torch.einsum("btgu,guv->btgv", x.unflatten(-1, (2, 4)), r).flatten(-2)))


def butterfly(n, blocks, half):
    """`block_butterfly_perm` of PEFT: within each block, parts with even numbers first."""
    size, out = n // blocks, torch.arange(n)
    order = torch.arange(size).view(-1, half)
    order = torch.cat([order[0::2], order[1::2]]).flatten()
    for i in range(0, n, size):
        out[i : i + size] = out[i : i + size][order]
    return out


layer, turn, scale = base("boft"), c.param("boft.turn", 3, 4, 2, 2), c.param("boft.scale", O)
whole = torch.eye(I)
for f in range(3):
    p = torch.eye(I)[butterfly(I, 4 // 2**f, 1)]
    blocks = torch.block_diag(*cayley((turn[f] - turn[f].transpose(1, 2)) / 2))
    whole = p @ blocks @ p.T @ whole
c.expect("boft_y", x @ whole @ layer.weight.T * scale + layer.bias)

layer = base("routed")
deltas = [low(f"routed.delta.{e}", 2) for e in range(4)]
value, pick = (x @ c.param("routed.gate.w", I, 4)).softmax(-1).topk(2, -1)
value = value / value.sum(-1, keepdim=True)
each = torch.stack([x @ d for d in deltas], -2)
c.expect("routed_y", layer(x) + 2 * (value[..., None] * each.gather(-2, pick[..., None].expand(*pick.shape, O))).sum(-2))
layer = base("mix")
each = torch.stack([x @ low(f"mix.delta.{e}", 2) for e in range(3)], -2)
c.expect("mix_y", layer(x) + 2 * (weight[:, None, :, None] * each).sum(-2))

c.expect("prompt_y", c.param("prompt.prompt", 2, I).expand(B, 2, I))
c.expect("behind", x[:, 0])
h = c.param("coded.code", 2, I)
for k, (i, o) in enumerate([(8, 5), (5, 5), (5, 8)]):
    h = c.linear(f"coded.fc{k + 1}", i, o)(h if k == 0 else F.relu(h))
c.expect("coded_y", h.expand(B, 2, I))

q, k, v, o = (c.linear(f"prefix.{n}", I, I) for n in "qkvo")
split = lambda y: y.unflatten(-1, (2, 4)).transpose(1, 2)
keys = torch.cat([c.param("prefix.k_prefix", 3, I).expand(B, 3, I), k(x)], 1)
values = torch.cat([c.param("prefix.v_prefix", 3, I).expand(B, 3, I), v(x)], 1)
see = torch.cat([torch.ones(T, 3), torch.ones(T, T).tril()], 1).bool()
y = F.scaled_dot_product_attention(split(q(x)), split(keys), split(values), see)
c.expect("prefix_y", o(y.transpose(1, 2).flatten(2)))
c.save()
