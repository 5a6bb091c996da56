#!/usr/bin/env python3
"""How long steps take beside what was foreseen for them.

    cargo build --release --bin hnet
    python benches/foreseen.py [--only moe,film] [--machine generic] [--above 5] [--json report.json]

The cases are those of `peers.py` and of `crossover.py`, at full size, one thread; what is foreseen is so by the prices of this machine, measured
just before (`hnet doctor`), unless it is said that the generic ones count. Needs torch, numpy and safetensors, as those do.
"""
import argparse
import json
import math
import pathlib
import subprocess
import tempfile

from peers import suites, told


def main():
    summary, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="some of the cases, by name")
    parser.add_argument("--machine", choices=["here", "generic"], default="here")
    parser.add_argument("--above", type=float, default=5, help="microseconds that a step takes to be counted (5)")
    parser.add_argument("--all", action="store_true", help="shows every step, not only those that were foreseen ill")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    args = parser.parse_args()
    names = told.chosen(parser, args.only)
    rows, wholes = [], []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        machine = []
        if args.machine == "here":
            machine = ["--machine", str(folder / "here.json")]
            subprocess.run([str(told.BINARY), "doctor", "--backend", "cpu", "--out", machine[1]], check=True, capture_output=True)
        for suite, name in names:
            options = ["--profile", "--threads", "1", "--backend", "cpu", "--out", folder / "y.safetensors", *machine]
            all_steps = told.told(suites.make(suite, name), folder, "run", *options)["profile"]["kernels"]
            known = [s for s in all_steps if s["foreseen"]]
            wholes.append(sum(s["foreseen"] for s in known) / sum(s["seconds"] for s in known))
            print(f"{name:14} all of it {wholes[-1]:5.2f}")
            for s in known:
                if s["seconds"] < 1e-6 * args.above:
                    continue
                ratio = s["foreseen"] / s["seconds"]
                rows.append({"case": name, "step": s["name"], "what": s["what"], "seconds": s["seconds"], "foreseen": s["foreseen"]})
                if args.all or not 0.8 <= ratio <= 1.25:
                    print(f"{name:14} {s['name'][:36]:36} {s['what'][:52]:52} {1e6 * s['seconds']:9.1f} µs {ratio:5.2f}")

    def part(ratios, of):
        return 100 * sum(1 / of <= r <= of for r in ratios) / max(1, len(ratios))

    ratios = [r["foreseen"] / r["seconds"] for r in rows]
    shares = ", ".join(f"{part(ratios, of):.0f} % within {of:g}×" for of in (1.25, 1.5, 2))
    print(f"{len(rows)} steps of {args.above:g} µs or more: {shares}")
    mean = math.exp(sum(abs(math.log(r)) for r in wholes) / len(wholes))
    print(f"{len(wholes)} runs: {part(wholes, 1.25):.0f} % within 1.25×, {part(wholes, 1.5):.0f} % within 1.5×; {mean:.2f}× off in the geometric mean")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
