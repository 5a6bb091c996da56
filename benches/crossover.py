#!/usr/bin/env python3
"""hnet beside each strategy in PyTorch where one is many times faster at some sizes, and many times slower at others.

    cargo build --release --example time
    python benches/crossover.py [--threads 1] [--seconds 1] [--only low_rank_1,..] [--json report.json]

Each cell is a model of benches/crossover/ at certain sizes, and two or three ways to compute it that a person would choose between:
build the matrix or keep its factors, mix weights or outputs, sort tokens by expert, run all experts, or copy weights for each token. hnet is
not told which. What is printed is the best of them beside hnet; outputs are compared before anything is timed. Needs torch, numpy and
safetensors (pip install).
"""
import json
import pathlib
import statistics
import tempfile
import time

import numpy as np
import torch
import torch.nn.functional as F
from peers import ROOT, options, ours
from safetensors.numpy import save_file

RNG = np.random.default_rng(11)


def normal(*shape, std=1.0):
    return (RNG.standard_normal(shape) * std).astype(np.float32)


def low_rank(b, t, d=1024, rank=8):
    p = {"w": normal(d, d, std=d ** -0.5)}
    x = {"x": normal(b, t, d), "u": normal(b, d, rank, std=d ** -0.5), "v": normal(b, rank, d, std=d ** -0.5)}
    return p, x, dict(d=d, rank=rank), {
        "build": lambda p, x: torch.bmm(x["x"], torch.baddbmm(p["w"].expand(b, d, d), x["u"], x["v"])),
        "factors": lambda p, x: torch.baddbmm(x["x"] @ p["w"], torch.bmm(x["x"], x["u"]), x["v"]),
    }


def generated(b, t, d=256, code=64):
    p, x = {"head": normal(code, d, d, std=(d * code) ** -0.5)}, {"c": normal(b, code), "x": normal(b, t, d)}

    def contract(p, x):
        pairs = torch.einsum("bh,bti->bthi", x["c"], x["x"]).reshape(b * t, code * d)
        return (pairs @ p["head"].view(code * d, d)).view(b, t, d)

    return p, x, dict(d=d, code=code), {
        "build": lambda p, x: torch.bmm(x["x"], (x["c"] @ p["head"].view(code, -1)).view(b, d, d)),
        "contract": contract,
    }


def blend(g, t, d=512, experts=8):
    p = {"expert": normal(experts, d, d, std=d ** -0.5)}
    x = {"r": F.softmax(torch.tensor(normal(g, experts)), -1).numpy(), "x": normal(g, t, d)}

    def outputs(p, x):
        y = x["x"].reshape(g * t, d) @ p["expert"].permute(1, 0, 2).reshape(d, experts * d)
        return torch.einsum("gteo,ge->gto", y.view(g, t, experts, d), x["r"])

    return p, x, dict(d=d, experts=experts), {
        "weights": lambda p, x: torch.bmm(x["x"], (x["r"] @ p["expert"].view(experts, -1)).view(g, d, d)),
        "outputs": outputs,
    }


def route(t, experts, k, h, d=512):
    p = {"gate.w": normal(d, experts, std=d ** -0.5), "expert.w2": normal(experts, h, d, std=h ** -0.5)}
    p |= {f"expert.{w}": normal(experts, d, h, std=d ** -0.5) for w in ("w1", "w3")}

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

    ways = {"sorted": sorted_rows, "all": all_experts}
    return p, {"x": normal(t, d)}, dict(d=d, h=h, experts=experts, k=k), ways | ({"copies": copies} if t <= 16 else {})


def adapters(count, b=16, t=1, d=512, rank=8):
    p = {"w": normal(d, d, std=d ** -0.5), "down": normal(count, d, rank, std=d ** -0.5), "up": normal(count, rank, d, std=rank ** -0.5)}
    x = {"a": RNG.integers(0, count, b).astype(np.int32), "x": normal(b, t, d)}

    def one_by_one(p, x):
        y = x["x"] @ p["w"]
        for a in x["a"].unique():
            rows = torch.where(x["a"] == a)[0]
            y[rows] += x["x"][rows] @ p["down"][a] @ p["up"][a]
        return y

    def gathered(p, x):
        a = x["a"].long()
        return torch.baddbmm(x["x"] @ p["w"], torch.bmm(x["x"], p["down"][a]), p["up"][a])

    return p, x, dict(d=d, rank=rank, adapters=count), {"one by one": one_by_one, "gathered": gathered}


def expert_lora(n=128, experts=16, d=256, h=1024, rank=8):
    p = {"expert.w": normal(experts, d, h, std=d ** -0.5), "expert.down": normal(experts, d, rank, std=d ** -0.5)}
    p["expert.up"] = normal(experts, rank, h, std=rank ** -0.5)
    x = {"e": np.sort(RNG.integers(0, experts, n)).astype(np.int32), "x": normal(n, d)}

    def each(p, x, one):
        counts = torch.bincount(x["e"], minlength=experts).tolist()
        return torch.cat([one(e, rows) for e, rows in enumerate(x["x"].split(counts)) if len(rows)])

    def build(p, x):
        w = torch.baddbmm(p["expert.w"], p["expert.down"], p["expert.up"])
        return each(p, x, lambda e, rows: rows @ w[e])

    def factors(p, x):
        return each(p, x, lambda e, rows: rows @ p["expert.w"][e] + (rows @ p["expert.down"][e]) @ p["expert.up"][e])

    return p, x, dict(d=d, h=h, rank=rank, experts=experts), {"build": build, "factors": factors}


def regulariser(tasks=20, z=32, h=100, n=26122):
    p, x = {"trunk": normal(z, h, std=z ** -0.5), "head": normal(h, n, std=h ** -0.5), "old": normal(tasks, n)}, {"embed": normal(tasks, z)}
    change = lambda p, x, k: F.relu(x["embed"][k] @ p["trunk"]) @ p["head"] - p["old"][k]
    return p, x, dict(tasks=tasks, z=z, h=h, n=n), {
        "one by one": lambda p, x: sum(change(p, x, k).square().sum() for k in range(tasks)),
        "together": lambda p, x: change(p, x, slice(None)).square().sum(),
    }


CELLS = {
    "low_rank_1": (low_rank, 32, 1), "low_rank_16": (low_rank, 32, 16), "low_rank_128": (low_rank, 8, 128),
    "generated_1": (generated, 16, 1), "generated_64": (generated, 16, 64),
    "blend_1": (blend, 32, 1), "blend_8": (blend, 32, 8), "blend_128": (blend, 4, 128),
    "route_8_1": (route, 1, 8, 2, 1024), "route_8_16": (route, 16, 8, 2, 1024), "route_8_512": (route, 512, 8, 2, 1024),
    "route_64_1": (route, 1, 64, 6, 256), "route_64_16": (route, 16, 64, 6, 256), "route_64_512": (route, 512, 64, 6, 256),
    "adapters_1": (adapters, 1), "adapters_16": (adapters, 16), "expert_lora": (expert_lora,), "regulariser": (regulariser,),
}


def timed(way, p, x, seconds):
    p, x = ({k: torch.tensor(v) for k, v in d.items()} for d in (p, x))
    with torch.inference_mode():
        y = way(p, x)
        times, end = [], time.perf_counter() + seconds
        while len(times) < 5 or time.perf_counter() < end:
            start = time.perf_counter()
            way(p, x)
            times.append(1e3 * (time.perf_counter() - start))
    return y.numpy(), statistics.median(times)


def main():
    args = options(__doc__)
    report = []
    for cell, (make, *sizes) in CELLS.items():
        if args.only and cell not in args.only.split(","):
            continue
        p, x, consts, ways = make(*sizes)
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            save_file(p, folder / "p")
            save_file(x, folder / "x")
            # In turn, twice each: the machine's speed drifts.
            rounds = []
            for _ in range(2):
                rounds.append(({w: timed(f, p, x, args.seconds) for w, f in ways.items()}, ours(ROOT / f"benches/crossover/{make.__name__}.hnet", folder, consts, args)))
        want, got = next(iter(rounds[0][0].values()))[0], rounds[0][1][0]
        off = float(np.abs(got - want).max() / np.abs(want).max())
        if not off < 2e-3:
            raise SystemExit(f"{cell}: the two disagree by {off:.1e} of the largest output")
        torch_ms = {w: statistics.median(r[0][w][1] for r in rounds) for w in ways}
        best, hnet_ms = min(torch_ms, key=torch_ms.get), statistics.median(r[1][1] for r in rounds)
        ratio = torch_ms[best] / hnet_ms
        report.append(dict(cell=cell, threads=args.threads, torch_ms=torch_ms, best=best, hnet_ms=hnet_ms, ratio=ratio, off=off))
        others = ", ".join(f"{w} {ms:.3f}" for w, ms in torch_ms.items())
        print(f"{cell:13} torch ({others}) ms   hnet {hnet_ms:8.3f} ms   {ratio:6.2f}x of the best", flush=True)
    near = sum(r["ratio"] * 1.15 >= 1 for r in report)
    print(f"{near} of {len(report)} cells within 1.15x of the best")
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
