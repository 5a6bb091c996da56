"""More workloads, with models beside this file: adapters by segment, samples of several tasks or with a layer each, and a step of decoding with a
cache."""
import numpy as np
import torch
import torch.nn.functional as F

from .case import Case, Draw, Way
from .workloads import rms, rope, turns


def segments(draw: Draw, documents, rows=2048, d=1024, rank=8):
    """Rows that lie sorted by document, as when documents are packed into one batch; each document has an adapter."""
    x = {"doc": np.sort(draw.whole(documents, rows)), "x": draw.normal(rows, d)}
    x |= {"down": draw.normal(documents, d, rank, std=d ** -0.5), "up": draw.normal(documents, rank, d, std=rank ** -0.5)}

    def copies(p, x, _):
        """Each row has a copy of its adapter."""
        doc = x["doc"].long()
        return torch.bmm(torch.bmm(x["x"][:, None], x["down"][doc]), x["up"][doc])[:, 0]

    def loop(p, x, _):
        counts = torch.bincount(x["doc"], minlength=documents).tolist()
        return torch.cat([part @ x["down"][c] @ x["up"][c] for c, part in enumerate(x["x"].split(counts)) if len(part)])

    def gathered(p, x, _):
        """A loop that an exported graph can have: its parts are no Python numbers."""
        y = x["x"].new_zeros(rows, d)
        for c in range(documents):
            row = torch.where(x["doc"] == c)[0]
            y.index_add_(0, row, x["x"][row] @ x["down"][c] @ x["up"][c])
        return y

    def padded(p, x, _):
        """Documents side by side, as long as the longest of them."""
        doc = x["doc"].long()
        counts = torch.bincount(doc, minlength=documents)
        place = torch.arange(rows) - (torch.cumsum(counts, 0) - counts)[doc]
        wide = x["x"].new_zeros(documents, int(counts.max()), d)
        wide[doc, place] = x["x"]
        return torch.bmm(torch.bmm(wide, x["down"]), x["up"])[doc, place]

    ways = {"copies": Way(copies), "loop": Way(loop), "gathered": Way(gathered), "padded": Way(padded)}
    return Case("benches/peers/segments.hnet", {"d": d, "rank": rank}, {}, x, ways)


def codes(draw: Draw, rows=1024, count=16, d=1024, rank=8):
    """Samples with a code each, of which many have the same one: an update of low rank is written for each code. Nobody says which are equal."""
    p = {}
    draw.dense(p, "base", d, d)
    draw.dense(p, "down", 64, d * rank, std=0.01)
    draw.dense(p, "up", 64, rank * d, std=0.01)
    x = {"z": draw.normal(count, 64)[draw.whole(count, rows)], "x": draw.normal(rows, d)}

    def written(p, z):
        down, up = (torch.addmm(p[f"{n}.bias"], z, p[f"{n}.w"]) for n in ("down", "up"))
        return down.view(-1, d, rank), up.view(-1, rank, d)

    def base(p, x):
        return torch.addmm(p["base.bias"], x["x"], p["base.w"])

    def each(p, x, _):
        """An update is written for each sample."""
        a, u = written(p, x["z"])
        return base(p, x) + (x["x"][:, None] @ a @ u)[:, 0]

    def unique(p, x, _):
        """One for each code, and a copy of it for each sample."""
        codes, which = torch.unique(x["z"], dim=0, return_inverse=True)
        a, u = written(p, codes)
        return base(p, x) + (x["x"][:, None] @ a[which] @ u[which])[:, 0]

    def in_turn(p, x, _):
        """One for each code, and its samples together, code after code."""
        codes, which = torch.unique(x["z"], dim=0, return_inverse=True)
        a, u = written(p, codes)
        y = base(p, x)
        for k in range(len(codes)):
            rows = torch.nonzero(which == k)[:, 0]
            y.index_add_(0, rows, x["x"][rows] @ a[k] @ u[k])
        return y

    ways = {"each": Way(each), "unique": Way(unique), "in turn": Way(in_turn)}
    return Case("models/lora_hyper.hnet", {"d": d, "rank": rank}, p, x, ways)


def tasks(draw: Draw, rows=1024, count=16, hidden=64):
    """Samples whose task says which classifier is theirs; a hypernetwork writes the classifiers from the codes of the tasks."""
    parts = [(64, hidden), (hidden,), (hidden, 10), (10,)]
    sizes = [int(np.prod(s)) for s in parts]
    p = {"code": draw.normal(count, 16)}
    draw.dense(p, "hyper.fc1", 16, 64)
    draw.dense(p, "hyper.fc2", 64, sum(sizes), std=0.05)
    x = {"task": draw.whole(count, rows), "x": draw.normal(rows, 64)}

    def nets(p, codes):
        flat = torch.relu(codes @ p["hyper.fc1.w"] + p["hyper.fc1.bias"]) @ p["hyper.fc2.w"] + p["hyper.fc2.bias"]
        return [f.reshape(len(codes), *s) for f, s in zip(flat.split(sizes, 1), parts)]

    def batched(x, net):
        w1, b1, w2, b2 = net
        h = torch.relu(torch.baddbmm(b1[:, None], x, w1))
        return torch.baddbmm(b2[:, None], h, w2)

    def each(p, x, _):
        """A classifier is written for each sample."""
        return batched(x["x"][:, None], nets(p, p["code"][x["task"].long()]))[:, 0]

    def copied(p, x, net):
        """One for each task, and a copy of it for each sample."""
        return batched(x["x"][:, None], [w[x["task"].long()] for w in net])[:, 0]

    def padded(p, x, net):
        """One for each task; samples lie side by side by task, as many as the largest task has."""
        task = x["task"].long()
        order = torch.argsort(task, stable=True)
        counts = torch.bincount(task, minlength=count)
        slot = torch.arange(rows) - (torch.cumsum(counts, 0) - counts)[task[order]]
        wide = x["x"].new_zeros(count, int(counts.max()), 64)
        wide[task[order], slot] = x["x"][order]
        y = x["x"].new_empty(rows, 10)
        y[order] = batched(wide, net)[task[order], slot]
        return y

    def all_of(p, x, net):
        """Every sample goes through the classifiers of all tasks, and one result is kept."""
        return batched(x["x"].expand(count, rows, 64), net)[x["task"].long(), torch.arange(rows)]

    def written(p, x):
        return nets(p, p["code"])

    ways = {"each": Way(each), "copied": Way(copied, written), "padded": Way(padded, written), "all": Way(all_of, written)}
    return Case("benches/peers/tasks.hnet", {"tasks": count, "hidden": hidden}, p, x, ways)


def nets(draw: Draw, t, b=32, d=512, code=8):
    """Samples of `t` rows, with a layer each that a linear head writes from a short code."""
    p = {}
    draw.dense(p, "head", code, d * d + d, std=0.02)
    x = {"z": draw.normal(b, code), "x": draw.normal(b, t, d)}

    def written(p, x, _):
        """The layers of all samples, and a product with each."""
        flat = torch.addmm(p["head.bias"], x["z"], p["head.w"])
        return torch.baddbmm(flat[:, None, d * d:], x["x"], flat[:, :d * d].view(b, d, d))

    def joined(p, x, _):
        """What rows are of the head, weighed by the code: no sample's weights are written."""
        w, bias = p["head.w"], p["head.bias"]
        parts = torch.matmul(x["x"].reshape(b * t, d), w[:, :d * d].view(code, d, d)).view(code, b, t, d)
        y = torch.einsum("kbto,bk->bto", parts, x["z"]) + x["x"] @ bias[:d * d].view(d, d)
        return y + torch.addmm(bias[d * d:], x["z"], w[:, d * d:])[:, None]

    return Case("benches/peers/nets.hnet", {"code": code, "d": d}, p, x, {"written": Way(written), "joined": Way(joined)})


def decode(draw: Draw, places=64, d=256, heads=8, layers=4, h=1024, vocab=1000):
    """The last of 64 tokens: a time is the time of a token. What the caches hold and what must come out is of one pass over all tokens."""
    now = int(draw.whole(places)) if draw.other else places - 1
    p = {"embed": draw.normal(vocab, d, std=0.5), "norm.scale": np.ones(d, np.float32), "lm_head.w": draw.normal(d, vocab, std=d ** -0.5)}
    for l in range(layers):
        b = f"block.{l}"
        p[f"{b}.norm1.scale"], p[f"{b}.norm2.scale"] = np.ones(d, np.float32), np.ones(d, np.float32)
        for name in "qkvo":
            p[f"{b}.attn.{name}.w"] = draw.normal(d, d, std=d ** -0.5)
        p[f"{b}.fc1.w"], p[f"{b}.fc2.w"] = draw.normal(d, h, std=d ** -0.5), draw.normal(h, d, std=h ** -0.5)

    def project(p, l, t):
        b = f"block.{l}"
        u = rms(t, p[f"{b}.norm1.scale"])
        return [(u @ p[f"{b}.attn.{c}.w"]).view(-1, heads, d // heads) for c in "qkv"]

    def attention(q, k, v, **how):
        """Of rows by heads by width; the batch of one is what exporters ask for."""
        return F.scaled_dot_product_attention(*(c.transpose(0, 1)[None] for c in (q, k, v)), **how)[0].transpose(0, 1).reshape(-1, d)

    def after(p, l, t, mixed):
        """What a block does with what attention gives."""
        b = f"block.{l}"
        t = t + mixed @ p[f"{b}.attn.o.w"]
        return t + F.gelu(rms(t, p[f"{b}.norm2.scale"]) @ p[f"{b}.fc1.w"]) @ p[f"{b}.fc2.w"]

    def step(p, x, attend):
        cos, sin = (c[:, None] for c in turns(x["now"].view(1), d // heads))
        t, fresh = p["embed"][x["token"].long().view(1)], []
        for l in range(layers):
            q, k, v = project(p, l, t)
            q, k = rope(q, cos, sin), rope(k, cos, sin)
            t = after(p, l, t, attend(q, x["keys"][l], x["values"][l], k, v))
            fresh += [k.flatten(), v.flatten()]
        return torch.cat([(rms(t, p["norm.scale"]) @ p["lm_head.w"])[0], *fresh])

    def in_place(p, x, _):
        """The caches are written where they lie, and read as far as they are filled."""
        at = int(x["now"])

        def attend(q, keys, values, k, v):
            keys[at], values[at] = k[0], v[0]
            return attention(q, keys[: at + 1], values[: at + 1])

        return step(p, x, attend)

    def masked(p, x, _):
        """Caches of one size whatever the place, and a mask: nothing is compiled anew from token to token."""
        at = x["now"].long().view(1)

        def attend(q, keys, values, k, v):
            seen = (torch.arange(keys.shape[0]) <= at)[None]
            keys, values = keys.index_copy(0, at, k), values.index_copy(0, at, v)
            return attention(q, keys, values, attn_mask=seen)

        return step(p, x, attend)

    def whole(p, tokens):
        cos, sin = (c[:, None] for c in turns(torch.arange(len(tokens)), d // heads))
        t, keys, values = p["embed"][tokens], [], []
        for l in range(layers):
            q, k, v = project(p, l, t)
            q, k = rope(q, cos, sin), rope(k, cos, sin)
            t = after(p, l, t, attention(q, k, v, is_causal=True))
            keys, values = keys + [k], values + [v]
        return (rms(t, p["norm.scale"]) @ p["lm_head.w"])[-1], torch.stack(keys), torch.stack(values)

    tokens = draw.whole(vocab, now + 1)
    with torch.no_grad():
        logits, keys, values = whole({k: torch.tensor(v) for k, v in p.items()}, torch.tensor(tokens).long())
    fresh = torch.stack([keys[:, now], values[:, now]], 1)
    want = torch.cat([logits, fresh.flatten()]).numpy()
    # What lies at the place and behind it is not yet written, and must not be read.
    caches = torch.full((2, layers, places, heads, d // heads), 7.0)
    caches[0, :, :now], caches[1, :, :now] = keys[:, :now], values[:, :now]
    x = dict(token=np.array(tokens[now]), now=np.array(now, np.int32), keys=caches[0].numpy(), values=caches[1].numpy())
    sizes = dict(d=d, heads=heads, layers=layers, h=h, vocab=vocab)
    return Case("benches/peers/decode.hnet", sizes, p, x, {"in place": Way(in_place), "masked": Way(masked)}, want)
