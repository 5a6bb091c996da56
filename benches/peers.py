#!/usr/bin/env python3
"""hnet beside PyTorch eager, torch.compile and ONNX Runtime, in turn, in one run on one machine.

    cargo build --release --example time
    python benches/peers.py [--threads 1 all] [--peers eager,compile,ort] [--only moe,film] [--json report.json] [--markdown report.md]

The cases are ten models of models/ at their full size, adapters by segment (2,048 rows of 4 documents, and of 64), one token of a decoder
with a cache, 3×3 convolutions of 3, 64, 256 and 512 channels, one with a stride of 2, and the 7×7 one that a residual network begins with.
Outputs are compared before anything is timed. Where a peer has several ways to compute the same, its fastest counts. What a peer cannot
compile or export is said, and why. Each has a process of its own, so that memory stands beside time; compiling, exporting and what depends on
conditions alone are done before. ONNX Runtime has the parameters as constants of its graph.

Needs torch, numpy and safetensors; onnxruntime, onnx and onnxscript for ONNX Runtime; a C++ compiler for torch.compile.
"""
from peers import command

if __name__ == "__main__":
    command.main(__doc__, "workloads", "hnet and its peers")
