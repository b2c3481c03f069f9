"""Measures Oxtorch, evcxr_jupyter with tch and ipykernel with torch in one run, and writes the report.

    cargo bench --bench compare [-- --rounds 20] [--quick]

That provides the peers and starts this. Measured is what a user waits for, at the client: from sending a cell to the
`idle` status that ends it. Cells are ones that were never seen before unless said otherwise. The peers take turns, cell
by cell, so that whatever else the machine does meets all of them.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

import cells
import report
from kernels import CellFailed, Peak, Peer, Session, register

FOLDER = Path(__file__).resolve().parent
REPOSITORY = FOLDER.parents[1]


# rust-analyzer reads the standard library and the crates first.
WARM = 60

# Seconds from the end of a kernel's first cell to the first question.
TO_TYPE = 2


class Run:
    """One run of the benchmark: what was measured so far."""

    def __init__(self, peers, options):
        self.peers = {peer.key: peer for peer in peers}
        self.options = options
        # What was measured, by peer: seconds, or bytes for memory.
        self.results = defaultdict(lambda: defaultdict(list))
        # Large enough that no earlier run has used it.
        self.number = random.randrange(10_000_000, 100_000_000)

    def next_number(self):
        self.number += 1
        return self.number

    def note(self, name, peer, *values):
        self.results[name][peer.key].extend(values)

    def start(self, peer):
        """A session that has shown its first tensor, and the seconds that this took from nothing."""
        code = cells.FIRST_TENSOR.code(peer.language, self.next_number())
        begin = time.perf_counter()
        session = Session(peer, FOLDER)
        session.prepare()
        session.run(code)
        return session, time.perf_counter() - begin


def say(text):
    print(f"compare: {text}", file=sys.stderr, flush=True)


def measure_starts(run):
    evcxr = run.peers.get("evcxr")
    if evcxr:
        say("evcxr builds tch, once")
        session, took = run.start(evcxr)
        session.stop()
        run.note("start to first tensor, tch not built yet", evcxr, took)
    for _ in range(run.options.starts):
        for peer in run.peers.values():
            session, took = run.start(peer)
            session.stop()
            run.note("start to first tensor", peer, took)


def measure_cells(run):
    with ExitStack() as stack:
        sessions = []
        for peer in run.peers.values():
            session = stack.enter_context(Session(peer, FOLDER))
            session.prepare()
            session.run(cells.EARLIER.code(peer.language, run.next_number()))
            sessions.append(session)
        for _ in range(run.options.rounds):
            for cell in cells.CELLS:
                number = run.next_number()
                for session in sessions:
                    run.note(f"cell: {cell.name}", session.peer, session.run(cell.code(session.peer.language, number)))
        for session in sessions:
            kernel, children = session.memory()
            run.note("memory with tensors: kernel", session.peer, kernel)
            run.note("memory with tensors: kernel and what it started", session.peer, kernel + children)


def measure_completion(run):
    with ExitStack() as stack:
        for peer in run.peers.values():
            session = stack.enter_context(Session(peer, FOLDER))
            session.prepare()
            session.run(cells.EARLIER.code(peer.language, run.next_number()))
            for typed in cells.TYPED:
                code = getattr(typed, peer.language)
                # The first answers wait until everything is read that they are taken from.
                matches, begin = [], time.monotonic()
                while typed.match not in matches and time.monotonic() - begin < WARM:
                    matches, _ = session.complete(code)
                if typed.match not in matches:
                    say(f"{peer.title} does not complete {code!r}")
                    continue
                for number in range(run.options.rounds):
                    # Each time the cell is another one, as it is while someone types.
                    _, took = session.complete(f"{number};\n{code}")
                    run.note(report.TAB(typed.name), peer, took)


def measure_first_help(run):
    """The first question to a kernel, by someone who begins to type behind their first cell.

    Not of evcxr_jupyter, whose rust-analyzer says nothing for its first minute.
    """
    for _ in range(run.options.starts):
        for peer in (peer for key, peer in run.peers.items() if key != "evcxr"):
            for name, ask, typed in [
                (report.FIRST_TAB, Session.complete, cells.FIRST_TAB),
                (report.FIRST_HELP, Session.inspect, cells.FIRST_HELP),
            ]:
                with Session(peer, FOLDER) as session:
                    session.prepare()
                    session.run(cells.EARLIER.code(peer.language, run.next_number()))
                    time.sleep(TO_TYPE)
                    answer, took = ask(session, getattr(typed, peer.language))
                    if typed.match in answer:
                        run.note(name, peer, took)
                    else:
                        say(f"{peer.title} does not say at once what {typed.rust!r} may be")


def measure_lines(run):
    """What is printed is read by the client that measures. A frontend that reads nothing joins for every second cell.

    Not of evcxr_jupyter, which takes minutes for it: a line of output is a message there.
    """
    for peer in (peer for key, peer in run.peers.items() if key != "evcxr"):
        with Session(peer, FOLDER) as session:
            session.run(cells.LINES.code(peer.language, run.next_number()))
            for _ in range(min(run.options.starts, 3)):
                run.note(report.LINES, peer, session.run(cells.LINES.code(peer.language, run.next_number())))
                with session.subscribe():
                    took = session.run(cells.LINES.code(peer.language, run.next_number()))
                run.note(report.LINES_STALLED, peer, took)


def measure_seen(run):
    """The same text in one session after the other; the first of them does not count."""
    numbers = [run.next_number() for _ in range(len(cells.CELLS) + 1)]
    for index in range(run.options.starts + 1):
        for peer in run.peers.values():
            with Session(peer, FOLDER) as session:
                session.prepare()
                session.run(cells.EARLIER.code(peer.language, numbers[-1]))
                for cell, number in zip(cells.CELLS, numbers):
                    took = session.run(cell.code(peer.language, number))
                    if index:
                        run.note("cell seen in an earlier session", peer, took)


def notebook_cells(path):
    if path.suffix in (".py", ".rs"):
        return [cell.split("\n", 1)[1].strip() for cell in re.split("(?:#|//) %%", path.read_text())[1:]]
    notebook = json.loads(path.read_text())
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def measure_quickstart(run):
    notebooks = {
        "oxtorch": REPOSITORY / "notebooks/quickstart.ipynb",
        "ipykernel": FOLDER / "quickstart_python.py",
    }
    with ExitStack() as stack:
        sessions = []
        for key, path in notebooks.items():
            session = stack.enter_context(Session(run.peers[key], FOLDER))
            codes = notebook_cells(path)
            for code in codes:
                session.run(code)
            sessions.append((session, codes))
        for _ in range(run.options.restarts):
            for session, codes in sessions:
                begin = time.perf_counter()
                session.restart()
                restarted = time.perf_counter() - begin
                for code in codes:
                    session.run(code)
                run.note("quickstart: restart and run all", session.peer, time.perf_counter() - begin)
                run.note("quickstart: of that, the restart", session.peer, restarted)


def measure_training(run):
    """Steps of training, without the compiling: the last cell of each file prints how many it made in a second.

    The first time does not count, and the peers take turns. The kernels' memory is watched during that first time, so
    that the looks cost the others nothing.
    """
    for training in cells.TRAININGS:
        with ExitStack() as stack:
            sessions = []
            for key, suffix in [("oxtorch", ".rs"), ("ipykernel", ".py")]:
                session = stack.enter_context(Session(run.peers[key], FOLDER))
                *before, train = notebook_cells(FOLDER / "training" / f"{training.key}{suffix}")
                # So that no earlier run has compiled the cells; and with as many threads as PyTorch, since the peer
                # that trained just now would count for what keeps the machine busy.
                threads = f"oxtorch::device::set_num_threads({os.cpu_count()});\n"
                new = f"{threads}let _run = {run.next_number()};\n" if suffix == ".rs" else ""
                with Peak(session) as peak:
                    for code in [*(new + code for code in before), train]:
                        session.run(code)
                run.note(report.PEAK(training.name), session.peer, peak.bytes)
                sessions.append((session, train))
            for _ in range(min(run.options.rounds, 7)):
                for session, train in sessions:
                    run.note(training.name, session.peer, 1 / float(session.printed(train)))
            for session, _ in sessions:
                run.note(report.MEMORY(training.name), session.peer, sum(session.memory()))


def write_weights(path):
    """16 tensors of random numbers, 1 GB in bfloat16, as safetensors has them."""
    numbers = 2**25
    header = {
        str(index): {"dtype": "BF16", "shape": [numbers], "data_offsets": [index * 2 * numbers, (index + 1) * 2 * numbers]}
        for index in range(16)
    }
    text = json.dumps(header).encode()
    # As safetensors has it: numbers begin at a multiple of 8 bytes, and so need not be copied.
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _ in header:
            file.write(random.randbytes(2 * numbers))


def measure_threads(run):
    """The number of threads that Oxtorch chooses, against one and all of them, on an idle machine and a busy one.

    What a session makes in its second cell counts: by then the number is settled.
    """
    peer = run.peers["oxtorch"]
    fixed = {"one": "oxtorch::device::set_num_threads(1);", "all": f"oxtorch::device::set_num_threads({os.cpu_count()});"}
    for busy, others in [("idle", 0), ("beside 2 busy loops", 2)]:
        loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(others)]
        try:
            for key, title in cells.THREADS.items():
                first, train = notebook_cells(FOLDER / "threads" / f"{key}.rs")
                with ExitStack() as stack:
                    sessions = {}
                    for number in ["chosen", *fixed]:
                        sessions[number] = stack.enter_context(Session(peer, FOLDER))
                        sessions[number].run(fixed.get(number, "") + first)
                    for _ in range(min(run.options.rounds, 3)):
                        for number, session in sessions.items():
                            session.run(train)
                            run.note(report.THREADS(title, busy, number), peer, 1 / float(session.printed(train)))
        finally:
            for loop in loops:
                loop.kill()
                loop.wait()


def measure_many(run):
    """Sessions of item cells: each calls the first of them, as most code does, or the one before, the worst case."""
    counts = {"oxtorch": run.options.items, "ipykernel": run.options.items, "evcxr": run.options.evcxr_items}
    for what, is_chain in [("item cells", False), ("chained item cells", True)]:
        for peer in run.peers.values():
            count = counts[peer.key]
            with Session(peer, FOLDER) as session:
                number = run.next_number()
                took = []
                for index in range(count):
                    calls = index - 1 if is_chain else 0
                    took.append(session.run(cells.item(peer.language, index, number, calls)))
                kernel, _ = session.memory()
            # Five cells around each place, for one alone says little.
            run.note(f"{what} 8 to 12 of a session", peer, *took[7:12])
            run.note(f"{what} {count - 4} to {count} of a session", peer, *took[-5:])
            run.note(f"memory after {count} {what}: kernel", peer, kernel)


MEASUREMENTS = [
    measure_starts,
    measure_cells,
    measure_completion,
    measure_first_help,
    measure_lines,
    measure_seen,
    measure_quickstart,
    measure_training,
    measure_threads,
    measure_many,
]


def peers_of(options, prefix):
    with_tch = {
        "LIBTORCH": options.libtorch,
        "LD_LIBRARY_PATH": str(Path(options.libtorch) / "lib"),
        "RUST_SRC_PATH": options.std_sources,
        # So that tch is built once in a run, not once in a session.
        "EVCXR_TMPDIR": options.evcxr_folder,
    }
    argv = [options.evcxr, "--control_file", "{connection_file}"]
    python = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    oxtorch = [options.oxtorch, "kernel", "--connection-file", "{connection_file}"]
    peers = [
        # What is measured is nobody's history.
        Peer("oxtorch", "Oxtorch", "rust", oxtorch, {"OXTORCH_HISTORY": str(Path(prefix) / "history")}),
        Peer("evcxr", "evcxr_jupyter + tch", "rust", argv, with_tch, [cells.TCH]),
        Peer("ipykernel", "ipykernel + torch", "python", python),
    ]
    return [peer for peer in peers if peer.key not in options.without]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="how often each cell runs")
    parser.add_argument("--starts", type=int, default=5, help="how often each kernel starts")
    parser.add_argument("--restarts", type=int, default=7, help="how often the quickstart runs")
    parser.add_argument("--items", type=int, default=300, help="how many item cells one session has")
    parser.add_argument("--evcxr-items", type=int, default=60, help="the same for evcxr, which slows down with each")
    parser.add_argument("--quick", action="store_true", help="few of everything, to see that it works")
    parser.add_argument("--without", action="append", default=[], choices=["evcxr"], help="leave a peer out")
    names = [measure.__name__.removeprefix("measure_") for measure in MEASUREMENTS]
    parser.add_argument("--only", action="append", default=[], choices=names, help="measure a part; implies no report")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs/BENCHMARKS.md", help="the report")
    for name in ["oxtorch", "evcxr", "libtorch", "std-sources"]:
        parser.add_argument(f"--{name}", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.starts, options.restarts, options.items, options.evcxr_items = 2, 1, 1, 20, 14

    with tempfile.TemporaryDirectory(prefix="oxtorch-bench-") as prefix:
        options.evcxr_folder = str(Path(prefix) / "evcxr")
        os.mkdir(options.evcxr_folder)
        os.environ["WEIGHTS"] = str(Path(prefix) / "weights.safetensors")
        write_weights(os.environ["WEIGHTS"])
        peers = peers_of(options, prefix)
        register(peers, prefix)
        run = Run(peers, options)
        begin = time.monotonic()
        for measure in MEASUREMENTS:
            if options.only and measure.__name__.removeprefix("measure_") not in options.only:
                continue
            say(f"{measure.__name__.replace('_', ' ')} ({time.monotonic() - begin:.0f} s)")
            try:
                measure(run)
            except CellFailed as failed:
                raise SystemExit(f"compare: {failed}") from None
    text = report.markdown(run, time.monotonic() - begin)
    print(text)
    if not options.only:
        options.output.write_text(text)
        say(f"wrote {options.output}")


if __name__ == "__main__":
    main()
