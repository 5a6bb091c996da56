"""The ten workloads: models of `models/` at their full size.

The PyTorch side is written as a careful user would write it: batched products, gathers by expert, no Python loop over samples; a fixed
condition is computed once where the model calls it a condition. Where rows find their experts there is a second way, all experts for all rows:
what has to be known before it runs, an exported graph say, may have no other.
"""
import numpy as np
import torch
import torch.nn.functional as F

from .case import Case, Draw, Way


def lin(p, name, x):
    return torch.addmm(p[f"{name}.bias"], x, p[f"{name}.w"])


def vec(p, name, x):
    return x @ p[f"{name}.w"] + p[f"{name}.bias"]


def hyper(p, z):
    return vec(p, "hyper.head", torch.relu(vec(p, "hyper.trunk", z)))


def split(flat, dims):
    out, at = [], 0
    for i, o in dims:
        w, at = flat[at : at + i * o].view(i, o), at + i * o
        b, at = flat[at : at + o], at + o
        out.append((w.contiguous(), b))
    return out


def inr(draw: Draw, rows=65536, width=64, code=128):
    dims = [(2, width), (width, width), (width, width), (width, 3)]
    p = {}
    draw.dense(p, "hyper.trunk", code, 2 * code)
    draw.dense(p, "hyper.head", 2 * code, sum(i * o + o for i, o in dims), std=0.02)
    x = {"z": draw.normal(code), "xy": draw.uniform(rows, 2)}

    def run(p, x, layers):
        h = x["xy"]
        for k, (w, b) in enumerate(layers):
            h = torch.addmm(b, h, w)
            if k < 3:
                h = torch.sin(h)
        return h

    way = Way(run, lambda p, x: split(hyper(p, x["z"]), dims))
    return Case("models/inr.hnet", {"width": width, "code": code}, p, x, {"": way})


def per_sample(draw: Draw, rows=512):
    p = {}
    draw.dense(p, "hyper.trunk", 32, 64)
    draw.dense(p, "hyper.head", 64, 808, std=0.05)
    x = {"z": draw.normal(rows, 32), "x": draw.normal(rows, 16)}

    def run(p, x, _):
        f = hyper(p, x["z"])
        h = torch.relu(torch.baddbmm(f[:, None, 512:544], x["x"][:, None], f[:, :512].view(-1, 16, 32)))
        return torch.baddbmm(f[:, None, 800:], h, f[:, 544:800].view(-1, 32, 8))[:, 0]

    return Case("models/per_sample.hnet", {}, p, x, {"": Way(run)})


def lora_hyper(draw: Draw, rows=64, d=1024, rank=8):
    p = {}
    draw.dense(p, "base", d, d)
    draw.dense(p, "down", 64, d * rank, std=0.01)
    draw.dense(p, "up", 64, rank * d, std=0.01)
    x = {"z": draw.normal(rows, 64), "x": draw.normal(rows, d)}

    def run(p, x, _):
        a, u = lin(p, "down", x["z"]).view(-1, d, rank), lin(p, "up", x["z"]).view(-1, rank, d)
        return lin(p, "base", x["x"]) + (x["x"][:, None] @ a @ u)[:, 0]

    return Case("models/lora_hyper.hnet", {"d": d, "rank": rank}, p, x, {"": Way(run)})


def condconv(draw: Draw, images=8, c=64, experts=8, side=28):
    p = {"expert.w": draw.normal(experts, c, c, 3, 3, std=1 / 24)}
    draw.dense(p, "gate", c, experts)
    x = {"x": draw.normal(images, c, side, side)}

    def run(p, x, _):
        g = torch.sigmoid(lin(p, "gate", x["x"].mean((2, 3))))
        w = (g @ p["expert.w"].flatten(1)).view(-1, c, 3, 3)
        y = F.conv2d(x["x"].reshape(1, -1, side, side), w, padding=1, groups=images)
        return torch.relu(y.view(images, c, side, side))

    return Case("models/condconv.hnet", {"c": c, "experts": experts}, p, x, {"": Way(run)})


def convolution(draw: Draw, images, c, o, side, k=3, stride=1):
    """A convolution; the peers have their channels last in memory, too, and their kernel laid out beforehand."""
    p = {"conv.kernel": draw.normal(k, k, c, o, std=(k * k * c) ** -0.5), "conv.bias": draw.normal(o)}
    x = {"x": draw.normal(images, side, side, c)}

    def laid_out(p, _):
        return p["conv.kernel"].permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)

    def run(p, x, kernel):
        y = F.conv2d(x["x"].permute(0, 3, 1, 2), kernel, p["conv.bias"], padding=k // 2, stride=stride)
        return torch.relu(y).permute(0, 2, 3, 1)

    return Case("benches/peers/convolution.hnet", {"c": c, "o": o, "k": k, "stride": stride}, p, x, {"": Way(run, laid_out)})


def pick(t, gate, k):
    weight, index = torch.topk(torch.softmax(t @ gate, -1), k, dim=-1)
    return weight / weight.sum(-1, keepdim=True), index


def gathered(t, gate, w1, w3, w2, k=2):
    """The rows of each expert, and its results added where they belong."""
    weight, index = pick(t, gate, k)
    y = torch.zeros_like(t)
    for e in range(w1.shape[0]):
        row, slot = torch.where(index == e)
        v = t[row]
        y.index_add_(0, row, ((F.silu(v @ w1[e]) * (v @ w3[e])) @ w2[e]) * weight[row, slot, None])
    return y


def all_experts(t, gate, w1, w3, w2, k=2):
    """Every expert for every row; those that were not picked have weight 0."""
    weight, index = pick(t, gate, k)
    y = torch.matmul(F.silu(torch.matmul(t, w1)) * torch.matmul(t, w3), w2)
    return torch.einsum("etd,te->td", y, torch.zeros(t.shape[0], w1.shape[0]).scatter(1, index, weight))


def moe(draw: Draw, rows=512, d=512, h=1024, n=8):
    p = {"gate.w": draw.normal(d, n, std=d ** -0.5)}
    draw.swiglu(p, "expert", n, d, h)
    way = lambda experts: Way(lambda p, x, _: experts(x["x"], p["gate.w"], p["expert.w1"], p["expert.w3"], p["expert.w2"]))
    ways = {"gathered": way(gathered), "all": way(all_experts)}
    return Case("models/moe.hnet", {"d": d, "h": h}, p, {"x": draw.normal(rows, d)}, ways)


def smear(draw: Draw, batch=32, rows=64, d=256, h=512, n=8):
    p = {"expert.fc1.w": draw.normal(n, d, h, std=d ** -0.5), "expert.fc2.w": draw.normal(n, h, d, std=h ** -0.5)}
    draw.dense(p, "gate", d, n)
    x = {"x": draw.normal(batch, rows, d)}

    def run(p, x, _):
        g = torch.softmax(lin(p, "gate", x["x"].mean(1)), -1)
        w1 = (g @ p["expert.fc1.w"].flatten(1)).view(-1, d, h)
        w2 = (g @ p["expert.fc2.w"].flatten(1)).view(-1, h, d)
        return torch.bmm(F.gelu(torch.bmm(x["x"], w1), approximate="tanh"), w2)

    return Case("models/smear.hnet", {"d": d, "h": h, "experts": n}, p, x, {"": Way(run)})


def film(draw: Draw, rows=1024, d=256, c=64, blocks=4):
    p = {}
    for l in range(blocks):
        for name, (i, o) in dict(gamma=(c, d), beta=(c, d), fc1=(d, d), fc2=(d, d)).items():
            draw.dense(p, f"block.{l}.{name}", i, o)
    x = {"x": draw.normal(rows, d), "z": draw.normal(rows, c)}

    def run(p, x, _):
        h = x["x"]
        for l in range(blocks):
            b = f"block.{l}"
            u = F.layer_norm(h, (d,)) * (1 + lin(p, f"{b}.gamma", x["z"])) + lin(p, f"{b}.beta", x["z"])
            h = h + lin(p, f"{b}.fc2", F.gelu(lin(p, f"{b}.fc1", u), approximate="tanh"))
        return h

    return Case("models/film.hnet", {"d": d, "c": c, "blocks": blocks}, p, x, {"": Way(run)})


def staged(draw: Draw):
    p = {}
    draw.dense(p, "hyper.trunk", 128, 256)
    draw.dense(p, "hyper.head", 256, 4810, std=0.02)
    x = {"z": draw.normal(128), "x": draw.normal(1, 64)}

    def run(p, x, layers):
        (w1, b1), (w2, b2) = layers
        return torch.addmm(b2, torch.relu(torch.addmm(b1, x["x"], w1)), w2)

    way = Way(run, lambda p, x: split(hyper(p, x["z"]), [(64, 64), (64, 10)]))
    return Case("models/staged.hnet", {}, p, x, {"": way})


def skip(draw: Draw, rows=1024, d=512, h=2048):
    p = {}
    draw.dense(p, "gate", d, 1)
    p["gate.bias"][:] = 0
    draw.dense(p, "block.fc1", d, h)
    draw.dense(p, "block.fc2", h, d)
    x = {"x": draw.normal(rows, d)}

    def block(p, t):
        return lin(p, "block.fc2", F.gelu(lin(p, "block.fc1", t), approximate="tanh"))

    def kept(p, x, _):
        t = x["x"]
        s = torch.sigmoid(lin(p, "gate", t))[:, 0]
        keep = torch.where(s > 0.5)[0]
        return t.index_add(0, keep, block(p, t[keep]) * s[keep, None])

    def everything(p, x, _):
        t = x["x"]
        s = torch.sigmoid(lin(p, "gate", t))
        return t + torch.where(s > 0.5, s * block(p, t), 0.0)

    return Case("models/skip.hnet", {"d": d, "h": h}, p, x, {"gathered": Way(kept), "all": Way(everything)})


def decoder(draw: Draw, rows=256, d=256, heads=8, layers=4, n=8, h=512, vocab=1000):
    p = {"embed": draw.normal(vocab, d, std=0.02), "norm.scale": np.ones(d, np.float32), "lm_head.w": draw.normal(d, vocab, std=d ** -0.5)}
    for l in range(layers):
        b = f"block.{l}"
        p[f"{b}.norm1.scale"], p[f"{b}.norm2.scale"] = np.ones(d, np.float32), np.ones(d, np.float32)
        for name in "qkvo":
            p[f"{b}.attn.{name}.w"] = draw.normal(d, d, std=d ** -0.5)
        p[f"{b}.moe.gate.w"] = draw.normal(d, n, std=d ** -0.5)
        draw.swiglu(p, f"{b}.moe.expert", n, d, h)
    x = {"token": draw.whole(vocab, rows)}
    cos, sin = turns(torch.arange(rows), d // heads)

    def run(p, x, experts):
        t = p["embed"][x["token"].long()]
        for l in range(layers):
            b = f"block.{l}"
            u = rms(t, p[f"{b}.norm1.scale"])
            q, k, v = ((u @ p[f"{b}.attn.{c}.w"]).view(rows, heads, -1).transpose(0, 1) for c in "qkv")
            a = F.scaled_dot_product_attention(rope(q, cos, sin)[None], rope(k, cos, sin)[None], v[None], is_causal=True)[0]
            t = t + a.transpose(0, 1).reshape(rows, d) @ p[f"{b}.attn.o.w"]
            m = f"{b}.moe.expert"
            t = t + experts(rms(t, p[f"{b}.norm2.scale"]), p[f"{b}.moe.gate.w"], p[f"{m}.w1"], p[f"{m}.w3"], p[f"{m}.w2"])
        return rms(t, p["norm.scale"]) @ p["lm_head.w"]

    ways = {"gathered": Way(lambda p, x, _: run(p, x, gathered)), "all": Way(lambda p, x, _: run(p, x, all_experts))}
    return Case("models/decoder.hnet", dict(d=d, heads=heads, layers=layers, experts=n, h=h, vocab=vocab), p, x, ways)


def turns(at, width):
    """Cosines and sines of rotary positions: a row for each place, half a head wide."""
    half = width // 2
    angle = at[:, None] * 10000.0 ** (-torch.arange(half) / half)[None]
    return angle.cos(), angle.sin()


def rope(v, cos, sin):
    a, b = v.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def rms(v, s):
    return v * torch.rsqrt(v.pow(2).mean(-1, keepdim=True) + 1e-5) * s
