"""Layers along time: PyTorch's LSTM and GRU, and the authors' reference loops."""
import math

import torch
import torch.nn.functional as F

from common import Case

c = Case("recurrent", 11)
B, T, D = 2, 5, 4
x = c.input("x", B, T, D)
code = c.input("code", B, 2)


def lstm(path, i, d):
    """`wx: [4, i, d]` in the order input, candidate, forget, output; PyTorch has input, forget, candidate, output."""
    order = [0, 2, 1, 3]
    wx, wh, bias = c.param(f"{path}.wx", 4, i, d), c.param(f"{path}.wh", 4, d, d), c.param(f"{path}.bias", 4, d)
    net = torch.nn.LSTM(i, d, batch_first=True)
    flat = lambda w: w[order].transpose(1, 2).flatten(0, 1)
    net.weight_ih_l0.data, net.weight_hh_l0.data = flat(wx), flat(wh)
    net.bias_ih_l0.data, net.bias_hh_l0.data = bias[order].flatten(), torch.zeros(4 * d)
    return net


def gru(i, d, wx, wh, bias_x, bias_h):
    net = torch.nn.GRU(i, d, batch_first=True)
    flat = lambda w: w.transpose(1, 2).flatten(0, 1)
    net.weight_ih_l0.data, net.weight_hh_l0.data = flat(wx), flat(wh)
    net.bias_ih_l0.data, net.bias_hh_l0.data = bias_x.flatten(), bias_h.flatten()
    return net


y, (m, last) = lstm("lstm.cell", D, 3)(x)
c.expect("lstm_y", y)
c.expect("lstm_c", last[0])
net = gru(D, 3, *(c.param(f"gru.cell.{n}", *s) for n, s in [("wx", (3, D, 3)), ("wh", (3, 3, 3)), ("bias_x", (3, 3)), ("bias_h", (3, 3))]))
back, h = net(x.flip(1))
c.expect("gru_y", back.flip(1))
c.expect("gru_h", h[0])
there, _ = lstm("both.there.cell", D, 2)(x)
back, _ = lstm("both.back.cell", D, 2)(x.flip(1))
c.expect("both_y", torch.cat([there, back.flip(1)], -1))
cell = torch.nn.RNNCell(D, 3)
cell.weight_ih.data, cell.weight_hh.data = c.param("plain.wx", D, 3).T, c.param("plain.wh", 3, 3).T
cell.bias_ih.data, cell.bias_hh.data = c.param("plain.bias", 3), torch.zeros(3)
c.expect("plain_y", cell(x[:, 0], m[0]))

sizes = [(3, D, 2), (3, 2, 2), (3, 2), (3, 2)]
written = c.linear("hyper", 2, sum(math.prod(s) for s in sizes))(code)
rows = []
for b in range(B):
    parts = [p.view(s) for p, s in zip(written[b].split([math.prod(s) for s in sizes]), sizes)]
    rows.append(gru(D, 2, *parts)(x[b : b + 1])[1][0, 0])
c.expect("own_h", torch.stack(rows))

# S4D as a convolution (`S4DKernel` of the authors), not as a recurrence.
dt = torch.exp(c.param("ssm.log_dt", D))
decay, turn, cc, skip = c.param("ssm.log_decay", D, 3), c.param("ssm.turn", D, 3), c.param("ssm.c", D, 3, 2), c.param("ssm.skip", D)
a = -torch.exp(decay) + 1j * turn
dta = a * dt[:, None]
kernel = 2 * torch.einsum("hn,hnl->hl", torch.view_as_complex(cc.contiguous()) * (torch.exp(dta) - 1) / a, torch.exp(dta[..., None] * torch.arange(T))).real
y = torch.stack([sum(kernel[:, l] * x[:, t - l] for l in range(t + 1)) for t in range(T)], 1)
c.expect("ssm_y", y + x * skip)


def mamba(path, d, n, inner, k, rank):
    """`Mamba.forward` and `selective_scan_ref` of the authors."""
    m = lambda name, *s: c.param(f"{path}.{name}", *s)
    u, z = x @ m("u.w", d, inner), x @ m("z.w", d, inner)
    kernel, bias = m("kernel", k, inner), m("kernel_bias", inner)
    u = F.conv1d(F.pad(u.transpose(1, 2), (k - 1, 0)), kernel.T[:, None], bias, groups=inner).transpose(1, 2)
    u = F.silu(u)
    delta = F.softplus((u @ m("low.w", inner, rank)) @ m("dt", rank, inner) + m("dt_bias", inner))
    bs, cs = u @ m("b.w", inner, n), u @ m("c.w", inner, n)
    a = -torch.exp(m("a_log", inner, n))
    h, ys = torch.zeros(B, inner, n), []
    for t in range(T):
        h = torch.exp(delta[:, t, :, None] * a) * h + delta[:, t, :, None] * bs[:, t, None] * u[:, t, :, None]
        ys.append((h * cs[:, t, None]).sum(-1))
    y = torch.stack(ys, 1) + u * m("skip", inner)
    return (y * F.silu(z)) @ m("out.w", inner, d)


c.expect("mamba_y", mamba("mamba", D, 3, 6, 3, 2))


def parts(path):
    split = lambda y: y.unflatten(-1, (2, 2)).transpose(1, 2)
    return [split(x @ c.param(f"{path}.{n}.w", D, D)) for n in "qkv"]


def out(path, y):
    return y.transpose(1, 2).flatten(2) @ c.param(f"{path}.o.w", D, D)


causal = torch.ones(T, T).tril()
q, k, v = parts("line")
q, k = F.elu(q) + 1, F.elu(k) + 1
w = (q @ k.transpose(-1, -2)) * causal
c.expect("line_y", out("line", w @ v / (w.sum(-1, keepdim=True) + 1e-6)))
# Retention in its parallel form.
q, k, v = parts("keep")
i = torch.arange(T).double()
gamma = 1 - 2.0 ** (-5 - torch.arange(2).double())
mask = gamma[:, None, None] ** (i[:, None] - i) * causal
c.expect("keep_y", out("keep", (q @ k.transpose(-1, -2) / math.sqrt(2) * mask) @ v))
# `delta_rule_recurrence` of flash-linear-attention.
q, k, v = parts("delta")
normal = lambda y: F.silu(y) / torch.sqrt((F.silu(y) ** 2).sum(-1, keepdim=True) + 1e-6)
q, k = normal(q) / math.sqrt(2), normal(k)
beta = torch.sigmoid(x @ c.param("delta.rate.w", D, 2)).transpose(1, 2)
s, ys = torch.zeros(B, 2, 2, 2), []
for t in range(T):
    kt = k[:, :, t]
    fresh = (v[:, :, t] - (s * kt[..., None]).sum(-2)) * beta[:, :, t, None]
    s = s + kt[..., None] * fresh[..., None, :]
    ys.append((s * q[:, :, t, :, None]).sum(-2))
c.expect("delta_y", out("delta", torch.stack(ys, 2)))
c.save()
