"""hnet's side: the example `time`, a process for each measurement."""
import functools
import json
import pathlib
import subprocess
import tempfile
import time

import numpy as np
from safetensors.numpy import load_file, save_file

from . import memory
from .case import ROOT

BINARY = ROOT / "target/release/examples/time"


def _start(model, folder, sizes, threads, seconds, log):
    command = [BINARY, model, "--params", folder / "p", "--inputs", folder / "x", "--out", folder / "y"]
    command += ["--threads", threads, "--seconds", seconds]
    for k, v in sizes.items():
        command += ["--set", f"{k}={v}"]
    return subprocess.Popen([str(c) for c in command], stdout=log, stderr=log)


def timed(model, folder, sizes, threads, seconds):
    """The output of a model's file, and its times in milliseconds."""
    with tempfile.TemporaryFile("w+") as log:
        code = _start(model, folder, sizes, threads, seconds, log).wait()
        log.seek(0)
        if code:
            raise SystemExit(f"{model}: {log.read()}")
        return next(iter(load_file(folder / "y").values())), json.loads(log.read())


def held(model, folder, sizes, threads, ms):
    """The most that the process held until its first output was there, and from then on, while it did nothing but run.

    `ms` is how long a run takes: a few of them are watched and no more, for the times of millions of runs are memory, too.
    """
    (folder / "y").unlink(missing_ok=True)
    enough = max(0.005, 4 * ms / 1e3)
    with tempfile.TemporaryFile("w+") as log:
        process, peak, running = _start(model, folder, sizes, threads, 2 * enough + 0.1, log), None, None
        while process.poll() is None:
            if peak is None and (folder / "y").exists():
                peak, fresh, until = memory.most(process.pid), memory.forget(process.pid), time.monotonic() + enough
            elif peak is not None and fresh and (running is None or time.monotonic() < until):
                running = memory.most(process.pid) or running
            time.sleep(0.001)
    return peak, running


@functools.cache
def alone(threads):
    """What the program itself holds, with a model that does nothing."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "m.hnet").write_text("model M {\n    input x: [1]\n    output y: [1] = x\n}\n")
        save_file({}, folder / "p")
        save_file({"x": np.zeros(1, np.float32)}, folder / "x")
        return held(folder / "m.hnet", folder, {}, threads, 0)[1]


def remembered(model, folder, sizes, threads, ms):
    peak, running = held(model, folder, sizes, threads, ms)
    return dict(peak_mib=peak, beyond_mib=memory.beyond(running, alone(threads), memory.size(folder)))
