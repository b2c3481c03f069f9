"""Writes what was measured as a page: every number with its spread, and whether the targets were met."""

import datetime
import os
import platform
import statistics
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import psutil

import cells

TRIVIAL = f"cell: {cells.TRIVIAL.name}"
TENSOR = f"cell: {cells.TENSOR.name}"
CNN = f"cell: {cells.CNN_TRAINED.name}"
QUICKSTART = "quickstart: restart and run all"
TAB = "Tab: {}".format
FIRST_TAB = "Tab: the first of a kernel"
FIRST_HELP = "Shift-Tab: the first of a kernel"
MEMORY = "memory with {}".format
PEAK = "memory at its peak with {}".format
LINES = f"cell: {cells.LINES.name}"
LINES_STALLED = f"{LINES}, beside a frontend that reads nothing"
THREADS = "a step of training: {}, {}, {} threads".format
SEEN = "cell seen in an earlier session"


def median(values):
    return statistics.median(values)


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def amount(name, value):
    if name.startswith("memory"):
        return f"{value / 1e6:.0f} MB"
    if value < 1e-3:
        return f"{value * 1e6:.0f} µs"
    if value < 1e-2:
        return f"{value * 1e3:.1f} ms"
    return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.0f} ms"


def cell_of(name, values):
    if not values:
        return "-"
    text = amount(name, median(values))
    if len(values) > 1:
        low, high = quartiles(values)
        text += f" ({amount(name, low)} to {amount(name, high)})"
    return text


def ratio_of(ours, theirs):
    return f"{median(ours) / median(theirs):.2f}" if ours and theirs else "-"


def targets(run):
    """What was aimed at: a text, what was measured, and whether it is met (None where it was not measured)."""
    results, last = run.results, run.options.items

    def ours(name):
        values = results[name]["oxtorch"]
        return median(values) if values else None

    def ratio(name, peer):
        both = results[name]["oxtorch"], results[name][peer]
        return median(both[0]) / median(both[1]) if all(both) else None

    def check(text, value, limit, show):
        return text, "not measured" if value is None else show(value), None if value is None else value <= limit

    def ms(value):
        return f"{value * 1e3:.0f} ms"

    def times(value):
        return f"{value:.2f}"

    def growth(what):
        late = ours(f"{what} {last - 4} to {last} of a session")
        return late / ours(f"{what} 8 to 12 of a session") if late else None

    def stalled():
        both = ours(LINES_STALLED), ours(LINES)
        return both[0] / both[1] if all(both) else None

    def chosen(title, busy):
        steps = [ours(THREADS(title, busy, number)) for number in ("chosen", "one", "all")]
        return steps[0] / min(steps[1:]) if all(steps) else None

    threads = [
        check(f"the threads that are chosen take at most 1.1 of the better of one and all: {title}, {busy}",
              chosen(title, busy), 1.1, times)
        for busy in ("idle", "beside 2 busy loops")
        for title in cells.THREADS.values()
    ]  # fmt: skip
    trainings = []
    for training in cells.TRAININGS:
        aimed = f"at most {training.limit:.2f} of PyTorch's time: {training.name}"
        trainings.append(check(aimed, ratio(training.name, "ipykernel"), training.limit, times))
        if training.memory_limit:
            limit = training.memory_limit
            aimed = f"at most {limit} of its memory: {training.name}"
            trainings.append(check(aimed, ratio(MEMORY(training.name), "ipykernel"), limit, times))
            aimed = f"also at the peak, while a cell is compiled: {training.name}"
            trainings.append(check(aimed, ratio(PEAK(training.name), "ipykernel"), limit, times))
    return [
        check("a trivial cell takes 120 ms or less", ours(TRIVIAL), 0.120, ms),
        check("and at most 0.25 of evcxr with tch", ratio(TRIVIAL, "evcxr"), 0.25, times),
        check("a tensor cell takes 180 ms or less", ours(TENSOR), 0.180, ms),
        check("the cell that defines a CNN and trains it takes at most 0.5 of evcxr", ratio(CNN, "evcxr"), 0.5, times),
        check("a cell seen before takes 25 ms or less", ours(SEEN), 0.025, ms),
        check("restart and run all takes at most as long as ipykernel", ratio(QUICKSTART, "ipykernel"), 1.0, times),
        *trainings,
        *threads,
        check("Tab offers a name of the session in 50 ms or less", ours(TAB(cells.TYPED[0].name)), 0.050, ms),
        check("Tab offers what rust-analyzer knows in 150 ms or less", ours(TAB(cells.TYPED[2].name)), 0.150, ms),
        check("the first Tab of a kernel takes 60 ms or less", ours(FIRST_TAB), 0.060, ms),
        check("the first Shift-Tab of a kernel takes 150 ms or less", ours(FIRST_HELP), 0.150, ms),
        check("a frontend that reads nothing costs a cell 10 % at most", stalled(), 1.1, times),
        check(f"item cell {last} takes at most 1.3 of the 10th", growth("item cells"), 1.3, times),
        check("also where each calls the one before", growth("chained item cells"), 1.3, times),
        check(
            f"the kernel without the host stays under 150 MB after {last} cells",
            ours(f"memory after {last} item cells: kernel"),
            150e6,
            lambda value: f"{value / 1e6:.0f} MB",
        ),
    ]


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def versions(run):
    def first_line(*command):
        done = subprocess.run(command, capture_output=True, text=True)
        return done.stdout.splitlines()[0] if done.returncode == 0 and done.stdout else "unknown"

    torch = first_line(sys.executable, "-c", "import torch; print(torch.__version__)")
    lines = [first_line(run.options.oxtorch, "--version"), first_line("rustc", "--version"), "tch 0.26.0"]
    if "evcxr" in run.peers:
        lines.append("evcxr_jupyter 0.22.0")
    lines += [f"ipykernel {metadata.version('ipykernel')}", f"torch {torch}", f"Python {platform.python_version()}"]
    return ", ".join(lines)


def markdown(run, seconds):
    memory = psutil.virtual_memory().total / 2**30
    load = os.getloadavg()[2]
    head = f"""# Benchmarks

Written by `cargo bench --bench compare`, which provides the peers and measures them all in one run, taking turns. Times are
what a user waits for: from sending a cell to the `idle` status that ends it, at a Jupyter client. Each number is a median,
with the quartiles in brackets. Cells were never seen before unless said otherwise; a ratio below 1 means that Oxtorch
is faster, or smaller.

- Machine: {os.cpu_count()} cores of {processor()}, {memory:.0f} GiB; load average at the end {load:.1f}
- Versions: {versions(run)}
- Date: {datetime.date.today()}; the run took {seconds / 60:.0f} minutes

## Targets

| target | measured | |
| --- | --- | --- |
"""
    marks = {True: "met", False: "**not met**", None: "not measured"}
    rows = [f"| {text} | {measured} | {marks[met]} |" for text, measured, met in targets(run)]
    titles = [peer.title for peer in run.peers.values()]
    others = [peer for peer in run.peers.values() if peer.key != "oxtorch"]
    columns = ["", *titles, *(f"ratio to {peer.title.split()[0]}" for peer in others)]
    table = ["", "## Measured", "", f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    measured = {name: by_peer for name, by_peer in run.results.items() if any(by_peer.values())}
    for name, by_peer in measured.items():
        values = [cell_of(name, by_peer[key]) for key in run.peers]
        ratios = [ratio_of(by_peer["oxtorch"], by_peer[peer.key]) for peer in others]
        table.append(f"| {' | '.join([name, *values, *ratios])} |")
    return head + "\n".join(rows + table) + "\n" + NOTES


NOTES = """
## What is measured

- *start to first tensor*: from asking for a kernel to a tensor on the screen. evcxr builds `tch` with its first
  `:dep tch`, in each session anew; here it keeps its build folder from one session to the next, which is what one can
  set up at best. Waiting for a kernel's start takes the client 0.2 s of its own, for each of the peers.
- *defines a CNN and its training*: Oxtorch compiles and optimises the functions at once. evcxr checks them then,
  and compiles them with the first cell that calls them, so what a user waits for is in *defines a CNN and trains it*.
- *Tab*: from asking to the answer, in a session that has answered before, and each time in another cell. A method of an expression is
  what only rust-analyzer knows, where it is the peer's way to know it.
- *the first of a kernel*: asked two seconds after the end of the first cell of a new kernel, by a frontend that asks for
  nothing meanwhile.
- *prints 1,000,000 lines*: until the last of them is at the client; and the same while a second client is connected and never reads.
  evcxr_jupyter, which sends each line as a message of its own, takes minutes and is left out.
- *cell seen in an earlier session*: the same cells again, after a new start of the kernel.
- *quickstart*: `notebooks/quickstart.ipynb` with a warm cache against `tests/bench/quickstart_python.py`, the same notebook in
  Python: the same data, network, epochs and pictures. From the restart button to the end of the last cell.
- *a step of training*, *a batch of the DataLoader*: the time of one, from within the cell, with the same network, sizes and optimiser,
  or the same data and transform, in both (`tests/bench/training`), the same version of libtorch and as many threads. The memory is
  that of all processes of the kernel when it is done, and at its peak: the most that was seen in looks 10 ms apart, from the
  first cell to the end of the first training, the compiler's processes included.
- *loading*: until the tensors of the file are there; both map it into memory, so that its numbers are read when they are used.
- *threads*: a training with the number of threads that Oxtorch chooses, with one, and with one for each processor, while
  nothing else runs and beside two processes that only compute. The number is settled when the measured cell begins; it
  takes Oxtorch two seconds at most to see that the machine has become busy.
- *item cells*: each defines a function that calls the first of them; *chained* ones call the one before. rustc then reads
  all crates below anew for each cell.
- *memory*: proportional set sizes, in which a page that processes share counts once in all. Oxtorch's kernel runs no
  user code: tensors live in the host that it starts. evcxr's kernel holds rust-analyzer; ipykernel is one process.
- evcxr finds the types of variables with the sources of the standard library at hand (`rust-src`).
"""
