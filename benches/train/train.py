#!/usr/bin/env python3
"""A step of training in hnet beside PyTorch eager with Adam(fused=True), in turn, in one run on one machine.

    cargo build --release
    python benches/train/train.py [--threads 1] [--rounds 3] [--only digits,each,moe] [--hnet target/release/hnet] [--json report.json]

Both sides begin with the same weights and see the same rows; their losses are compared before anything is reported. Each runs in a
process of its own, whose peak memory is that which the system counted. Needs torch, numpy and safetensors (pip install).
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ROWS, TASKS = 256, 5
# Steps that are run, and those at the beginning that are not counted.
STEPS = {"digits": (400, 50), "each": (200, 20), "moe": (24, 4)}
TARGET = [(64, 32), (32,), (32, 10), (10,)]
SIZE = sum(int(np.prod(s)) for s in TARGET)


def normal(rng, *shape, std):
    return (rng.standard_normal(shape) * std).astype(np.float32)


def make(name):
    """Weights and rows of a workload."""
    rng = np.random.default_rng(7)
    if name == "moe":
        d, h, n = 512, 1024, 8
        weights = {"gate.w": normal(rng, d, n, std=d**-0.5)}
        for word, i, o in (("w1", d, h), ("w3", d, h), ("w2", h, d)):
            weights[f"expert.{word}"] = normal(rng, n, i, o, std=i**-0.5)
        return weights, {"x": normal(rng, ROWS, d, std=1), "y": normal(rng, ROWS, d, std=1)}
    weights = {
        "embed": normal(rng, TASKS, 16, std=0.1),
        "hyper.trunk.w": normal(rng, 16, 64, std=0.25),
        "hyper.trunk.bias": np.zeros(64, np.float32),
        "hyper.head.w": normal(rng, 64, SIZE, std=0.05),
        "hyper.head.bias": np.zeros(SIZE, np.float32),
    }
    # As many rows of each task as a step takes, so that their order is all the same.
    n = ROWS * TASKS if name == "digits" else ROWS
    task = np.repeat(np.arange(TASKS), ROWS) if name == "digits" else rng.integers(0, TASKS, n)
    label = rng.integers(0, 10, n)
    x = normal(rng, n, 64, std=1) + np.eye(10, 64, dtype=np.float32)[(label + task) % 10]
    return weights, {"x": x, "label": label.astype(np.int32), "task": task.astype(np.int32)}


def peer(name, folder, threads, tasks):
    """PyTorch's side, in a process of its own: a line of JSON for each step."""
    import torch
    import torch.nn.functional as F
    from safetensors.torch import load_file

    torch.set_num_threads(threads)
    p = {k: v.requires_grad_() for k, v in load_file(folder / "start.safetensors").items()}
    rows = load_file(folder / f"{name.split('-')[0]}.rows.safetensors")
    adam = torch.optim.Adam(p.values(), lr=1e-3, fused=True)

    def written(code):
        flat = torch.relu(code @ p["hyper.trunk.w"] + p["hyper.trunk.bias"]) @ p["hyper.head.w"] + p["hyper.head.bias"]
        parts = flat.split([int(np.prod(s)) for s in TARGET], -1)
        return [v.unflatten(-1, s) for v, s in zip(parts, TARGET)]

    def digits(x, label, task):
        w1, b1, w2, b2 = written(p["embed"][task])
        return F.cross_entropy(torch.addmm(b2, torch.relu(torch.addmm(b1, x, w1)), w2), label)

    def batched(x, label, w1, b1, w2, b2):
        hidden = torch.relu(torch.bmm(x[:, None], w1) + b1[:, None])
        return F.cross_entropy((torch.bmm(hidden, w2) + b2[:, None])[:, 0], label)

    def each(x, label, task):
        return batched(x, label, *written(p["embed"][task]))

    def distinct(x, label, task):
        return batched(x, label, *(v[task] for v in written(p["embed"])))

    def moe(x, y):
        value, index = torch.softmax(x @ p["gate.w"], -1).topk(2, -1)
        value = value / value.sum(-1, keepdim=True)
        out = torch.zeros_like(x)
        for e in range(8):
            token, slot = (index == e).nonzero(as_tuple=True)
            own = x[token]
            made = (F.silu(own @ p["expert.w1"][e]) * (own @ p["expert.w3"][e])) @ p["expert.w2"][e]
            out = out.index_add(0, token, made * value[token, slot, None])
        return F.mse_loss(out, y)

    if name == "digits":
        given = [(rows["x"][k * ROWS : (k + 1) * ROWS], rows["label"][k * ROWS : (k + 1) * ROWS].long(), k) for k in range(TASKS)]
        run = digits
    elif name == "moe":
        given, run = [(rows["x"], rows["y"])], moe
    else:
        given = [(rows["x"], rows["label"].long(), rows["task"].long())]
        run = distinct if name.endswith("-distinct") else each
    for k in range(STEPS[name.split("-")[0]][0]):
        begun = time.perf_counter()
        adam.zero_grad(set_to_none=True)
        loss = run(*given[tasks[k] if tasks else 0])
        loss.backward()
        adam.step()
        told = loss.item()
        print(json.dumps({"loss": told, "seconds": time.perf_counter() - begun}), flush=True)


def watched(command):
    """Lines of a process, and the most memory it had, in MB."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, text=True)
        _, status, usage = os.wait4(process.pid, 0)
        out.seek(0), err.seek(0)
        if status:
            raise SystemExit(f"{' '.join(map(str, command))}\n{err.read()}")
        return [json.loads(line) for line in out], usage.ru_maxrss / 1024


def ours(name, folder, args):
    steps, skipped = STEPS[name]
    command = [args.hnet, "train", folder / f"{name}.hnet", "--params", folder / "start.safetensors", "--steps", str(steps)]
    command += ["--out", folder / "out.safetensors", "--dir", folder / "run", "--fresh", "--json", "--threads", str(args.threads)]
    lines, memory = watched(command)
    lines = [line for line in lines if "losses" in line]
    at = [line["seconds"] for line in lines]
    tasks = [line["by"][1] for line in lines] if "by" in lines[0] else []
    times = [b - a for a, b in zip(at, at[1:])][skipped:]
    return [line["losses"]["loss"] for line in lines], statistics.median(times) * 1e3, memory, tasks


def theirs(name, folder, args, tasks):
    command = [sys.executable, __file__, "--peer", name, "--folder", folder, "--threads", str(args.threads)]
    lines, memory = watched(command + ["--tasks", json.dumps(tasks)])
    times = [line["seconds"] for line in lines][STEPS[name.split("-")[0]][1] :]
    return [line["loss"] for line in lines], statistics.median(times) * 1e3, memory


def workload(name, args):
    from safetensors.numpy import save_file

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        shutil.copy(HERE / f"{name}.hnet", folder)
        weights, rows = make(name)
        save_file(weights, folder / "start.safetensors")
        save_file(rows, folder / f"{name}.rows.safetensors")
        sides = [name] + (["each-distinct"] if name == "each" else [])
        found = {side: [] for side in ["hnet"] + sides}
        # In turn: the machine's speed drifts.
        for _ in range(args.rounds):
            losses, *mine, tasks = ours(name, folder, args)
            found["hnet"].append(mine)
            for side in sides:
                want, *own = theirs(side, folder, args, tasks)
                off = max(abs(a - b) / abs(b) for a, b in zip(losses[:20], want[:20]))
                if not off < 2e-3:
                    raise SystemExit(f"{side}: losses of the first 20 steps are {off:.1e} apart\n{losses[:5]}\n{want[:5]}")
                found[side].append(own)
        best = {side: [min(v) for v in zip(*runs)] for side, runs in found.items()}
        for side in sides:
            (hnet, hnet_mb), (torch, torch_mb) = best["hnet"], best[side]
            print(f"{side:14} torch {torch:9.3f} ms {torch_mb:6.0f} MB   hnet {hnet:9.3f} ms {hnet_mb:6.0f} MB   hnet is {torch / hnet:6.2f}x as fast, {off:.0e} apart", flush=True)
            yield dict(workload=side, threads=args.threads, torch_ms=torch, hnet_ms=hnet, torch_mb=torch_mb, hnet_mb=hnet_mb, ratio=torch / hnet)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="digits,each,moe")
    parser.add_argument("--hnet", type=pathlib.Path, default=ROOT / "target/release/hnet")
    parser.add_argument("--json")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--tasks", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        return peer(args.peer, args.folder, args.threads, json.loads(args.tasks))
    report = [row for name in args.only.split(",") for row in workload(name, args)]
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
