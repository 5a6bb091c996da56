"""The eighteen cells of the crossover: models of `benches/crossover/` at sizes where one way is many times faster, or many times slower.

Ways are what a person would choose between: build the matrix or keep its factors, mix weights or outputs, sort tokens by expert, run all
experts, or copy weights for each token.
"""
import numpy as np
import torch
import torch.nn.functional as F

from .case import Case, Draw, Way
from .workloads import gathered


def cell(name, sizes, p, x, ways):
    def way(run):
        return Way(lambda p, x, _: run(p, x))

    return Case(f"benches/crossover/{name}.hnet", sizes, p, x, {k: way(run) for k, run in ways.items()})


def low_rank(draw: Draw, b, t, d=1024, rank=8):
    p = {"w": draw.normal(d, d, std=d ** -0.5)}
    x = {"x": draw.normal(b, t, d), "u": draw.normal(b, d, rank, std=d ** -0.5), "v": draw.normal(b, rank, d, std=d ** -0.5)}
    return cell("low_rank", dict(d=d, rank=rank), p, x, {
        "build": lambda p, x: torch.bmm(x["x"], torch.baddbmm(p["w"].expand(b, d, d), x["u"], x["v"])),
        "factors": lambda p, x: torch.baddbmm(x["x"] @ p["w"], torch.bmm(x["x"], x["u"]), x["v"]),
    })


def generated(draw: Draw, b, t, d=256, code=64):
    p, x = {"head": draw.normal(code, d, d, std=(d * code) ** -0.5)}, {"c": draw.normal(b, code), "x": draw.normal(b, t, d)}

    def contract(p, x):
        pairs = torch.einsum("bh,bti->bthi", x["c"], x["x"]).reshape(b * t, code * d)
        return (pairs @ p["head"].view(code * d, d)).view(b, t, d)

    return cell("generated", dict(d=d, code=code), p, x, {
        "build": lambda p, x: torch.bmm(x["x"], (x["c"] @ p["head"].view(code, -1)).view(b, d, d)),
        "contract": contract,
    })


def blend(draw: Draw, g, t, d=512, experts=8):
    p = {"expert": draw.normal(experts, d, d, std=d ** -0.5)}
    x = {"r": F.softmax(torch.tensor(draw.normal(g, experts)), -1).numpy(), "x": draw.normal(g, t, d)}

    def outputs(p, x):
        y = x["x"].reshape(g * t, d) @ p["expert"].permute(1, 0, 2).reshape(d, experts * d)
        return torch.einsum("gteo,ge->gto", y.view(g, t, experts, d), x["r"])

    return cell("blend", dict(d=d, experts=experts), p, x, {
        "weights": lambda p, x: torch.bmm(x["x"], (x["r"] @ p["expert"].view(experts, -1)).view(g, d, d)),
        "outputs": outputs,
    })


def route(draw: Draw, t, experts, k, h, d=512):
    p = {"gate.w": draw.normal(d, experts, std=d ** -0.5), "expert.w2": draw.normal(experts, h, d, std=h ** -0.5)}
    p |= {f"expert.{w}": draw.normal(experts, d, h, std=d ** -0.5) for w in ("w1", "w3")}

    def pick(p, x):
        g, i = torch.topk(torch.softmax(x @ p["gate.w"], -1), k, -1)
        return g / g.sum(-1, keepdim=True), i

    def sorted_rows(p, x):
        x = x["x"]
        g, i = pick(p, x)
        order = torch.argsort(i.flatten(), stable=True)
        rows, gates = x[order // k], g.flatten()[order, None]
        out, at = torch.zeros_like(x), 0
        for e, n in enumerate(torch.bincount(i.flatten(), minlength=experts).tolist()):
            if n:
                r = rows[at : at + n]
                y = (F.silu(r @ p["expert.w1"][e]) * (r @ p["expert.w3"][e])) @ p["expert.w2"][e]
                out.index_add_(0, order[at : at + n] // k, y * gates[at : at + n])
                at += n
        return out

    def all_experts(p, x):
        x = x["x"]
        g, i = pick(p, x)
        y = torch.matmul(F.silu(torch.matmul(x, p["expert.w1"])) * torch.matmul(x, p["expert.w3"]), p["expert.w2"])
        return torch.einsum("etd,te->td", y, torch.zeros(t, experts).scatter_(1, i, g))

    def copies(p, x):
        x = x["x"]
        g, i = pick(p, x)
        e, rows = i.flatten(), x.repeat_interleave(k, 0)[:, None]
        y = torch.bmm(F.silu(torch.bmm(rows, p["expert.w1"][e])) * torch.bmm(rows, p["expert.w3"][e]), p["expert.w2"][e])
        return (y[:, 0].view(t, k, d) * g[..., None]).sum(1)

    def by_expert(p, x):
        return gathered(x["x"], p["gate.w"], p["expert.w1"], p["expert.w3"], p["expert.w2"], k)

    ways = {"sorted": sorted_rows, "gathered": by_expert, "all": all_experts}
    return cell("route", dict(d=d, h=h, experts=experts, k=k), p, {"x": draw.normal(t, d)}, ways | ({"copies": copies} if t <= 16 else {}))


def adapters(draw: Draw, count, b=16, t=1, d=512, rank=8):
    p = {"w": draw.normal(d, d, std=d ** -0.5), "down": draw.normal(count, d, rank, std=d ** -0.5)}
    p["up"] = draw.normal(count, rank, d, std=rank ** -0.5)
    x = {"a": draw.whole(count, b), "x": draw.normal(b, t, d)}

    def one_by_one(p, x):
        y = x["x"] @ p["w"]
        for a in x["a"].unique():
            rows = torch.where(x["a"] == a)[0]
            y[rows] += x["x"][rows] @ p["down"][a] @ p["up"][a]
        return y

    def gathered(p, x):
        a = x["a"].long()
        return torch.baddbmm(x["x"] @ p["w"], torch.bmm(x["x"], p["down"][a]), p["up"][a])

    return cell("adapters", dict(d=d, rank=rank, adapters=count), p, x, {"one by one": one_by_one, "gathered": gathered})


def expert_lora(draw: Draw, n=128, experts=16, d=256, h=1024, rank=8):
    p = {"expert.w": draw.normal(experts, d, h, std=d ** -0.5), "expert.down": draw.normal(experts, d, rank, std=d ** -0.5)}
    p["expert.up"] = draw.normal(experts, rank, h, std=rank ** -0.5)
    x = {"e": np.sort(draw.whole(experts, n)), "x": draw.normal(n, d)}

    def each(p, x, one):
        counts = torch.bincount(x["e"], minlength=experts).tolist()
        return torch.cat([one(e, rows) for e, rows in enumerate(x["x"].split(counts)) if len(rows)])

    def build(p, x):
        w = torch.baddbmm(p["expert.w"], p["expert.down"], p["expert.up"])
        return each(p, x, lambda e, rows: rows @ w[e])

    def factors(p, x):
        return each(p, x, lambda e, rows: rows @ p["expert.w"][e] + (rows @ p["expert.down"][e]) @ p["expert.up"][e])

    def by_expert(p, x):
        y = x["x"].new_zeros(n, h)
        for e in range(experts):
            row = torch.where(x["e"] == e)[0]
            y.index_add_(0, row, x["x"][row] @ p["expert.w"][e] + (x["x"][row] @ p["expert.down"][e]) @ p["expert.up"][e])
        return y

    return cell("expert_lora", dict(d=d, h=h, rank=rank, experts=experts), p, x, {"build": build, "factors": factors, "gathered": by_expert})


def regulariser(draw: Draw, tasks=20, z=32, h=100, n=26122):
    p = {"trunk": draw.normal(z, h, std=z ** -0.5), "head": draw.normal(h, n, std=h ** -0.5), "old": draw.normal(tasks, n)}
    x = {"embed": draw.normal(tasks, z)}
    change = lambda p, x, k: F.relu(x["embed"][k] @ p["trunk"]) @ p["head"] - p["old"][k]
    return cell("regulariser", dict(tasks=tasks, z=z, h=h, n=n), p, x, {
        "one by one": lambda p, x: sum(change(p, x, k).square().sum() for k in range(tasks)),
        "together": lambda p, x: change(p, x, slice(None)).square().sum(),
    })
