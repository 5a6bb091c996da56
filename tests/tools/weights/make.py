"""Makes the checkpoints of these tests and what numpy says of them: python3 make.py (numpy, safetensors, torch)."""

import numpy as np
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch

rng = np.random.default_rng(7)


def draw(*shape):
    # A few bits, so that sums and products are exact and files are small.
    return np.ascontiguousarray((rng.integers(-64, 64, size=shape) / 32).astype(np.float32))


def save(name, tensors):
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, name)


def layouts():
    have, want = {}, {}
    for l in range(2):
        at, to = f"model.layers.{l}.", f"block.{l}."
        for e in range(3):
            w = draw(6, 4)
            have[f"{at}moe.expert_{e}.w1.weight"] = w
            want[f"{to}expert.{e}.w1"] = w.T
        g = draw(4)
        have[f"{at}norm.weight"], want[f"{to}gain"] = g, 1 + g
        qkv = draw(18, 4)
        have[f"{at}qkv.weight"] = qkv
        want[f"{to}wq"] = qkv[:6].reshape(3, 2, 4).transpose(2, 0, 1)
        want[f"{to}wk"] = qkv[6:12].reshape(3, 2, 4).transpose(2, 0, 1)
        want[f"{to}wv"] = qkv[12:].T
        fused = draw(3, 10, 4)
        have[f"{at}gate_up"] = fused
        want[f"{to}gate"] = fused[:, ::2].transpose(0, 2, 1)
        want[f"{to}up"] = fused[:, 1::2].transpose(0, 2, 1)
        halves = draw(4, 10)
        have[f"{at}halves"] = halves
        want[f"{to}first"], want[f"{to}second"] = halves[:, :5], halves[:, 5:]
        k, v = draw(3, 4), draw(2, 4)
        have[f"{at}k.weight"], have[f"{at}v.weight"] = k, v
        want[f"{to}kv"] = np.concatenate([k.T, v.T], 1)
    square = draw(4, 4)
    have["model.square.weight"], want["square"] = square, square.T
    have["model.plain.weight"], want["plain"] = draw(4, 4), None
    want["plain"] = have["model.plain.weight"]
    conv = draw(4, 1, 3)
    have["conv.weight"], want["conv"] = conv, conv[:, 0]
    g, v = draw(5, 1, 1), draw(5, 4, 3)
    have["wn.g"], have["wn.v"] = g, v
    long = v.astype(np.float64)
    norm = np.sqrt((long**2).sum((1, 2), keepdims=True))
    want["wn"] = (g * long / norm).transpose(2, 1, 0).astype(np.float32)
    a, b = draw(8), draw(8)
    have["lstm.bias_ih"], have["lstm.bias_hh"] = a, b
    i, f, c, o = (a + b).reshape(4, 2)
    want["bias"] = np.concatenate([i, f, o, c])  # gates in another order
    log = draw(4)
    have["A_log"], want["decay"] = log, (-np.exp(log.astype(np.float64))).astype(np.float32)
    for m in range(1, 4):
        have[f"book.{m}.codes"] = draw(2, 3)
    want["book"] = np.stack([have[f"book.{m}.codes"] for m in range(1, 4)])
    have["tower"], want["tower.0.w"], want["tower.1.w"] = draw(2, 3), None, None
    want["tower.0.w"], want["tower.1.w"] = have["tower"][0], have["tower"][1]
    have["lm_head.weight"], have["layers.0.rotary.inv_freq"] = draw(4, 4), draw(2)
    want["scale"] = np.full((2, 2), 0.5, np.float32)
    save("layouts.safetensors", have)
    save("layouts.expected.safetensors", want)


def kinds():
    have, want = {}, {}
    x = torch.tensor(draw(5))
    floats = {"f64": torch.float64, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
    floats |= {"e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2}
    for name, kind in floats.items():
        have[name] = x.to(kind)
        want[name] = have[name].to(torch.float32).numpy()
    y = torch.tensor([-128, -1, 0, 3, 127])
    whole = {"i8": torch.int8, "i16": torch.int16, "i32": torch.int32, "i64": torch.int64}
    for name, kind in whole.items():
        have[name] = y.to(kind)
        want[name] = y.numpy().astype(np.float32)
    have["u8"] = torch.tensor([0, 1, 2, 128, 255], dtype=torch.uint8)
    want["u8"] = have["u8"].numpy().astype(np.float32)
    # A matrix in 8 bits with a scale for each block of 2 by 3, and one of whole numbers with one for each row.
    w, s = torch.tensor(draw(4, 6)).to(torch.float8_e4m3fn), torch.tensor(draw(2, 2))
    have["block.weight"], have["block.weight_scale_inv"] = w, s
    want["block"] = (w.to(torch.float32) * s.repeat_interleave(2, 0).repeat_interleave(3, 1)).numpy()
    q, r = torch.randint(-128, 128, (3, 4), generator=torch.Generator().manual_seed(1), dtype=torch.int8), torch.tensor(draw(3))
    have["rows.q"], have["rows.scale"] = q, r
    want["rows"] = (q.to(torch.float32) * r[:, None]).numpy()
    save_torch(have, "kinds.safetensors")
    save("kinds.expected.safetensors", want)


def arrays():
    w, b = draw(3, 4), draw(4)
    np.savez("plain.npz", **{"fc.w": w, "fc.bias": b})
    np.savez_compressed("packed.npz", **{"fc.w": np.repeat(w, 8, 0)[::8], "fc.bias": b})
    save("arrays.expected.safetensors", {"fc.w": w, "fc.bias": b})


layouts()
kinds()
arrays()
