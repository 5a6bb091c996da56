"""What came out, as lines while it goes on, as Markdown and as JSON."""
import importlib.metadata
import json
import math
import os
import pathlib
import platform

NAMES = {"eager": "PyTorch eager", "compile": "torch.compile", "ort": "ONNX Runtime"}


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def machine():
    cpu = platform.processor() or platform.machine()
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((l.split(":", 1)[1].strip() for l in lines if l.startswith("model name")), cpu)
    except OSError:
        pass
    versions = {"python": platform.python_version()}
    for package in ("torch", "onnxruntime", "onnxscript", "numpy"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass
    return dict(cpu=cpu, cores=cores(), versions=versions, load=round(os.getloadavg()[0], 2))


def mean(ratios):
    ratios = list(ratios)
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None


def number(ms):
    """Three digits, and never fewer than there are before the point."""
    return f"{ms:.{max(0, 2 - math.floor(math.log10(ms)))}f}" if ms > 0 else "0"


def mib(value):
    return "" if value is None else f"{value:.1f}" if value < 10 else f"{value:.0f}"


def line(row):
    parts = [f"{row['case']:13} hnet {number(row['hnet']['ms']):>7} ms"]
    for peer, ways in row["peers"].items():
        each = ", ".join(f"{way} {number(r['ms']) if 'ms' in r else '-'}{'*' if r.get('only_here') else ''}".strip() for way, r in ways.items())
        parts.append(f"{peer} ({each})" if len(ways) > 1 else f"{peer} {each}")
    end = f"{row['ratio']:.2f}x of the best, {row['best_peer']}" if row["best"] else "nobody to compare with"
    return f"[{row['threads']}] " + "   ".join(parts) + "   " + end


def failures(rows):
    """A line for each peer and way that has no time: what it is, and why."""
    for row in rows:
        for peer, ways in row["peers"].items():
            for way, r in ways.items():
                if "failed" in r:
                    yield f"{row['case']}, {NAMES[peer]}{f', {way}' if way else ''}: {r['failed']}"


def notes(rows):
    for row in rows:
        for peer, ways in row["peers"].items():
            for way, r in ways.items():
                said = r.get("notes", []) + ([r["only_here"] + ": its time does not count"] if r.get("only_here") else [])
                if said:
                    yield f"{row['case']}, {NAMES[peer]}{f', {way}' if way else ''}: {', '.join(said)}"


def table(head, rows):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def tables(rows, peers):
    """The cases with the fastest way of each peer, then the ways, then who is not there."""
    head = ["case", "hnet ms", "MiB"]
    for peer in peers:
        head += [f"{NAMES[peer]} ms", "MiB"]
    body = []
    for row in rows:
        cells = [row["case"], number(row["hnet"]["ms"]), mib(row["hnet"]["beyond_mib"])]
        for peer in peers:
            b = row["best"].get(peer)
            cells += [number(b["ms"]) + (f" ({b['way']})" if b["way"] else ""), mib(b["beyond_mib"])] if b else ["none: below", ""]
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        body.append(cells + [NAMES.get(row["best_peer"], ""), ratio])
    means = [mean(r["best"][p]["ratio"] for r in rows if p in r["best"]) for p in peers]
    last = ["geometric mean of the ratios", "", ""]
    for m in means:
        last += ["" if m is None else f"{m:.2f}x", ""]
    overall = mean(r["ratio"] for r in rows if r["ratio"])
    body.append(last + ["", "" if overall is None else f"{overall:.2f}"])
    yield from table(head + ["best peer", "hnet is .. times as fast"], body)
    several = [r for r in rows if any(len(ways) > 1 for ways in r["peers"].values())]
    if several:
        ways = [
            [row["case"], NAMES[peer], way, number(r["ms"]), mib(r["beyond_mib"]), f"{r['ms'] / row['hnet']['ms']:.2f}"]
            for row in several for peer, ways in row["peers"].items() for way, r in ways.items() if "ms" in r
        ]
        yield ""
        yield "Every way:"
        yield ""
        yield from table(["case", "peer", "way", "ms", "MiB", "hnet is .. times as fast"], ways)
    for title, lines in (("Not there, and why:", list(failures(rows))), ("Notes:", list(notes(rows)))):
        if lines:
            yield from ("", title, "", *(f"- {l}" for l in lines))


def markdown(title, rows, peers, absent, about):
    yield f"# {title}"
    yield ""
    versions = ", ".join(f"{k} {v}" for k, v in about["versions"].items())
    yield f"{about['cpu']}, {about['cores']} cores; {versions}; load {about['load']} before it began. Times are medians. MiB is what runs hold"
    yield "beyond the program itself, the parameters and the inputs: what was compiled or laid out anew, and what a run needs."
    yield from (f"{NAMES[peer]} is left out: {why}." for peer, why in absent.items())
    for threads in dict.fromkeys(r["threads"] for r in rows):
        yield ""
        yield f"## {threads} thread{'s' if threads > 1 else ''}"
        yield ""
        yield from tables([r for r in rows if r["threads"] == threads], peers)


def write(args, title, rows, absent, about):
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(dict(machine=about, absent=absent, rows=rows), indent=1) + "\n")
    if args.markdown:
        pathlib.Path(args.markdown).write_text("\n".join(markdown(title, rows, args.peers, absent, about)) + "\n")
