"""What the command line says of a case, as JSON; and which cases somebody wants.

In: a case, a folder for its weights and inputs, a command of hnet with its options. Out: the object that it prints.
"""
import json
import subprocess

from safetensors.numpy import save_file

from . import suites
from .case import ROOT

BINARY = ROOT / "target/release/hnet"


def told(case, folder, command, *options):
    """The JSON of `hnet COMMAND` about a case at full size; ends the program with what hnet says where it fails."""
    files = {"params": (case.p, folder / "p.safetensors"), "inputs": (case.x, folder / "x.safetensors")}
    line = [BINARY, command, ROOT / case.model, "--json", *options]
    for option, (values, file) in files.items():
        save_file(values, file)
        line += [f"--{option}", file]
    for name, value in case.sizes.items():
        line += ["--set", f"{name}={value}"]
    done = subprocess.run([str(word) for word in line], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{case.model}: {done.stderr}{done.stdout}")
    return json.loads(done.stdout)


def chosen(parser, only):
    """Suites and names of the cases that `only` names, with commas between them, or of all."""
    names = [(suite, name) for suite in suites.SUITES for name in suites.SUITES[suite]]
    if not only:
        return names
    wanted = only.split(",")
    unknown = [n for n in wanted if all(n != name for _, name in names)]
    if unknown:
        parser.error(f"no case is called {', '.join(unknown)}; there are {', '.join(name for _, name in names)}")
    return [(suite, name) for suite, name in names if name in wanted]
