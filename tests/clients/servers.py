"""What a department has: ordinary users, a JupyterHub that starts their servers, and a Slurm of a few nodes.

All of it is made for a test and goes with it. That needs root, and programs that a machine may not have: `missing` says
which.
"""

import asyncio
import contextlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path

import psutil
from conftest import PATIENCE
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

SLURM = ["munged", "slurmctld", "slurmd", "srun", "sbatch", "scancel", "useradd"]
HUB = ["configurable-http-proxy", "useradd"]


def missing(programs):
    """Why these programs cannot be used here, or nothing."""
    if os.geteuid() != 0:
        return "not root"
    absent = [program for program in programs if shutil.which(program) is None]
    return f"no {', '.join(absent)}" if absent else ""


def missing_sandbox():
    """Why notebooks cannot be graded in a sandbox here, or nothing."""
    if shutil.which("bwrap") is None:
        return "no bwrap"
    command = ["bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--ro-bind", "/", "/", "true"]
    tried = subprocess.run(command, capture_output=True, text=True)
    return "" if tried.returncode == 0 else f"bwrap does not work here: {tried.stderr.strip()}"


def everybodys_python():
    """A Python that other users of this machine can run as well, if there is one; else that of the tests."""
    for python in map(Path, [sys._base_executable, "/usr/bin/python3"]):
        real = python.resolve()
        if not real.exists() or any(folder.stat().st_mode & 0o001 == 0 for folder in [*python.parents, *real.parents]):
            continue
        # Debian has the module that makes environments in a package of its own.
        if subprocess.run([python, "-c", "import ensurepip, venv"], capture_output=True).returncode == 0:
            return python
    return Path(sys.executable)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait(condition, what, patience=PATIENCE):
    """Waits until a condition holds, and gives its value."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.1)
    raise TimeoutError(what)


class User:
    """An ordinary user of this machine, with a home directory in a folder."""

    def __init__(self, folder):
        self.name = f"ox{uuid.uuid4().hex[:8]}"
        self.home = Path(folder) / self.name
        subprocess.run(["useradd", "--create-home", "--home-dir", self.home, self.name], check=True)

    def close(self):
        subprocess.run(["pkill", "-KILL", "-u", self.name])
        wait(lambda: subprocess.run(["userdel", self.name], capture_output=True).returncode == 0, "the user is in use")

    def command(self, *command, **environment):
        """A command that runs as this user, with these variables and no others."""
        variables = {"HOME": self.home, "USER": self.name, "LANG": "C.UTF-8", **environment}
        entry = pwd.getpwnam(self.name)
        prefix = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups", "env", "-i"]
        return [*prefix, *(f"{name}={value}" for name, value in variables.items()), *map(str, command)]


@contextlib.contextmanager
def users(folder, count):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(User(folder))) for _ in range(count)]


class Hub:
    """A JupyterHub whose users are those of the machine."""

    TOKEN = uuid.uuid4().hex

    def __init__(self, python, folder, users, environment):
        self.folder, self.port = Path(folder), free_port()
        config = self.folder / "jupyterhub_config.py"
        settings = {
            "JupyterHub.bind_url": f"http://127.0.0.1:{self.port}",
            "JupyterHub.hub_bind_url": f"http://127.0.0.1:{free_port()}",
            "ConfigurableHTTPProxy.api_url": f"http://127.0.0.1:{free_port()}",
            "JupyterHub.authenticator_class": "dummy",
            "Authenticator.allowed_users": {user.name for user in users},
            "JupyterHub.db_url": f"sqlite:///{self.folder}/hub.sqlite",
            "JupyterHub.cookie_secret_file": f"{self.folder}/cookie_secret",
            "ConfigurableHTTPProxy.pid_file": f"{self.folder}/proxy.pid",
            "JupyterHub.services": [{"name": "tests", "api_token": self.TOKEN}],
            "JupyterHub.load_roles": [
                {"name": "tests", "services": ["tests"], "scopes": ["admin:users", "admin:servers", "access:servers"]}
            ],
            "Spawner.cmd": [str(Path(python).with_name("jupyterhub-singleuser"))],
            "Spawner.environment": environment,
            "Spawner.http_timeout": PATIENCE,
            "Spawner.start_timeout": PATIENCE,
        }
        config.write_text("".join(f"c.{name} = {value!r}\n" for name, value in settings.items()))
        with open(self.folder / "hub.log", "w") as log:
            command = [python, "-m", "jupyterhub", "--config", config]
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT)
        wait(self.is_up, "the hub does not start")

    def is_up(self):
        if self.process.poll() is not None:
            raise RuntimeError((self.folder / "hub.log").read_text())
        with contextlib.suppress(OSError):
            return self.ask("GET", "hub/api/") is not None

    def ask(self, method, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{path}", method=method)
        request.add_header("Authorization", f"token {self.TOKEN}")
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(request, data, timeout=PATIENCE) as response:
            return json.loads(response.read() or "{}")

    def start_server(self, user):
        with contextlib.suppress(urllib.error.HTTPError):
            self.ask("POST", f"hub/api/users/{user.name}")
        self.ask("POST", f"hub/api/users/{user.name}/server", {})
        wait(lambda: self.ask("GET", f"hub/api/users/{user.name}").get("server"), "the user's server does not start")

    def start_kernel(self, user):
        return self.ask("POST", f"user/{user.name}/api/kernels", {"name": "oxtorch"})["id"]

    async def run(self, user, kernel, code):
        """Runs a cell as the browser does, and gives what it shows as text."""
        address = f"ws://127.0.0.1:{self.port}/user/{user.name}/api/kernels/{kernel}/channels"
        request = HTTPRequest(address, headers={"Authorization": f"token {self.TOKEN}"})
        connection = await asyncio.wait_for(websocket_connect(request), PATIENCE)
        header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": uuid.uuid4().hex}
        header |= {"username": user.name, "version": "5.3", "date": "2026-01-01T00:00:00Z"}
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        await connection.write_message(json.dumps(message))
        shown = []
        while True:
            answer = json.loads(await asyncio.wait_for(connection.read_message(), PATIENCE))
            if answer["parent_header"].get("msg_id") != header["msg_id"]:
                continue
            kind, content = answer["msg_type"], answer["content"]
            if kind == "stream":
                shown.append(content["text"])
            elif kind in ("execute_result", "display_data"):
                shown.append(content["data"].get("text/plain", ""))
            elif kind == "error":
                shown.append("\n".join(content["traceback"]))
            elif kind == "status" and content["execution_state"] == "idle":
                connection.close()
                return "".join(shown)

    def close(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


def steps_on(node):
    """What runs the jobs of a node: the parents of their first processes."""
    steps = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            parent = process.parent()
            if process.environ().get("SLURMD_NODENAME") == node and parent and "slurmstepd" in parent.name():
                steps.add(parent)
    return steps


class Slurm:
    """A Slurm of this machine alone, with munge. It may have several nodes, each with so many processors."""

    def __init__(self, folder, processors, megabytes, nodes=1):
        self.folder = Path(folder)
        self.processes = []
        for name in ("munge", "state", "spool"):
            (self.folder / name).mkdir(mode=0o755)
        munge = self.folder / "munge"
        (munge / "key").write_bytes(os.urandom(128))
        (munge / "key").chmod(0o400)
        sockets = munge / "socket"
        names = {"key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={munge / name}" for option, name in names.items()]
        self.start("munged", "--foreground", "--force", f"--socket={sockets}", *options)
        wait(sockets.exists, "munged does not start")
        host = socket.gethostname().split(".")[0]
        settings = {
            "ClusterName": "tests",
            "SlurmctldHost": f"{host}(127.0.0.1)",
            "SlurmUser": "root",
            # A job of a node that is gone begins anew that many seconds later.
            "AuthInfo": f"socket={sockets},cred_expire=10",
            "SlurmctldPort": free_port(),
            "StateSaveLocation": self.folder / "state",
            "SlurmdSpoolDir": self.folder / "spool" / "%n",
            "SlurmctldPidFile": self.folder / "slurmctld.pid",
            "SlurmdPidFile": self.folder / "slurmd-%n.pid",
            # A node that is gone is noticed soon, and so is a job that may begin.
            "SlurmdTimeout": 10,
            "SchedulerParameters": "bf_interval=2,sched_interval=5",
            "SlurmctldLogFile": self.folder / "slurmctld.log",
            "SlurmdLogFile": self.folder / "slurmd-%n.log",
            "ProctrackType": "proctrack/linuxproc",
            "TaskPlugin": "task/none",
            "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_CPU_Memory",
            "SlurmdParameters": "config_overrides",
            "ReturnToService": 2,
            "MpiDefault": "none",
            "KillWait": 30,
        }
        size = f"CPUs={processors} RealMemory={megabytes} State=UNKNOWN"
        self.nodes = [f"node{number}" for number in range(nodes)]
        machines = [
            f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={free_port()} {size}" for name in self.nodes
        ]
        partition = f"PartitionName=main Nodes={','.join(self.nodes)} Default=YES MaxTime=INFINITE State=UP"
        self.config = self.folder / "slurm.conf"
        lines = [f"{name}={value}" for name, value in settings.items()]
        self.config.write_text("\n".join([*lines, *machines, partition]) + "\n")
        self.environment = {"SLURM_CONF": str(self.config)}
        self.start("slurmctld", "-D")
        self.daemons = {name: self.start("slurmd", "-D", "-N", name) for name in self.nodes}
        wait(self.is_idle, "not all nodes become idle")

    def start(self, *command):
        with open(self.folder / f"{command[0]}.out", "a") as log:
            environment = {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        self.processes.append(process)
        return process

    def is_idle(self):
        for process in self.processes:
            if process.poll() is not None:
                name = process.args[0]
                raise RuntimeError(f"{name} has ended: " + (self.folder / f"{name}.out").read_text())
        return self.ask("sinfo", "--noheader", "--Node", "--format=%t").split() == ["idle"] * len(self.nodes)

    def kill(self, node):
        """Ends a node with all that runs on it, as if it had lost power."""
        daemon = self.daemons[node]
        self.processes.remove(daemon)
        for process in [psutil.Process(daemon.pid), *steps_on(node)]:
            for child in [*process.children(recursive=True), process]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
        daemon.wait(PATIENCE)

    def ask(self, *command):
        environment = {**os.environ, **self.environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE).stdout

    def close(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(PATIENCE)


