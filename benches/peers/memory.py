"""How much memory a process holds, in MiB, as Linux counts it; None where nothing says it.

What `getrusage` says of children is no help: a program that has just been started counts what the one that started it held.
"""
import pathlib


def _field(name, pid):
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return None


def now(pid="self"):
    return _field("VmRSS", pid)


def most(pid="self"):
    """The most that the process held since it was started, or since `forget`."""
    return _field("VmHWM", pid)


def forget(pid="self"):
    """From here on `most` begins anew; whether it does."""
    try:
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")
        return True
    except OSError:
        return False


def beyond(running, alone, given):
    """What runs take beyond the program as it lies there without a model, its parameters and its inputs."""
    return None if running is None or alone is None else max(0.0, running - alone - given)


def size(folder):
    """The parameters and inputs of a case."""
    return sum((folder / f).stat().st_size for f in "px") / 2**20
