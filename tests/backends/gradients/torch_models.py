"""Gradients of shipped models from PyTorch in f64.

    pip install torch safetensors && python tests/backends/gradients/torch_models.py
"""
import math

import torch
import torch.nn.functional as F
from made import Values

torch.set_default_dtype(torch.float64)


def settle(name, sizes, values, loss):
    params = {k: torch.tensor(v, requires_grad=True) for k, v in values.params.items()}
    inputs = {k: torch.tensor(v) for k, v in values.inputs.items()}
    number = loss(params, inputs)
    slopes = torch.autograd.grad(number, list(params.values()), allow_unused=True)
    slopes = [torch.zeros_like(p) if g is None else g for p, g in zip(params.values(), slopes)]
    values.save(name, sizes, number.detach(), {k: g.numpy() for k, g in zip(params, slopes)})


def linear(p, at, x):
    return x @ p[at + ".w"] + p[at + ".bias"]


def mlp(p, at, x):
    return linear(p, at + ".fc2", linear(p, at + ".fc1", x).relu())


def norm(p, at, x):
    return F.layer_norm(x, x.shape[-1:], p[at + ".gain"], p[at + ".bias"])


def cut(flat, *shapes):
    """A vector as weights, one after the other."""
    parts = flat.split([math.prod(s) for s in shapes])
    return [part.reshape(s) for part, s in zip(parts, shapes)]


# One hypernetwork, five classifiers.


def task_digits():
    v = Values()
    v.param("embed", 5, 16, spread=1.0)
    v.linear("hyper.trunk", 16, 64)
    v.linear("hyper.head", 64, 2410)
    v.whole("task", 3)
    v.floats("x", 6, 64)
    v.wholes("label", 10, 6)

    def loss(p, x):
        flat = linear(p, "hyper.head", linear(p, "hyper.trunk", p["embed"][x["task"]]).relu())
        w1, b1, w2, b2 = cut(flat, (64, 32), (32,), (32, 10), (10,))
        return F.cross_entropy((x["x"] @ w1 + b1).relu() @ w2 + b2, x["label"])

    settle("task_digits.0.0.0", {"b": 6}, v, loss)


# HyperLSTM (Ha et al. 2017): the rows of the weights are scaled in every step.


def hyperlstm():
    v = Values()
    v.param("vocab", 64, 32, spread=0.5)
    v.param("lstm.main.wh", 4, 64, 64)
    v.param("lstm.main.wx", 4, 32, 64)
    v.norm("lstm.main.norm.*", 64, 4)
    v.norm("lstm.main.out", 64)
    v.param("lstm.inner.wx", 4, 96, 16)
    v.param("lstm.inner.wh", 4, 16, 16)
    v.param("lstm.inner.bias", 4, 16)
    for part in ["scale_h", "scale_x", "shift"]:
        v.linear(f"lstm.{part}.code.*", 16, 4, 4)
        v.linear(f"lstm.{part}.write.*", 4, 64, 4)
    v.linear("head", 64, 64)
    v.wholes("token", 64, 3, 5)

    def rows(p, at, m):
        code = torch.einsum("bm,gmz->bgz", m, p[at + ".code.*.w"]) + p[at + ".code.*.bias"]
        return torch.einsum("bgz,gzd->bgd", code, p[at + ".write.*.w"]) + p[at + ".write.*.bias"]

    def step(p, x, h, c, m, n):
        joined = torch.cat([h, x], dim=1)
        a = torch.einsum("bi,gid->gbd", joined, p["lstm.inner.wx"]) + torch.einsum("bi,gid->gbd", m, p["lstm.inner.wh"])
        a = a + p["lstm.inner.bias"][:, None]
        n = a[2].sigmoid() * n + a[0].sigmoid() * a[1].tanh()
        m = a[3].sigmoid() * n.tanh()
        wh = p["lstm.main.wh"] * rows(p, "lstm.scale_h", m)[:, :, None]
        wx = p["lstm.main.wx"] * rows(p, "lstm.scale_x", m)[:, :, None]
        pre = torch.einsum("bj,bgjk->bgk", h, wh) + torch.einsum("bj,bgjk->bgk", x, wx) + rows(p, "lstm.shift", m)
        gate = [
            F.layer_norm(pre[:, g], (64,), p["lstm.main.norm.*.gain"][g], p["lstm.main.norm.*.bias"][g]) for g in range(4)
        ]
        c = gate[2].sigmoid() * c + gate[0].sigmoid() * gate[1].tanh()
        return gate[3].sigmoid() * norm(p, "lstm.main.out", c).tanh(), c, m, n

    def loss(p, x):
        h = c = torch.zeros(3, 64)
        m = n = torch.zeros(3, 16)
        logits = []
        for t in range(5):
            h, c, m, n = step(p, p["vocab"][x["token"][:, t]], h, c, m, n)
            logits.append(linear(p, "head", h))
        logits = torch.stack(logits[:-1], dim=1)
        return F.cross_entropy(logits.reshape(12, 64), x["token"][:, 1:].reshape(12)) / math.log(2)

    settle("hyperlstm.0.0.0", {"b": 3, "t": 5}, v, loss)


# Mixtures of experts: a bias that picks (DeepSeek-V3 2024), and experts that are merged (Muqeeth et al. 2023).


def experts(v, at, n, d, h):
    v.param(f"{at}.w1", n, d, h)
    v.param(f"{at}.w3", n, d, h)
    v.param(f"{at}.w2", n, h, d)


def mixed(p, at, x, weight):
    """Every expert for every example, weighed: `weight` is [example, expert]."""
    one = [F.silu(x @ w1) * (x @ w3) @ w2 for w1, w3, w2 in zip(p[at + ".w1"], p[at + ".w3"], p[at + ".w2"])]
    return torch.einsum("ebd,be->bd", torch.stack(one), weight)


def bias_moe():
    v = Values()
    v.param("moe.gate.w", 16, 8)
    experts(v, "moe.expert.*", 8, 16, 32)
    v.param("moe.bias", 8, spread=0.3)
    v.floats("x", 12, 16)
    v.floats("want", 12, 16)

    def loss(p, x):
        score = (x["x"] @ p["moe.gate.w"]).sigmoid()
        pick = (score + p["moe.bias"]).topk(2).indices
        w = score.gather(1, pick)
        weight = torch.zeros(12, 8).scatter(1, pick, w / (w.sum(1, keepdim=True) + 1e-9))
        return ((mixed(p, "moe.expert.*", x["x"], weight) - x["want"]) ** 2).sum(1).mean()

    settle("bias_moe.0.0.0", {"b": 12}, v, loss)


def smear_dropout():
    v = Values()
    v.linear("smear.router", 16, 4)
    v.mlp("smear.expert.*", 16, 32, 16, 4)
    v.linear("head", 16, 4)
    v.floats("x", 5, 3, 16)
    v.wholes("label", 4, 5)
    v.floats("draw.0", 5, 4, centre=0.62, spread=0.37)

    def loss(p, x):
        kept = linear(p, "smear.router", x["x"].mean(1)).softmax(1) * (x["draw.0"] < 0.9)
        r = kept / (kept.sum(1, keepdim=True) + 1e-9)
        w = {k: torch.einsum("be,e...->b...", r, p[f"smear.expert.*.{k}"]) for k in ["fc1.w", "fc1.bias", "fc2.w", "fc2.bias"]}
        y = (x["x"] @ w["fc1.w"] + w["fc1.bias"][:, None]).relu() @ w["fc2.w"] + w["fc2.bias"][:, None]
        return F.cross_entropy(linear(p, "head", (x["x"] + y).mean(1)), x["label"])

    settle("smear_dropout.0.0.0", {"b": 5, "t": 3}, v, loss)


# Seats (Xue et al. 2022): one mixture at four depths. A slot whose expert is full says nothing.


def widenet():
    v = Values()
    v.linear("embed", 4, 32)
    v.param("place", 16, 32, spread=0.5)
    for name in ["wq", "wk", "wv"]:
        v.param(f"attn.{name}", 32, 4, 8, spread=0.25)
    v.param("attn.wo", 4, 8, 32, spread=0.25)
    v.linear("moe.router", 32, 4)
    v.mlp("moe.expert.*", 32, 64, 32, 4)
    v.norm("norm1.*", 32, 4)
    v.norm("norm2.*", 32, 4)
    v.linear("head", 32, 10)
    v.floats("x", 2, 16, 4)
    v.wholes("label", 10, 2)

    def attend(p, x):
        q, k, u = (torch.einsum("bti,ihe->bhte", x, p[f"attn.{n}"]) for n in ["wq", "wk", "wv"])
        y = (q @ k.transpose(2, 3) / math.sqrt(8)).softmax(3) @ u
        return torch.einsum("bhte,hej->btj", y, p["attn.wo"])

    def seats(pick, n):
        """Who has a seat: slot 0 of all examples first, in order, then slot 1."""
        limit = math.ceil(1.25 * 2 * pick.shape[0] / n)
        taken, seat = [0] * n, torch.zeros(pick.shape)
        for s in range(2):
            for b in range(pick.shape[0]):
                e = int(pick[b, s])
                seat[b, s] = taken[e] < limit
                taken[e] += 1
        assert not seat.all(), "somebody has no seat"
        return seat

    def moe(p, x):
        top = linear(p, "moe.router", x).softmax(1).topk(2)
        weight = torch.zeros(x.shape[0], 4).scatter(1, top.indices, top.values * seats(top.indices, 4))
        w = [p[f"moe.expert.*.{k}"] for k in ["fc1.w", "fc1.bias", "fc2.w", "fc2.bias"]]
        one = [(x @ w1 + b1).relu() @ w2 + b2 for w1, b1, w2, b2 in zip(*w)]
        return torch.einsum("ebd,be->bd", torch.stack(one), weight)

    def loss(p, x):
        h = linear(p, "embed", x["x"]) + p["place"]
        for l in range(4):
            at = lambda k: (h.shape[-1:], p[f"norm{k}.*.gain"][l], p[f"norm{k}.*.bias"][l])
            h = h + attend(p, F.layer_norm(h, *at(1)))
            h = h + moe(p, F.layer_norm(h, *at(2)).reshape(32, 32)).reshape(2, 16, 32)
        return F.cross_entropy(linear(p, "head", h.mean(1)), x["label"])

    settle("widenet.nll", {"b": 2, "t": 16}, v, loss)


# Diffusion over weights (Peebles et al. 2022), with the cosine schedule (Nichol and Dhariwal 2021).


def weight_diffusion():
    v = Values()
    v.linear("denoise.fc1", 43, 128)
    v.linear("denoise.fc2", 128, 128)
    v.linear("denoise.fc3", 128, 25)
    v.floats("zoo", 6, 25)
    v.floats("shape", 6, 2)
    v.floats("draw.0", 6, centre=0.5, spread=0.5)
    v.floats("draw.1", 6, 25)

    def left(j):
        return (torch.cos((j / 50 + 0.008) / 1.008 * math.pi / 2) / math.cos(0.008 / 1.008 * math.pi / 2)) ** 2

    def loss(p, x):
        j = (x["draw.0"] * 50).floor()
        a = left(j + 1)[:, None]
        dirty = a.sqrt() * x["zoo"] + (1 - a).sqrt() * x["draw.1"]
        f = (j / 50)[:, None] * torch.exp(-math.log(10000.0) * 2 * torch.arange(8) / 16)
        h = torch.cat([dirty, f.sin(), f.cos(), x["shape"]], dim=1)
        h = linear(p, "denoise.fc2", linear(p, "denoise.fc1", h).relu()).relu()
        return ((linear(p, "denoise.fc3", h) - x["zoo"]) ** 2).sum(1).mean()

    settle("weight_diffusion.0.0.0", {"b": 6}, v, loss)


# Self-tuning networks (MacKay et al. 2019): both players.


def self_tuning(which):
    v = Values()
    v.param("centre", 2)
    v.param("log_sigma", 2)
    v.mlp("target", 64, 64, 10)
    for k, (i, o) in enumerate([(64, 64), (64, 10)]):
        v.param(f"response.{k}.slope", i, o)
        v.param(f"response.{k}.gate", 2, o)
        v.param(f"shift.{k}.slope", o)
        v.param(f"shift.{k}.gate", 2, o)
    v.floats("x", 4, 64)
    v.wholes("label", 10, 4)
    v.floats("draw.0", 4, 2)
    v.floats("draw.1", 4, 64, centre=0.5, spread=0.5)

    def loss(p, x):
        lam = p["centre"] + p["log_sigma"].exp() * x["draw.0"]
        w = [
            p[f"target.fc{k + 1}.w"] + (lam @ p[f"response.{k}.gate"])[:, None] * p[f"response.{k}.slope"] for k in (0, 1)
        ]
        b = [p[f"target.fc{k + 1}.bias"] + (lam @ p[f"shift.{k}.gate"]) * p[f"shift.{k}.slope"] for k in (0, 1)]
        h = (torch.einsum("bi,bio->bo", x["x"], w[0]) + b[0]).relu()
        if which == 0:
            rate = lam[:, 1:].sigmoid()
            h = torch.where(x["draw.1"] < rate, 0.0, h / (1 - rate))
        fit = F.cross_entropy(torch.einsum("bi,bio->bo", h, w[1]) + b[1], x["label"], reduction="none")
        if which == 1:
            return fit.mean() - 1e-3 * p["log_sigma"].sum()
        squares = sum((t**2).flatten(1).sum(1) for t in w + b)
        return (fit + (lam[:, 0] - 5).exp() * squares).mean()

    settle(f"self_tuning.0.{which}.0", {"b": 4}, v, loss)


# Low-rank updates for each sample (Hu et al. 2021); a decoder of the Mixtral family (Jiang et al. 2024).


def lora_hyper():
    v = Values()
    v.linear("base", 48, 48)
    v.linear("down", 64, 144)
    v.linear("up", 64, 144)
    v.floats("z", 4, 64)
    v.floats("x", 4, 48)
    v.floats("weight.output", 4, 48)

    def loss(p, x):
        a, u = linear(p, "down", x["z"]).reshape(4, 48, 3), linear(p, "up", x["z"]).reshape(4, 3, 48)
        y = torch.einsum("bi,bio->bo", x["x"], p["base.w"] + a @ u) + p["base.bias"]
        return (x["weight.output"] * y).sum()

    settle("lora_hyper.outputs", {"b": 4}, v, loss)


def decoder():
    v = Values()
    v.param("embed", 50, 32, spread=0.5)
    v.param("block.*.norm1.scale", 2, 32, centre=1.0, spread=0.3)
    for part in "qkvo":
        v.param(f"block.*.attn.{part}.w", 2, 32, 32)
    v.param("block.*.norm2.scale", 2, 32, centre=1.0, spread=0.3)
    v.param("block.*.moe.gate.w", 2, 32, 4)
    for name, i, o in [("w1", 32, 48), ("w3", 32, 48), ("w2", 48, 32)]:
        v.param(f"block.*.moe.expert.*.{name}", 2, 4, i, o)
    v.param("norm.scale", 32, centre=1.0, spread=0.3)
    v.param("lm_head.w", 32, 50)
    v.wholes("token", 50, 7)
    v.floats("weight.output", 7, 50)

    def rms(x, scale):
        return x / (x**2).mean(1, keepdim=True).add(1e-5).sqrt() * scale

    def turned(x):
        """Rotary positions: [position, head, width]."""
        angle = torch.arange(7)[:, None] * 10000.0 ** (-torch.arange(4) / 4)
        cos, sin = angle.cos()[:, None], angle.sin()[:, None]
        a, b = x[..., :4], x[..., 4:]
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=2)

    def attend(p, x):
        q, k, u = ((x @ p[f"attn.{n}.w"]).reshape(7, 4, 8) for n in "qkv")
        score = torch.einsum("qhe,khe->hqk", turned(q), turned(k)) / math.sqrt(8)
        score = score.masked_fill(torch.ones(7, 7).triu(1).bool(), -math.inf)
        return torch.einsum("hqk,khe->qhe", score.softmax(2), u).reshape(7, 32) @ p["attn.o.w"]

    def moe(p, x):
        top = (x @ p["moe.gate.w"]).softmax(1).topk(2)
        weight = torch.zeros(7, 4).scatter(1, top.indices, top.values / top.values.sum(1, keepdim=True))
        return mixed(p, "moe.expert.*", x, weight)

    def loss(p, x):
        h = p["embed"][x["token"]]
        for l in range(2):
            own = {k[len("block.*.") :]: w[l] for k, w in p.items() if k.startswith("block.*.")}
            h = h + attend(own, rms(h, own["norm1.scale"]))
            h = h + moe(own, rms(h, own["norm2.scale"]))
        return (x["weight.output"] * (rms(h, p["norm.scale"]) @ p["lm_head.w"])).sum()

    settle("decoder.outputs", {"t": 7}, v, loss)


for case in [task_digits, hyperlstm, bias_moe, smear_dropout, widenet, weight_diffusion, lora_hyper, decoder]:
    case()
self_tuning(0)
self_tuning(1)
