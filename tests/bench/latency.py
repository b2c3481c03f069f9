"""How long a user waits: from the start of a kernel to its first tensor, and for six small cells.

    cargo bench --bench latency [-- --rounds 20] [--starts 5] [--python PYTHON]

For ipykernel a Python is used that has both ipykernel and torch: --python, or else the test environment's (which
PYTHONPATH may give a torch), or else `python3`. Without one, only Oxtorch is measured.

What is measured: the time from sending the request to the `idle` status that ends it, at the client. A cell is
different in every round, as cells are while one writes them: nothing that was compiled before is of use.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jupyter_client.manager import start_new_kernel

# Name, Rust, Python. {n} is another number in each round.
CELLS = [
    (
        "tensor creation",
        "let t = Tensor::rand([64, 64], (Kind::Float, Device::Cpu)) + {n};",
        "t = torch.rand(64, 64) + {n}",
    ),
    ("arithmetic", "let a = {n} * 3 + 1;\na", "a = {n} * 3 + 1\na"),
    ("matmul", "let m = t.matmul(&t) * {n};\nm.size()", "m = t.matmul(t) * {n}\nm.size()"),
    (
        "function definition",
        "fn scale(x: f64) -> f64 {{\n    x * {n}.0 + 1.0\n}}",
        "def scale(x):\n    return x * {n}.0 + 1.0",
    ),
    (
        "collecting an iterator",
        "let squares: Vec<i64> = (0..{n}).map(|i| i * i).collect();",
        "squares = [i * i for i in range({n})]",
    ),
    ("using it", "squares.iter().sum::<i64>() + {n}", "sum(squares) + {n}"),
]
FIRST = {
    "oxtorch": "Tensor::ones([2, 3], (Kind::Float, Device::Cpu))",
    "ipykernel": "import torch\ntorch.ones(2, 3)",
}


def run(client, code):
    """Executes a cell; returns the seconds until it is idle again."""
    begin = time.perf_counter()
    message_id = client.execute(code)
    while True:
        message = client.get_iopub_msg(timeout=300)
        if message["parent_header"].get("msg_id") != message_id:
            continue
        if message["msg_type"] == "error":
            raise SystemExit(f"latency: the cell failed: {message['content']['evalue']}\n{code}")
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return time.perf_counter() - begin


def measure_start(kernel):
    """Seconds from asking for a kernel to its first tensor on the screen; kernel and client go on."""
    begin = time.perf_counter()
    manager, client = start_new_kernel(kernel_name=kernel, startup_timeout=300)
    run(client, FIRST[kernel])
    return time.perf_counter() - begin, manager, client


def measure(kernel, starts, rounds):
    started = []
    for left in reversed(range(starts)):
        seconds, manager, client = measure_start(kernel)
        started.append(seconds)
        if left:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    latencies = {name: [] for name, _, _ in CELLS}
    try:
        for n in range(rounds):
            for name, rust, python in CELLS:
                code = (rust if kernel == "oxtorch" else python).format(n=1000 + n)
                latencies[name].append(run(client, code))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return {"start to first tensor": started, **latencies}


def python_with_torch(asked):
    """A Python that has ipykernel and torch, and the version of the latter."""
    for python in [asked] if asked else [sys.executable, shutil.which("python3")]:
        if python is None:
            continue
        probe = [python, "-c", "import ipykernel, torch; print(ipykernel.__version__, torch.__version__)"]
        done = subprocess.run(probe, capture_output=True, text=True)
        if done.returncode == 0:
            return python, done.stdout.split()
        if asked:
            raise SystemExit(f"latency: {python} lacks ipykernel or torch: {done.stderr.strip().splitlines()[-1]}")
    return None, None


def register(prefix, kernel, argv, language):
    folder = Path(prefix) / "share/jupyter/kernels" / kernel
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": kernel, "language": language}))


def spread(seconds):
    """Median and the middle half, in milliseconds."""
    if len(seconds) < 2:
        return seconds[0] * 1e3, seconds[0] * 1e3, seconds[0] * 1e3
    low, middle, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return middle * 1e3, low * 1e3, high * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="how often each cell runs")
    parser.add_argument("--starts", type=int, default=5, help="how often each kernel starts")
    parser.add_argument("--python", help="a Python with ipykernel and torch")
    options = parser.parse_args()
    oxtorch = os.environ.get("OXTORCH") or shutil.which("oxtorch")
    if not oxtorch:
        raise SystemExit("latency: OXTORCH names no binary, and there is no oxtorch on the PATH")

    with tempfile.TemporaryDirectory(prefix="oxtorch-bench-") as prefix:
        subprocess.run([oxtorch, "install", "--prefix", prefix], check=True, stdout=subprocess.DEVNULL)
        os.environ["JUPYTER_PATH"] = str(Path(prefix) / "share/jupyter")
        os.environ["IPYTHONDIR"] = str(Path(prefix) / "ipython")
        python, versions = python_with_torch(options.python)
        kernels = {"oxtorch": "Oxtorch"}
        if python:
            register(prefix, "ipykernel", [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "python")
            kernels["ipykernel"] = f"ipykernel {versions[0]} + torch {versions[1]}"
        else:
            print("ipykernel with torch is not installed: only Oxtorch is measured", file=sys.stderr)
        results = {}
        for kernel, title in kernels.items():
            print(f"measuring {title}: {options.starts} starts, {options.rounds} rounds", file=sys.stderr)
            results[kernel] = measure(kernel, options.starts, options.rounds)

    print(f"milliseconds at the client: median (middle half); {os.cpu_count()} cores")
    width = max(len(name) for name in results["oxtorch"])
    print(f"{'':{width}}  " + "  ".join(f"{title:>38}" for title in kernels.values()) + ("   ratio" if python else ""))
    for name in results["oxtorch"]:
        columns = [spread(results[kernel][name]) for kernel in kernels]
        texts = [f"{f'{middle:.1f} ({low:.1f} to {high:.1f})':>38}" for middle, low, high in columns]
        ratio = f"  {columns[0][0] / columns[1][0]:5.2f}x" if python else ""
        print(f"{name:{width}}  " + "  ".join(texts) + ratio)


if __name__ == "__main__":
    main()
