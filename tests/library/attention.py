"""Attention and positions: PyTorch's scaled dot-product attention, and the formulas of the papers and of `transformers`."""
import math

import torch
import torch.nn.functional as F

from common import Case

c = Case("attention")
B, T, S = 2, 5, 4
x = c.input("x", B, T, 8)
memory = c.input("memory", S, 6)
length = c.given("length", torch.tensor([4, 1]))
open_ = torch.tensor(c.rng.random((B, T, T)) < 0.5)
open_[0, 1] = False  # looks nowhere
open_[0, 2] = True
c.given("open", open_.numpy())
at = c.given("at", torch.tensor([7, 3]))
far = c.given("far", torch.tensor([2, 60]))


def frequencies(part, base):
    return base ** (-torch.arange(0, part, 2).double() / part)


def llama3(f, factor=8, low=1, high=4, original=16):
    """`_compute_llama3_parameters` of transformers."""
    wave = 2 * math.pi / f
    out = torch.where(wave > original / low, f / factor, f)
    smooth = (original / wave - low) / (high - low)
    middle = (wave >= original / high) & (wave <= original / low)
    return torch.where(middle, (1 - smooth) * f / factor + smooth * f, out)


def yarn(part, base, factor=4, original=16, fast=32, slow=1):
    """`_compute_yarn_parameters` of transformers."""
    def pair(turns):
        return part * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(base))

    low, high = max(math.floor(pair(fast)), 0), min(math.ceil(pair(slow)), part - 1)
    ramp = ((torch.arange(part // 2).double() - low) / max(high - low, 0.001)).clamp(0, 1)
    f = frequencies(part, base)
    return f / factor * ramp + f * (1 - ramp)


def turned(x, f, first=0, interleaved=False, gain=1.0):
    """x: [.., t, w]"""
    part = 2 * len(f)
    angle = (torch.arange(x.shape[-2]).double() + first)[:, None] * f
    cos, sin = gain * angle.cos(), gain * angle.sin()
    head, rest = x[..., :part], x[..., part:]
    if interleaved:
        a, b = head[..., 0::2], head[..., 1::2]
        head = torch.stack([a * cos - b * sin, b * cos + a * sin], -1).flatten(-2)
    else:
        a, b = head.chunk(2, -1)
        head = torch.cat([a * cos - b * sin, b * cos + a * sin], -1)
    return torch.cat([head, rest], -1)


def heads(y, n):
    return y.unflatten(-1, (n, -1)).transpose(1, 2)


class Grouped:
    def __init__(self, path, heads, kv, width, d=8, biased=False, out=False, norm=False, sinks=False):
        self.heads, self.kv, self.width = heads, kv, width
        self.q = c.linear(f"{path}.q", d, heads * width, biased)
        self.k = c.linear(f"{path}.k", d, kv * width, biased)
        self.v = c.linear(f"{path}.v", d, kv * width, biased)
        self.o = c.linear(f"{path}.o", heads * width, d, out)
        self.gains = [c.param(f"{path}.{g}_gain", width) for g in "qk"] if norm else None
        self.sink = c.param(f"{path}.sink", heads) if sinks else None

    def __call__(self, x, f=None, first=0, interleaved=False, gain=1.0, causal=True, window=0, scale=None, cap=0, mask=None, bias=None):
        q, k, v = heads(self.q(x), self.heads), heads(self.k(x), self.kv), heads(self.v(x), self.kv)
        if self.gains:
            q = F.rms_norm(q, (self.width,), self.gains[0], 1e-6)
            k = F.rms_norm(k, (self.width,), self.gains[1], 1e-6)
        if f is not None:
            q, k = (turned(y, f, first, interleaved, gain) for y in (q, k))
        i = torch.arange(x.shape[1])
        see = (i[:, None] >= i) if causal else torch.ones(len(i), len(i), dtype=torch.bool)
        if window:
            see = see & ((i[:, None] - i).abs() < window)
        if mask is not None:
            see = mask[:, None]
        see = torch.where(see, 0.0, -math.inf)
        if bias is not None:
            see = see + bias
        scale = self.width ** -0.5 if scale is None else scale
        if not cap and self.sink is None:
            y = F.scaled_dot_product_attention(q, k, v, see, scale=scale, enable_gqa=True)
        else:
            r = self.heads // self.kv
            k, v = k.repeat_interleave(r, 1), v.repeat_interleave(r, 1)
            s = scale * q @ k.transpose(-1, -2)
            s = cap * torch.tanh(s / cap) + see
            # gpt-oss: a column more, dropped behind the softmax.
            sink = self.sink[None, :, None, None].expand(*s.shape[:3], 1)
            y = torch.cat([s, sink], -1).softmax(-1)[..., :-1] @ v
        return self.o(y.transpose(1, 2).flatten(2))


plain = Grouped("plain", 4, 2, 2, biased=True)
c.expect("plain_y", plain(x, frequencies(2, 10000)))
c.expect("later_y", plain(x, frequencies(2, 10000), first=3))
c.expect("full_y", Grouped("full", 2, 2, 4)(x, causal=False))
local = Grouped("local", 4, 1, 4, norm=True, out=True)
c.expect("local_y", local(x, frequencies(2, 100), interleaved=True, window=2))
sinking = Grouped("sinking", 4, 2, 2, sinks=True)
c.expect("sinking_y", sinking(x, yarn(2, 10000), gain=0.1 * math.log(4) + 1, cap=2, scale=0.7))
c.expect("long_y", Grouped("long", 2, 1, 4)(x, llama3(frequencies(4, 10000))))
masked = Grouped("masked", 4, 2, 2, biased=True, out=True)
y = masked(x, mask=open_)
# Who looks nowhere mixes nothing.
y[0, 1] = masked.o.bias
c.expect("masked_y", y)


def bucket(relative, both, buckets=8, far=20):
    """`_relative_position_bucket` of transformers' T5."""
    out = torch.zeros_like(relative)
    if both:
        buckets //= 2
        out += (relative > 0).long() * buckets
        relative = relative.abs()
    else:
        relative = -torch.minimum(relative, torch.zeros_like(relative))
    near = buckets // 2
    large = near + (torch.log(relative.float() / near) / math.log(far / near) * (buckets - near)).long()
    return out + torch.where(relative < near, relative, large.clamp(max=buckets - 1))


ranges, past = c.param("ranges.w", 8, 2), c.param("past.w", 8, 2)
i = torch.arange(T)
bias = ranges[bucket(i[None] - i[:, None], True)].permute(2, 0, 1)
c.expect("biased_y", Grouped("biased", 2, 2, 4)(x, causal=False, scale=1.0, bias=bias))
c.expect("ranges_y", ranges[bucket(far - at, True)])
c.expect("past_y", past[bucket(far - at, False)])


def slopes(n):
    """`get_slopes` of the authors of ALiBi."""
    def power(n):
        start = 2 ** (-(2 ** -(math.log2(n) - 3)))
        return [start * start**i for i in range(n)]

    if math.log2(n).is_integer():
        return power(n)
    near = 2 ** math.floor(math.log2(n))
    return power(near) + slopes(2 * near)[0::2][: n - near]


bias = -torch.tensor(slopes(6))[:, None, None] * (i[:, None] - i).abs()
c.expect("causal_y", Grouped("causal", 6, 6, 2)(x, bias=bias))
q = c.linear("cross.q", 8, 8)
k, v, o = c.linear("cross.k", 6, 8), c.linear("cross.v", 6, 8), c.linear("cross.o", 8, 8)
see = torch.arange(S)[None] < length[:, None]
split = lambda y: y.unflatten(-1, (2, 4)).transpose(-2, -3)
y = F.scaled_dot_product_attention(split(q(x)), split(k(memory))[None], split(v(memory))[None], see[:, None, None])
c.expect("cross_y", o(y.transpose(1, 2).flatten(2)))
c.expect("turned", torch.stack([turned(x[b, :1], frequencies(6, 100), int(at[b]), True)[0] for b in range(B)]))
c.save()
