#!/usr/bin/env python3
"""hnet beside PyTorch eager on ten workloads, in turn, in one run on one machine.

    cargo build --release --example time
    python benches/peers.py [--threads 1] [--seconds 1] [--only moe,film] [--json report.json]

Each workload is one of the models in models/ at its full size. The PyTorch side is written as a careful user would write it
(batched products, gathers by expert, no Python loop over samples; a fixed condition is computed once where the model calls it a
condition). Outputs are compared before anything is timed. Needs torch, numpy and safetensors (pip install).
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
RNG = np.random.default_rng(7)


def normal(*shape, std=1.0):
    return (RNG.standard_normal(shape) * std).astype(np.float32)


def dense(p, name, i, o, std=None):
    p[f"{name}.w"] = normal(i, o, std=std or i ** -0.5)
    p[f"{name}.bias"] = normal(o, std=0.1)


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


def inr(rows=65536, width=64, code=128):
    dims = [(2, width), (width, width), (width, width), (width, 3)]
    p = {}
    dense(p, "hyper.trunk", code, 2 * code)
    dense(p, "hyper.head", 2 * code, sum(i * o + o for i, o in dims), std=0.02)
    x = {"z": normal(code), "xy": RNG.uniform(-1, 1, (rows, 2)).astype(np.float32)}

    def prepare(p, x):
        return split(hyper(p, x["z"]), dims)

    def run(p, x, layers):
        h = x["xy"]
        for k, (w, b) in enumerate(layers):
            h = torch.addmm(b, h, w)
            if k < 3:
                h = torch.sin(h)
        return h

    return p, x, {}, prepare, run


def per_sample(rows=512):
    p = {}
    dense(p, "hyper.trunk", 32, 64)
    dense(p, "hyper.head", 64, 808, std=0.05)
    x = {"z": normal(rows, 32), "x": normal(rows, 16)}

    def run(p, x, _):
        f = hyper(p, x["z"])
        h = torch.relu(torch.baddbmm(f[:, None, 512:544], x["x"][:, None], f[:, :512].view(-1, 16, 32)))
        return torch.baddbmm(f[:, None, 800:], h, f[:, 544:800].view(-1, 32, 8))[:, 0]

    return p, x, {}, None, run


def lora_hyper(rows=64, d=1024, rank=8):
    p = {}
    dense(p, "base", d, d)
    dense(p, "down", 64, d * rank, std=0.01)
    dense(p, "up", 64, rank * d, std=0.01)
    x = {"z": normal(rows, 64), "x": normal(rows, d)}

    def run(p, x, _):
        a, u = lin(p, "down", x["z"]).view(-1, d, rank), lin(p, "up", x["z"]).view(-1, rank, d)
        return lin(p, "base", x["x"]) + (x["x"][:, None] @ a @ u)[:, 0]

    return p, x, {"d": d, "rank": rank}, None, run


def condconv(images=8, c=64, experts=8, side=28):
    p = {"expert.w": normal(experts, c, c, 3, 3, std=1 / 24)}
    dense(p, "gate", c, experts)
    x = {"x": normal(images, c, side, side)}

    def run(p, x, _):
        g = torch.sigmoid(lin(p, "gate", x["x"].mean((2, 3))))
        w = (g @ p["expert.w"].flatten(1)).view(-1, c, 3, 3)
        y = F.conv2d(x["x"].reshape(1, -1, side, side), w, padding=1, groups=images)
        return torch.relu(y.view(images, c, side, side))

    return p, x, {"c": c, "experts": experts}, None, run


def experts(t, gate, w1, w3, w2, k=2):
    weight, index = torch.topk(torch.softmax(t @ gate, -1), k, dim=-1)
    weight = weight / weight.sum(-1, keepdim=True)
    y = torch.zeros_like(t)
    for e in range(w1.shape[0]):
        row, slot = torch.where(index == e)
        v = t[row]
        y.index_add_(0, row, ((F.silu(v @ w1[e]) * (v @ w3[e])) @ w2[e]) * weight[row, slot, None])
    return y


def swiglu(p, name, n, d, h):
    p[f"{name}.w1"], p[f"{name}.w3"] = normal(n, d, h, std=d ** -0.5), normal(n, d, h, std=d ** -0.5)
    p[f"{name}.w2"] = normal(n, h, d, std=h ** -0.5)


def moe(rows=512, d=512, h=1024, n=8):
    p = {"gate.w": normal(d, n, std=d ** -0.5)}
    swiglu(p, "expert", n, d, h)
    x = {"x": normal(rows, d)}
    return p, x, {"d": d, "h": h}, None, lambda p, x, _: experts(x["x"], p["gate.w"], p["expert.w1"], p["expert.w3"], p["expert.w2"])


def smear(batch=32, rows=64, d=256, h=512, n=8):
    p = {"expert.fc1.w": normal(n, d, h, std=d ** -0.5), "expert.fc2.w": normal(n, h, d, std=h ** -0.5)}
    dense(p, "gate", d, n)
    x = {"x": normal(batch, rows, d)}

    def run(p, x, _):
        g = torch.softmax(lin(p, "gate", x["x"].mean(1)), -1)
        w1 = (g @ p["expert.fc1.w"].flatten(1)).view(-1, d, h)
        w2 = (g @ p["expert.fc2.w"].flatten(1)).view(-1, h, d)
        return torch.bmm(F.gelu(torch.bmm(x["x"], w1), approximate="tanh"), w2)

    return p, x, {"d": d, "h": h, "experts": n}, None, run


def film(rows=1024, d=256, c=64, blocks=4):
    p = {}
    for l in range(blocks):
        for name, (i, o) in dict(gamma=(c, d), beta=(c, d), fc1=(d, d), fc2=(d, d)).items():
            dense(p, f"block.{l}.{name}", i, o)
    x = {"x": normal(rows, d), "z": normal(rows, c)}

    def run(p, x, _):
        h = x["x"]
        for l in range(blocks):
            b = f"block.{l}"
            u = F.layer_norm(h, (d,)) * (1 + lin(p, f"{b}.gamma", x["z"])) + lin(p, f"{b}.beta", x["z"])
            h = h + lin(p, f"{b}.fc2", F.gelu(lin(p, f"{b}.fc1", u), approximate="tanh"))
        return h

    return p, x, {"d": d, "c": c, "blocks": blocks}, None, run


def staged():
    dims = [(64, 64), (64, 10)]
    p = {}
    dense(p, "hyper.trunk", 128, 256)
    dense(p, "hyper.head", 256, 4810, std=0.02)
    x = {"z": normal(128), "x": normal(1, 64)}

    def run(p, x, layers):
        (w1, b1), (w2, b2) = layers
        return torch.addmm(b2, torch.relu(torch.addmm(b1, x["x"], w1)), w2)

    return p, x, {}, lambda p, x: split(hyper(p, x["z"]), dims), run


def skip(rows=1024, d=512, h=2048):
    p = {}
    dense(p, "gate", d, 1)
    p["gate.bias"][:] = 0
    dense(p, "block.fc1", d, h)
    dense(p, "block.fc2", h, d)
    x = {"x": normal(rows, d)}

    def run(p, x, _):
        t = x["x"]
        s = torch.sigmoid(lin(p, "gate", t))[:, 0]
        keep = torch.where(s > 0.5)[0]
        y = lin(p, "block.fc2", F.gelu(lin(p, "block.fc1", t[keep]), approximate="tanh"))
        return t.index_add(0, keep, y * s[keep, None])

    return p, x, {"d": d, "h": h}, None, run


def decoder(rows=256, d=256, heads=8, layers=4, n=8, h=512, vocab=1000):
    p = {"embed": normal(vocab, d, std=0.02), "norm.scale": np.ones(d, np.float32), "lm_head.w": normal(d, vocab, std=d ** -0.5)}
    for l in range(layers):
        b = f"block.{l}"
        p[f"{b}.norm1.scale"], p[f"{b}.norm2.scale"] = np.ones(d, np.float32), np.ones(d, np.float32)
        for name in "qkvo":
            p[f"{b}.attn.{name}.w"] = normal(d, d, std=d ** -0.5)
        p[f"{b}.moe.gate.w"] = normal(d, n, std=d ** -0.5)
        swiglu(p, f"{b}.moe.expert", n, d, h)
    x = {"token": RNG.integers(0, vocab, rows).astype(np.int32)}
    half = d // heads // 2
    angle = torch.arange(rows)[:, None] * 10000.0 ** (-torch.arange(half) / half)[None]
    cos, sin = angle.cos(), angle.sin()

    def rms(v, s):
        return v * torch.rsqrt(v.pow(2).mean(-1, keepdim=True) + 1e-5) * s

    def rope(v):
        a, b = v[..., :half], v[..., half:]
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    def run(p, x, _):
        t = p["embed"][x["token"].long()]
        for l in range(layers):
            b = f"block.{l}"
            u = rms(t, p[f"{b}.norm1.scale"])
            q, k, v = ((u @ p[f"{b}.attn.{c}.w"]).view(rows, heads, -1).transpose(0, 1) for c in "qkv")
            a = F.scaled_dot_product_attention(rope(q), rope(k), v, is_causal=True)
            t = t + a.transpose(0, 1).reshape(rows, d) @ p[f"{b}.attn.o.w"]
            m = f"{b}.moe.expert"
            t = t + experts(rms(t, p[f"{b}.norm2.scale"]), p[f"{b}.moe.gate.w"], p[f"{m}.w1"], p[f"{m}.w3"], p[f"{m}.w2"])
        return rms(t, p["norm.scale"]) @ p["lm_head.w"]

    return p, x, dict(d=d, heads=heads, layers=layers, experts=n, h=h, vocab=vocab), None, run


FULL = {"inr": {"width": 64, "code": 128}}
ALL = [inr, per_sample, lora_hyper, condconv, moe, smear, film, staged, skip, decoder]


def peer(p, x, prepare, run, seconds):
    p, x = ({k: torch.tensor(v) for k, v in d.items()} for d in (p, x))
    with torch.inference_mode():
        state = prepare(p, x) if prepare else None
        y = run(p, x, state)
        times, end = [], time.perf_counter() + seconds
        while len(times) < 5 or time.perf_counter() < end:
            start = time.perf_counter()
            run(p, x, state)
            times.append(1e3 * (time.perf_counter() - start))
    return y.numpy(), statistics.median(times)


def ours(model, folder, sizes, args):
    """The output of a model's file, and the median of its times in milliseconds."""
    binary = ROOT / "target/release/examples/time"
    command = [binary, model, "--params", folder / "p", "--inputs", folder / "x", "--out", folder / "y"]
    command += ["--threads", str(args.threads), "--seconds", str(args.seconds)]
    for k, v in sizes.items():
        command += ["--set", f"{k}={v}"]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{model}: {done.stderr}")
    return next(iter(load_file(folder / "y").values())), json.loads(done.stdout)["median_ms"]


def options(about):
    """What both scripts are asked for on the command line."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--only", default="")
    parser.add_argument("--json")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    return args


def main():
    args = options(__doc__)
    report = []
    for make in ALL:
        name = make.__name__
        if args.only and name not in args.only.split(","):
            continue
        p, x, sizes, prepare, run = make()
        sizes = FULL.get(name, sizes)
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            save_file(p, folder / "p")
            save_file(x, folder / "x")
            # In turn, twice each: the machine's speed drifts.
            rounds = [(peer(p, x, prepare, run, args.seconds), ours(ROOT / f"models/{name}.hnet", folder, sizes, args)) for _ in range(2)]
        (want, _), (got, _) = rounds[0]
        off = float(np.abs(got - want).max() / np.abs(want).max())
        if not off < 2e-3:
            raise SystemExit(f"{name}: the two disagree by {off:.1e} of the largest output")
        torch_ms, hnet_ms = (statistics.median(r[k][1] for r in rounds) for k in (0, 1))
        report.append(dict(workload=name, threads=args.threads, torch_ms=torch_ms, hnet_ms=hnet_ms, ratio=torch_ms / hnet_ms, off=off))
        print(f"{name:12} torch {torch_ms:9.3f} ms   hnet {hnet_ms:9.3f} ms   hnet is {torch_ms / hnet_ms:6.2f}x as fast", flush=True)
    mean = float(np.exp(np.mean([np.log(r["ratio"]) for r in report])))
    print(f"geometric mean: {mean:.2f}x")
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
