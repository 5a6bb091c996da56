#!/usr/bin/env python3
"""hnet beside each strategy in PyTorch where one is many times faster at some sizes, and many times slower at others.

    cargo build --release --example time
    python benches/crossover.py [--threads 1 all] [--peers eager,compile,ort] [--only low_rank_1,..] [--json report.json] [--markdown report.md]

Each cell is a model of benches/crossover/ at certain sizes, and two or three ways to compute it that a person would choose between:
build the matrix or keep its factors, mix weights or outputs, sort tokens by expert, run all experts, or copy weights for each token. hnet is
not told which. What is printed is each of them beside hnet, by each peer, as `peers.py` does it.
"""
from peers import command

if __name__ == "__main__":
    command.main(__doc__, "crossover", "hnet where ways cross")
