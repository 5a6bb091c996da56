#!/usr/bin/env python3
"""Whether hnet's planner chooses well: every way of every decision is run, and the one that was taken is set beside the fastest.

    cargo build --release --bin hnet
    python benches/choices.py [--only moe,film] [--within 1.05] [--json report.json]

The cases are those of `peers.py` and of `crossover.py`, at full size, one thread. A choice is right where the run with it takes no longer than
`--within` times the run with the best of the other ways, all else as the planner takes it; a way and what was taken are run in turn. Needs torch, numpy and safetensors, as those do.
"""
import argparse
import json
import pathlib
import tempfile

from peers import suites, told


def main():
    summary, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="some of the cases, by name")
    parser.add_argument("--within", type=float, default=1.05, help="how much longer a right choice may take (1.05)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    args = parser.parse_args()
    names = told.chosen(parser, args.only)
    all_made, right = [], 0
    for suite, name in names:
        with tempfile.TemporaryDirectory() as folder:
            made = told.told(suites.make(suite, name), pathlib.Path(folder), "explain", "--measure")["decisions"]
        seen = set()
        for d in made:
            # Equal layers have one place, and one pin takes the way in all of them.
            one = (d["what"], d["value"], d["at"], tuple(w["way"] for w in d["ways"]))
            if one in seen:
                continue
            seen.add(one)
            times = [(w["measured"], w["way"]) for w in d["ways"] if w.get("measured")]
            taken = d["ways"][d["taken"]].get("measured")
            if taken is None or len(times) < 2:
                continue
            best, way = min(times)
            loss = taken / best
            all_made.append({"case": name, **d, "loss": loss})
            right += loss <= args.within
            mark = "" if loss <= args.within else f"   <- {way}: {1e3 * best:.3g} ms"
            print(f"{name:14} {d['what']:9} {d['value'][:28]:28} {d['ways'][d['taken']]['way'][:44]:44} {1e3 * taken:9.3g} ms  {loss:5.2f}{mark}")
    if all_made:
        print(f"{right} of {len(all_made)} choices take no longer than {args.within:g} times the best way ({100 * right / len(all_made):.0f} %)")
    if args.json:
        args.json.write_text(json.dumps(all_made, indent=1))


if __name__ == "__main__":
    main()
