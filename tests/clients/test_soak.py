"""Interrupts, and ends of the host process, at random moments: the kernel outlives them all.

Each run prints its seed; OXTORCH_SOAK_SEED repeats it. OXTORCH_SOAK multiplies how often something happens: 1 is for every
day, 20 gives 1,000 interrupts and 200 kills.
"""

import os
import random
import time
from collections import Counter

import psutil
import pytest

FACTOR = int(os.environ.get("OXTORCH_SOAK", "1"))
INTERRUPTS = 50 * FACTOR
KILLS = 10 * FACTOR

SETUP = """
let options = (Kind::Float, Device::Cpu);
let vs = nn::VarStore::new(Device::Cpu);
let net = nn::seq().add(nn::linear(vs.root(), 16, 32, Default::default())).add_fn(|x| x.relu())
    .add(nn::linear(vs.root(), 32, 1, Default::default()));
let mut opt = nn::Adam::default().build(&vs, 1e-3)?;
let inputs = Tensor::ones([64, 16], options);
let mut steps = 0_i64;
let mut ticks = 0_i64;
let mut products = 0_i64;
let mut list: Vec<i64> = (0..1500).rev().collect();
let matrix = Tensor::ones([256, 256], options);
fn sort(list: &mut [i64]) {
    for end in (1..list.len()).rev() {
        for i in 0..end {
            if list[i] > list[i + 1] { list.swap(i, i + 1); }
        }
    }
}
"""

# None of their calls is longer than some 20 ms; between two of them there is a checkpoint.
WORK = {
    "training": "for _ in 0..150 {\n    let loss = net.forward(&inputs).square().mean(Kind::Float);\n"
    "    opt.backward_step(&loss);\n    steps += 1;\n}",
    "sort": "for _ in 0..60 {\n    list.reverse();\n    sort(&mut list);\n}",
    "sleep": "for _ in 0..15 {\n    std::thread::sleep(std::time::Duration::from_millis(10));\n    ticks += 1;\n}",
    "matmul": "for _ in 0..150 {\n    let product = matrix.matmul(&matrix);\n    products += product.size()[0] / 256;\n}",
}
# Longer than any of them takes on a machine that does other things as well.
LONGEST_DELAY = 0.25

CHECK = "let sum: i64 = list.iter().sum();\n(steps, ticks, products, sum, vs.len(), matrix.size(), inputs.size())"


@pytest.fixture
def dice():
    """Random numbers that can be had again."""
    seed = int(os.environ.get("OXTORCH_SOAK_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"OXTORCH_SOAK_SEED={seed}")
    return random.Random(seed)


def interrupt(kernel):
    """Interrupts, and waits for the kernel's word that it did."""
    control = kernel.client.control_channel
    message = kernel.client.session.msg("interrupt_request")
    control.send(message)
    while control.get_msg(timeout=60)["parent_header"].get("msg_id") != message["header"]["msg_id"]:
        pass


def state(kernel):
    """The counters and shapes of all that the cells keep."""
    cell = kernel.run(CHECK)
    assert cell.ok, cell.reply
    return [int(number) for number in cell.result.replace("[", "").replace("]", "").strip("()").split(",")]


@pytest.mark.timeout(240 * FACTOR)
def test_interrupts_at_random_moments_keep_the_state(kernel, dice):
    pid = kernel.manager.provisioner.pid
    assert kernel.run(SETUP).ok
    before = state(kernel)
    endings = Counter()
    for number in range(INTERRUPTS):
        kind = dice.choice(list(WORK))
        # One in ten is a cell that was never compiled: the interrupt may find the compiler at work.
        fresh = dice.random() < 0.1
        message = kernel.send(WORK[kind] + (f"\nlet last = {number};" if fresh else ""))
        time.sleep(dice.uniform(0, LONGEST_DELAY))
        interrupt(kernel)
        cell = kernel.finish(message)
        ending = "ok" if cell.ok else cell.reply["ename"]
        assert ending in ("ok", "KeyboardInterrupt"), cell.reply
        endings[kind, ending] += 1
        after = state(kernel)
        # What counts up has not gone back, and what stays has stayed.
        assert all(new >= old for new, old in zip(after[:3], before[:3])), (kind, before, after)
        assert after[3:] == before[3:], (kind, before, after)
        before = after
    assert kernel.manager.provisioner.pid == pid and psutil.pid_exists(pid)
    caught = sum(count for (_, ending), count in endings.items() if ending != "ok")
    print(f"{INTERRUPTS} interrupts: {caught} ended a cell, {INTERRUPTS - caught} came after its end; {dict(endings)}")
    assert caught > 0


def hosts(kernel):
    """The processes that run cells, or wait to."""
    children = psutil.Process(kernel.manager.provisioner.pid).children()
    return [child for child in children if "host" in child.name()]


def kill_one(kernel, dice):
    """Ends one of the hosts, if there is one at this moment."""
    running = hosts(kernel)
    if running:
        dice.choice(running).kill()
    return bool(running)


@pytest.mark.timeout(240 * FACTOR)
def test_hosts_killed_at_random_moments_are_replaced(kernel, dice):
    pid = kernel.manager.provisioner.pid
    assert kernel.run("fn double(n: i64) -> i64 { n * 2 }").ok
    endings = Counter()
    for number in range(KILLS):
        moment = dice.choice(["running", "compiling", "idle"])
        if moment == "running":
            message = kernel.send("for i in 0..20 { std::thread::sleep(std::time::Duration::from_millis(10)); double(i); }")
            time.sleep(dice.uniform(0, LONGEST_DELAY))
        elif moment == "compiling":
            message = kernel.send(f"fn count{number}(n: i64) -> i64 {{ (0..n).map(double).sum() }}\ncount{number}(3)")
            time.sleep(dice.uniform(0, LONGEST_DELAY))
        killed = kill_one(kernel, dice)
        if moment == "idle":
            message = kernel.send(f"double({number})")
        cell = kernel.finish(message)
        ending = "ok" if cell.ok else cell.reply["ename"]
        assert ending in ("ok", "HostDied"), cell.reply
        endings[moment, "killed" if killed else "none to kill", ending] += 1
        # A host that was killed behind its last cell is noticed by the next one at the latest.
        cell = kernel.run("double(21)")
        assert cell.ok or cell.reply["ename"] == "HostDied", cell.reply
        assert kernel.run("double(21)").result == "42"
    assert kernel.manager.provisioner.pid == pid and psutil.pid_exists(pid)
    print(f"{KILLS} kills: {dict(endings)}")
