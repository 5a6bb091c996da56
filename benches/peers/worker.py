"""A peer with one way of one case, in a process of its own: `python -m peers.worker PEER THREADS SUITE CASE WAY FOLDER`.

It says a line of JSON when it is ready, where its output lies and what it holds, or `{"failed": why}`; and its times for each number of seconds
that it is told.
"""
import json
import os
import pathlib
import statistics
import sys
import time

from . import memory


def side(peer, threads):
    if peer == "ort":
        from .onnx import Onnx

        return Onnx(threads)
    from . import sides

    return {"eager": sides.Eager, "compile": sides.Compiled}[peer](threads)


SAMPLE = 20e-6  # seconds that a sample takes at least, as in examples/time.rs


def timed(call, seconds):
    start = time.perf_counter()
    call()
    calls = max(1, min(1000, int(SAMPLE / (time.perf_counter() - start))))
    times, end = [], time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(calls):
            call()
        times.append(1e3 * (time.perf_counter() - start) / calls)
    return dict(median_ms=statistics.median(times), min_ms=min(times), calls=calls * len(times))


def reason(error):
    lines = [l.strip() for l in str(error).splitlines() if l.strip()]
    return (lines[0] if lines else type(error).__name__)[:240]


def main():
    # What libraries print is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    say = lambda **what: print(json.dumps(what), file=answers, flush=True)

    peer, threads, suite, case, way, folder = sys.argv[1:]
    folder = pathlib.Path(folder)
    try:
        import numpy as np

        it = side(peer, int(threads))
        alone = memory.now()
        it.load(suite, case, way, folder)
        y = it.numpy(it.call())
        out = folder / f"{peer}.{way}.npy".replace(" ", "_")
        np.save(out, y)
        for _ in range(3):
            it.call()
        # Before anything is timed: the times of many calls are memory, too.
        peak, fresh = memory.most(), memory.forget()
        for _ in range(3):
            it.call()
        running = memory.most() if fresh else None
    except Exception as error:
        return say(failed=reason(error))
    say(output=str(out), only_here=it.only_here(), notes=it.notes(), peak_mib=peak, beyond_mib=memory.beyond(running, alone, memory.size(folder)))
    for seconds in sys.stdin:
        say(**timed(it.call, float(seconds)))


if __name__ == "__main__":
    main()
