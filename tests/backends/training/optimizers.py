"""What PyTorch's optimizers make of a small problem in 64 bits, for `training.rs`: python optimizers.py > optimizers.json

Each case: the setting in the words of hnet, and the parameters after five steps, row by row. Muon of PyTorch iterates in 16 bits; here it is
written out in 64, and compared with PyTorch's to what 16 bits hold."""

import json
import math

import torch

torch.set_default_dtype(torch.float64)
ROWS, IN, OUT, STEPS = 7, 3, 2, 5
x = torch.tensor([[math.sin(1 + 3 * i + j) for j in range(IN)] for i in range(ROWS)])
y = torch.tensor([[math.cos(2 * i + k) for k in range(OUT)] for i in range(ROWS)])


def start():
    w = torch.tensor([[0.1 * (i - k) + 0.05 for k in range(OUT)] for i in range(IN)], requires_grad=True)
    b = torch.tensor([0.2, -0.3], requires_grad=True)
    return w, b


def loss_of(w, b):
    return ((x @ w + b - y) ** 2).mean()


def run(make, clip=None, value=None, schedule=None, average=None):
    w, b = start()
    opt = make(w, b)
    base = [g["lr"] for g in opt.param_groups]
    ema = [w.detach().clone(), b.detach().clone()]
    for step in range(STEPS):
        if schedule:
            for g, lr in zip(opt.param_groups, base):
                g["lr"] = lr * schedule(step)
        opt.zero_grad()
        loss_of(w, b).backward()
        if clip:
            torch.nn.utils.clip_grad_norm_([w, b], clip)
        if value:
            torch.nn.utils.clip_grad_value_([w, b], value)
        opt.step()
        if average:
            for e, p in zip(ema, [w, b]):
                e.mul_(average).add_(p.detach(), alpha=1 - average)
    out = ema if average else [w, b]
    return [p.detach().flatten().tolist() for p in out]


def decayed(kind, **settings):
    """Decay on the matrix alone, as is the rule of hnet."""
    decay = settings.pop("weight_decay")
    return lambda w, b: kind([{"params": [w], "weight_decay": decay}, {"params": [b], "weight_decay": 0.0}], **settings)


def plain(kind, **settings):
    return lambda w, b: kind([w, b], **settings)


def lion(lr, b1=0.9, b2=0.99, decay=0.0):
    w, b = start()
    m = [torch.zeros_like(w), torch.zeros_like(b)]
    for _ in range(STEPS):
        grads = torch.autograd.grad(loss_of(w, b), [w, b])
        with torch.no_grad():
            for k, (p, g) in enumerate(zip([w, b], grads)):
                u = torch.sign(b1 * m[k] + (1 - b1) * g)
                p.mul_(1 - lr * (decay if p.dim() > 1 else 0.0)).sub_(lr * u)
                m[k] = b2 * m[k] + (1 - b2) * g
    return [p.detach().flatten().tolist() for p in [w, b]]


def muon(lr, decay, momentum=0.95):
    """w by muon, b by sgd with lr 0.1; stored matrices are [in, out], PyTorch's [out, in]."""
    w, b = start()
    buf = torch.zeros_like(w)
    ours = w.detach().t().clone().requires_grad_()
    theirs = torch.optim.Muon([ours], lr=lr, weight_decay=decay, momentum=momentum)
    for _ in range(STEPS):
        gw, gb = torch.autograd.grad(loss_of(w, b), [w, b])
        theirs.zero_grad()
        ours.grad = torch.autograd.grad(loss_of(ours.t(), b), [ours])[0]
        theirs.step()
        with torch.no_grad():
            buf.lerp_(gw, 1 - momentum)
            u = gw.lerp(buf, momentum)
            u = u / u.norm().clamp(min=1e-7)
            for _ in range(5):
                gram = u.t() @ u
                u = 3.4445 * u + u @ (-4.7750 * gram + 2.0315 * gram @ gram)
            w.mul_(1 - lr * decay).sub_(lr * max(1.0, OUT / IN) ** 0.5 * u)
            b.sub_(0.1 * gb)
    assert (ours.t() - w).abs().max() < 2e-2, (ours.t(), w)
    return [p.detach().flatten().tolist() for p in [w, b]]


o = torch.optim
cases = [
    ("with sgd(lr: 0.1)", run(plain(o.SGD, lr=0.1))),
    ("with sgd(lr: 0.1, decay: 0.3)", run(decayed(o.SGD, lr=0.1, weight_decay=0.3))),
    ("with sgd(lr: 0.1, decay: 0.3, decay_all: true)", run(plain(o.SGD, lr=0.1, weight_decay=0.3))),
    ("with sgd(lr: 0.1, momentum: 0.9)", run(plain(o.SGD, lr=0.1, momentum=0.9))),
    ("with sgd(lr: 0.1, momentum: 0.9, nesterov: true)", run(plain(o.SGD, lr=0.1, momentum=0.9, nesterov=True))),
    ("with sgd(lr: 0.1, momentum: 0.9, dampening: 0.5)", run(plain(o.SGD, lr=0.1, momentum=0.9, dampening=0.5))),
    ("with adam(lr: 0.05)", run(plain(o.Adam, lr=0.05))),
    ("with adam(lr: 0.05, beta1: 0.8, beta2: 0.9, eps: 1e-3)", run(plain(o.Adam, lr=0.05, betas=(0.8, 0.9), eps=1e-3))),
    ("with adam(lr: 0.05, decay: 0.3)", run(decayed(o.Adam, lr=0.05, weight_decay=0.3))),
    ("with adamw(lr: 0.05)", run(decayed(o.AdamW, lr=0.05, weight_decay=1e-2))),
    ("with adamw(lr: 0.05, weight_decay: 0.3)", run(decayed(o.AdamW, lr=0.05, weight_decay=0.3))),
    ("with rmsprop(lr: 0.02)", run(plain(o.RMSprop, lr=0.02))),
    ("with rmsprop(lr: 0.02, momentum: 0.5, centered: true)", run(plain(o.RMSprop, lr=0.02, momentum=0.5, centered=True))),
    ("with adagrad(lr: 0.1)", run(plain(o.Adagrad, lr=0.1))),
    ("with adagrad(lr: 0.1, initial: 0.5)", run(plain(o.Adagrad, lr=0.1, initial_accumulator_value=0.5))),
    ("with lion(lr: 0.01)", lion(0.01)),
    ("with lion(lr: 0.01, decay: 0.3)", lion(0.01, decay=0.3)),
    ("over w\n    with muon(lr: 0.02)\n    over b\n    with sgd(lr: 0.1)", muon(0.02, 0.1)),
    ("with adam(lr: 0.05)\n    clip 0.2", run(plain(o.Adam, lr=0.05), clip=0.2)),
    ("with sgd(lr: 0.1)\n    clip 0.2", run(plain(o.SGD, lr=0.1), clip=0.2)),
    ("with sgd(lr: 0.1)\n    clip value 0.05", run(plain(o.SGD, lr=0.1), value=0.05)),
    ("with sgd(lr: 0.1 * cosine(step / 5))", run(plain(o.SGD, lr=0.1), schedule=lambda s: 0.5 * (1 + math.cos(math.pi * s / 5)))),
    ("with sgd(lr: 0.1 * linear(step / 5))", run(plain(o.SGD, lr=0.1), schedule=lambda s: 1 - s / 5)),
    ("with sgd(lr: 0.1 * warmup(step / 2))", run(plain(o.SGD, lr=0.1), schedule=lambda s: min(1.0, s / 2))),
    ("with sgd(lr: 0.1 * staircase(step / 2, 0.1))", run(plain(o.SGD, lr=0.1), schedule=lambda s: 0.1 ** (s // 2))),
    ("with sgd(lr: 0.1 * exponential(step / 2, 0.5))", run(plain(o.SGD, lr=0.1), schedule=lambda s: 0.5 ** (s / 2))),
    ("with adam(lr: 0.05)\n    average 0.9", run(plain(o.Adam, lr=0.05), average=0.9)),
]
print("[")
print(",\n".join("  " + json.dumps({"clauses": c, "w": w, "b": b}) for c, (w, b) in cases))
print("]")
