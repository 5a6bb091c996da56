"""ONNX Runtime. The graph comes from `export.py`; here is no PyTorch."""
import os
import subprocess
import sys

import onnxruntime
from safetensors.numpy import load_file

from .case import ROOT, TOLERANCE, apart


class Onnx:
    def __init__(self, threads):
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = threads
        self.options.inter_op_num_threads = 1
        self.options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        self.options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.options.log_severity_level = 3

    def load(self, suite, case, way, folder):
        graph = folder / f"{case}.{way}.onnx".replace(" ", "_")
        if not graph.exists():
            command = [sys.executable, "-m", "peers.export", suite, case, way, str(folder), str(graph)]
            done = subprocess.run(command, cwd=ROOT / "benches", capture_output=True, text=True, env=os.environ)
            if done.returncode:
                lines = done.stderr.strip().splitlines() or [f"the export ended with {done.returncode}"]
                raise RuntimeError(f"no export: {lines[-1]}")
        self.session = onnxruntime.InferenceSession(str(graph), self.options, providers=["CPUExecutionProvider"])
        other = load_file(f"{graph}.other")
        self.off = apart(self.session.run(["y"], {i.name: other[i.name] for i in self.session.get_inputs()})[0], other["y"])
        self.binding = self.session.io_binding()
        x = load_file(folder / "x")
        # An input that the graph does not read, a condition for one, is not among its inputs.
        for given in self.session.get_inputs():
            self.binding.bind_ortvalue_input(given.name, onnxruntime.OrtValue.ortvalue_from_numpy(x[given.name.removeprefix("x.")]))
        self.binding.bind_output("y")

    def call(self):
        self.session.run_with_iobinding(self.binding)

    def numpy(self, _):
        return self.binding.copy_outputs_to_cpu()[0]

    def only_here(self):
        return None if self.off < TOLERANCE else f"is off by {self.off:.1e} of the largest output for other inputs"

    def notes(self):
        return []
