"""One case with all peers and one number of threads: everybody made ready and compared, then timed in turn."""
import concurrent.futures
import json
import os
import select
import statistics
import subprocess
import sys

import numpy as np

from . import ours
from .case import ROOT, TOLERANCE, apart

ROUNDS = 2  # in turn: the machine's speed drifts


class Worker:
    def __init__(self, peer, way, args, threads, folder):
        self.peer, self.way, self.process = peer, way, None
        self.command = [sys.executable, "-m", "peers.worker", peer, str(threads), *args, way, str(folder)]
        self.log = folder / f"{peer}.{way}.log".replace(" ", "_")
        self.env = os.environ | {"OMP_NUM_THREADS": str(threads), "TORCHINDUCTOR_COMPILE_THREADS": "1"}
        self.at = folder

    def start(self, patience):
        """The answer of the worker when it is ready, or has given up."""
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT / "benches", env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        return self.answer(patience)

    def ask(self, what, patience=600):
        try:
            print(what, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass  # the answer says that it is gone
        return self.answer(patience)

    def answer(self, patience):
        if not select.select([self.process.stdout], [], [], patience)[0]:
            self.process.kill()
            return {"failed": f"no answer after {patience:.0f} s"}
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        end = self.log.read_text().strip().splitlines() or [""]
        return {"failed": f"the process ended with {self.process.wait()}: {end[-1]}"[:240]}

    def end(self):
        if self.process:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass
            self.process.wait()


def measure(args, case, folder, peers, threads, seconds, patience=600):
    """`args` are the names of suite and case. A row: what hnet takes, and for each peer what each way takes, or why there is nothing."""
    workers = [Worker(peer, way, args, threads, folder) for peer in peers for way in case.ways]
    model = ROOT / case.model
    try:
        with concurrent.futures.ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            answers = list(pool.map(lambda w: w.start(patience), workers))
        got, _ = ours.timed(model, folder, case.sizes, threads, 0)
        if case.want is not None and not apart(got, case.want) < TOLERANCE:
            raise SystemExit(f"{args[1]}: hnet is {apart(got, case.want):.1e} of the largest output away from what it must be")
        found = {peer: {} for peer in peers}
        for worker, answer in zip(workers, answers):
            off = None
            if "failed" not in answer:
                off = apart(np.load(answer.pop("output")), got)
                if not off < TOLERANCE:
                    answer = dict(failed=f"differs from hnet by {off:.1e} of the largest output", wrong=True)
            found[worker.peer][worker.way] = answer if "failed" in answer else answer | dict(off=off)
        ready = [w for w in workers if "failed" not in found[w.peer][w.way]]
        times, mine = {w: [] for w in ready}, []
        for _ in range(ROUNDS):
            for w in ready:
                times[w].append(w.ask(seconds))
            mine.append(ours.timed(model, folder, case.sizes, threads, seconds)[1])
        for w in ready:
            found[w.peer][w.way] |= summary(times[w])
    finally:
        for w in workers:
            w.end()
    middle = summary(mine)
    row = dict(case=args[1], threads=threads, hnet=middle | ours.remembered(model, folder, case.sizes, threads, middle["ms"]), peers=found)
    return row | compared(row)


def summary(times):
    """The middle of the rounds; a round that failed is a failure."""
    failed = [t for t in times if "failed" in t]
    if failed:
        return failed[0]
    return dict(ms=statistics.median(t["median_ms"] for t in times), min_ms=min(t["min_ms"] for t in times))


def compared(row):
    """The fastest way of each peer, the fastest of all, and how many times as fast hnet is. What is fast for these inputs alone does not count."""
    best = {}
    for peer, ways in row["peers"].items():
        done = {way: r for way, r in ways.items() if "ms" in r and not r["only_here"]}
        if done:
            way = min(done, key=lambda w: done[w]["ms"])
            best[peer] = dict(way=way, ratio=done[way]["ms"] / row["hnet"]["ms"], **{k: done[way][k] for k in ("ms", "peak_mib", "beyond_mib")})
    first = min(best, key=lambda p: best[p]["ms"]) if best else None
    return dict(best=best, best_peer=first, ratio=best[first]["ratio"] if best else None)
