"""What both scripts do: read the command line, go through the cases, print and write."""
import argparse
import importlib.util
import pathlib
import tempfile

from . import ours, report
from .case import ROOT

# What each peer needs besides PyTorch.
NEEDS = {"eager": (), "compile": (), "ort": ("onnxruntime", "onnx", "onnxscript")}


def lacking(peer):
    gone = [m for m in NEEDS[peer] if importlib.util.find_spec(m) is None]
    return f"{', '.join(gone)} not installed" if gone else None


def threads(word):
    if word == "all":
        return report.cores()
    if not word.isdigit() or int(word) == 0:
        raise argparse.ArgumentTypeError(f"{word}: a number of threads, or `all`")
    return int(word)


def options(about, cases):
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=threads, nargs="+", default=[1], metavar="N", help="numbers of threads, or `all`; a table for each")
    parser.add_argument("--peers", help="of eager, compile and ort; all that are installed unless it is said")
    parser.add_argument("--only", help="some of the cases, by name")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each is timed, twice")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--markdown", metavar="FILE")
    args = parser.parse_args()
    absent = {}
    for name, given, known in (("only", args.only, cases), ("peers", args.peers, NEEDS)):
        chosen = given.split(",") if given else list(known)
        unknown = [c for c in chosen if c not in known]
        if unknown:
            parser.error(f"--{name}: no {', '.join(unknown)}; there are {', '.join(known)}")
        setattr(args, name, chosen)
    for peer in list(args.peers):
        if lacking(peer):
            absent[peer] = lacking(peer)
            args.peers.remove(peer)
    args.threads = list(dict.fromkeys(args.threads))
    return args, absent


def main(about, suite, title):
    try:
        import torch  # noqa: F401
    except ImportError:
        raise SystemExit("needs torch, numpy and safetensors") from None
    from . import suites
    from .measure import measure
    from safetensors.numpy import save_file

    args, absent = options(about, suites.SUITES[suite])
    if not ours.BINARY.exists():
        raise SystemExit(f"{ours.BINARY.relative_to(ROOT)} is not there: cargo build --release --example time")
    rows, machine = [], report.machine()
    if machine["load"] > 0.3:
        print(f"the machine is busy (load {machine['load']}): threads that wait for each other are slow, above all those of the peers")
    for peer, why in absent.items():
        print(f"{report.NAMES[peer]} is left out: {why}")
    for name in args.only:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            case = suites.make(suite, name)
            save_file(case.p, folder / "p")
            save_file(case.x, folder / "x")
            for n in args.threads:
                rows.append(measure((suite, name), case, folder, args.peers, n, args.seconds))
                print(report.line(rows[-1]), flush=True)
        report.write(args, title, rows, absent, machine)
    for n in args.threads:
        of = [r for r in rows if r["threads"] == n and r["ratio"]]
        for why in report.failures(r for r in rows if r["threads"] == n):
            print(f"[{n}] not there: {why}")
        for why in report.notes(r for r in rows if r["threads"] == n):
            print(f"[{n}] {why}")
        for peer in args.peers:
            if m := report.mean(r["best"][peer]["ratio"] for r in of if peer in r["best"]):
                print(f"[{n}] geometric mean, {report.NAMES[peer]}: {m:.2f}x")
        if of:
            near = sum(r["ratio"] * 1.15 >= 1 for r in of)
            print(f"[{n}] geometric mean, the best peer: {report.mean(r['ratio'] for r in of):.2f}x; {near} of {len(of)} within 1.15x of it")
    if any("wrong" in r for row in rows for ways in row["peers"].values() for r in ways.values()):
        raise SystemExit("somebody differs: see above")
