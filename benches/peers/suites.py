"""The cases by name, in the order of the tables."""
import functools

from . import cells, documents, workloads
from .case import Draw

WORKLOADS = {make.__name__: make for make in (
    workloads.inr, workloads.per_sample, workloads.lora_hyper, workloads.condconv, workloads.moe,
    workloads.smear, workloads.film, workloads.staged, workloads.skip, workloads.decoder,
)} | {
    "segments_4": functools.partial(documents.segments, documents=4),
    "segments_64": functools.partial(documents.segments, documents=64),
    "tasks": documents.tasks,
    "codes": documents.codes,
    "nets_1": functools.partial(documents.nets, t=1),
    "nets_8": functools.partial(documents.nets, t=8),
    "decode": documents.decode,
    "conv_3": functools.partial(workloads.convolution, images=8, c=3, o=64, side=64),
    "conv_64": functools.partial(workloads.convolution, images=8, c=64, o=64, side=28),
    "conv_256": functools.partial(workloads.convolution, images=8, c=256, o=256, side=14),
    "conv_512": functools.partial(workloads.convolution, images=8, c=512, o=512, side=7),
    "conv_half": functools.partial(workloads.convolution, images=8, c=64, o=128, side=28, stride=2),
    "conv_first": functools.partial(workloads.convolution, images=1, c=3, o=64, side=224, k=7, stride=2),
}

CROSSOVER = {name: functools.partial(make, **sizes) for name, make, sizes in (
    ("low_rank_1", cells.low_rank, dict(b=32, t=1)),
    ("low_rank_16", cells.low_rank, dict(b=32, t=16)),
    ("low_rank_128", cells.low_rank, dict(b=8, t=128)),
    ("generated_1", cells.generated, dict(b=16, t=1)),
    ("generated_64", cells.generated, dict(b=16, t=64)),
    ("blend_1", cells.blend, dict(g=32, t=1)),
    ("blend_8", cells.blend, dict(g=32, t=8)),
    ("blend_128", cells.blend, dict(g=4, t=128)),
    ("route_8_1", cells.route, dict(t=1, experts=8, k=2, h=1024)),
    ("route_8_16", cells.route, dict(t=16, experts=8, k=2, h=1024)),
    ("route_8_512", cells.route, dict(t=512, experts=8, k=2, h=1024)),
    ("route_64_1", cells.route, dict(t=1, experts=64, k=6, h=256)),
    ("route_64_16", cells.route, dict(t=16, experts=64, k=6, h=256)),
    ("route_64_512", cells.route, dict(t=512, experts=64, k=6, h=256)),
    ("adapters_1", cells.adapters, dict(count=1)),
    ("adapters_16", cells.adapters, dict(count=16)),
    ("expert_lora", cells.expert_lora, {}),
    ("regulariser", cells.regulariser, {}),
)}

SUITES = {"workloads": WORKLOADS, "crossover": CROSSOVER}


def make(suite, name, other=0):
    return SUITES[suite][name](Draw(other))
