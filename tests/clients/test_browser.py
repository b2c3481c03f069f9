"""JupyterLab in a real browser, used as a student uses it.

With OXTORCH_SCREENSHOTS naming a folder, pictures of what was seen are put there.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
if CHROMIUM is None and os.environ.get("CI") != "true":
    pytest.skip("there is no chromium on this machine", allow_module_level=True)

from playwright.sync_api import expect, sync_playwright  # noqa: E402

# A cell that has not answered by then never will.
PATIENCE = 60_000

# What WCAG 2 asks of text.
READABLE = 4.5

# Each piece of text below an element, with its color and the backgrounds behind it, the nearest first.
PIECES = """
element => {
    const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    const pieces = [];
    while (texts.nextNode()) {
        const text = texts.currentNode.textContent.trim();
        const parents = [];
        for (let at = texts.currentNode.parentElement; at; at = at.parentElement) parents.push(at);
        const styles = parents.map(parent => getComputedStyle(parent));
        if (text) pieces.push([text, styles[0].color, styles.map(style => style.backgroundColor)]);
    }
    return pieces;
}
"""

# Where on the screen the first appearances of some texts in an element begin.
PLACES = """
(element, wanted) => wanted.map(text => {
    const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    let from = element.textContent.indexOf(text);
    while (texts.nextNode()) {
        const length = texts.currentNode.textContent.length;
        if (from < length) break;
        from -= length;
    }
    const range = document.createRange();
    range.setStart(texts.currentNode, from);
    range.setEnd(texts.currentNode, from + 1);
    const {left, top, height} = range.getBoundingClientRect();
    return {left, top, height};
})
"""

TRAINING = """\
let vs = nn::VarStore::new(device());
let net = nn::seq().add_fn(|x| x.flat_view()).add(nn::linear(vs.root(), 64, 10, Default::default()));
let mut opt = nn::Adam::default().build(&vs, 1e-3)?;
for (_, bar) in progress(0..20_000).describe("training").with_bar() {
    let loss = net.forward(&digits.images).cross_entropy_for_logits(&digits.labels);
    opt.backward_step(&loss);
    bar.postfix("loss", &loss);
}
"""


class Lab:
    """A notebook in JupyterLab in a browser."""

    def __init__(self, page, address, settings):
        self.page = page
        self.address = address
        self.settings = settings

    def shoot(self, name):
        """Takes a picture for whoever wants to look."""
        if folder := os.environ.get("OXTORCH_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(folder) / f"{name}.png")

    def launch(self):
        """A new notebook from the launcher, as a student starts one."""
        self.page.goto(f"{self.address}/lab?reset")
        self.page.locator(".jp-LauncherCard", has_text="Rust (Oxtorch)").first.click(timeout=PATIENCE)
        self.ready()

    def theme(self, name):
        """The theme of all pages that are opened from now on."""
        (self.settings / "themes.jupyterlab-settings").write_text(json.dumps({"theme": name}))

    def ready(self):
        expect(self.page.locator(".jp-Notebook:visible")).to_be_visible(timeout=PATIENCE)
        # A cell that is run before the kernel is connected is not run at all.
        expect(self.page.locator("#jp-main-statusbar")).to_contain_text("Rust (Oxtorch) | Idle", timeout=PATIENCE)

    def cell(self, number):
        return self.page.locator(".jp-Notebook:visible .jp-CodeCell").nth(number)

    def output(self, number):
        return self.cell(number).locator(".jp-OutputArea")

    def type(self, number, code):
        editor = self.cell(number).locator(".cm-content")
        editor.click()
        self.page.keyboard.press("Control+a")
        # The editor indents by itself.
        self.page.keyboard.type("\n".join(line.strip() for line in code.splitlines()))
        # The end of it is there once all of it is.
        expect(editor).to_contain_text(code.splitlines()[-1].strip())

    def run(self, number, code):
        """Types and runs a cell; the cursor is then in the next one."""
        self.type(number, code)
        self.page.keyboard.press("Shift+Enter")

    def save(self, name):
        """Saves the notebook for the first time, when it gets its name."""
        self.page.keyboard.press("Control+s")
        self.page.locator(".jp-Dialog input[type=text]").fill(name)
        self.page.locator(".jp-Dialog button.jp-mod-accept").click()
        # It is saved before the question, and renamed after the answer.
        expect(self.page.locator("#jp-main-dock-panel .lm-TabBar-tabLabel")).to_have_text([name])
        expect(self.page.locator(".lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)

    def runs_as(self, number, prompt):
        """Waits until a cell has run and has that number."""
        expect(self.cell(number).locator(".jp-InputArea-prompt")).to_have_text(f"[{prompt}]:", timeout=PATIENCE)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """JupyterLab on an empty folder, with the kernel that the tests registered."""
    assert CHROMIUM, "there is no chromium on this machine: apt install chromium"
    root = tmp_path_factory.mktemp("lab")
    (root / "work").mkdir()
    # No questions about news in the pictures.
    settings = root / "settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    port = free_port()
    folders = {f"JUPYTER_{name}_DIR": str(root / name.lower()) for name in ("CONFIG", "RUNTIME")}
    environment = {**os.environ, **folders, "JUPYTERLAB_SETTINGS_DIR": str(root / "settings")}
    log = (root / "log").open("w+")
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
        + ["--IdentityProvider.token=", "--ServerApp.password=", f"--ServerApp.root_dir={root / 'work'}"],
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    address = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 60
    try:
        while not answers(address):
            log.seek(0)
            assert process.poll() is None and time.monotonic() < until, log.read()
            time.sleep(0.1)
        yield address, root / "work", settings
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            # It has ended its kernels, and waits for a thread of a request that it has cut off.
            process.kill()
            process.wait()
        log.close()


def answers(address):
    try:
        urllib.request.urlopen(f"{address}/api/status", timeout=5).read()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        yield browser
        browser.close()


@pytest.fixture
def lab(server, browser):
    address, _, settings = server
    page = browser.new_page(viewport={"width": 1100, "height": 800}, device_scale_factor=1)
    page.set_default_timeout(PATIENCE)
    yield Lab(page, address, settings)
    page.close()


def test_a_notebook_as_a_student_writes_it(lab, server):
    lab.launch()

    lab.run(0, 'let x = Tensor::from_slice(&[1.0f32, 2.0, 4.0]);\nprintln!("made {:?}", x.size());\nx.mean(Kind::Float)')
    lab.runs_as(0, 1)
    expect(lab.output(0)).to_contain_text("made [3]")
    expect(lab.output(0)).to_contain_text("2.3333")

    lab.run(1, "let digits = digits();\nimage(&digits.images.narrow(0, 0, 10))?")
    lab.runs_as(1, 2)
    picture = lab.output(1).locator("img")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 8
    lab.shoot("lab-image")

    # Live: the bar moves while the loop runs.
    lab.run(2, TRAINING)
    expect(lab.output(2)).to_contain_text(re.compile(r"[1-9][0-9]{3,}/20000"), timeout=PATIENCE)
    expect(lab.output(2)).to_contain_text("loss")
    expect(lab.cell(2).locator(".jp-InputArea-prompt")).to_have_text("[*]:")
    lab.shoot("lab-progress")
    lab.page.locator('.jp-Toolbar:visible [data-command="notebook:interrupt-kernel"]').first.click()
    lab.runs_as(2, 3)
    expect(lab.output(2)).to_contain_text("the cell was interrupted; its variables stay as they are")
    lab.shoot("lab-interrupt")

    # What came before the interrupt is still there.
    lab.run(3, "x.size()")
    lab.runs_as(3, 4)
    expect(lab.output(3)).to_contain_text("[3]")

    lab.run(4, "let y: i32 = x;")
    lab.runs_as(4, 5)
    expect(lab.output(4)).to_contain_text("mismatched types")
    lab.shoot("lab-error")

    lab.save("homework.ipynb")
    _, folder, _ = server
    saved = nbformat.read(folder / "homework.ipynb", 4)
    assert saved.metadata.kernelspec.name == "oxtorch"
    assert saved.metadata.language_info.name == "rust"
    assert "image/png" in saved.cells[1].outputs[0].data

    # Reopened, what was seen is still to be seen.
    lab.page.goto(f"{lab.address}/lab/tree/homework.ipynb?reset")
    lab.ready()
    expect(lab.output(1).locator("img")).to_be_visible()
    expect(lab.output(4)).to_contain_text("mismatched types")


def test_tab_and_shift_tab(lab):
    lab.launch()
    lab.run(0, "/// Halves a tensor.\nfn halve(x: &Tensor) -> Tensor { x / 2 }\nlet weights = Tensor::ones([2], (Kind::Float, Device::Cpu));")
    lab.runs_as(0, 1)
    lab.type(1, "weights.matm")
    lab.page.keyboard.press("Tab")
    # One candidate goes in at once; several are offered.
    offered = lab.page.locator(".jp-Completer-item", has_text="matmul")
    inserted = lab.cell(1).locator(".cm-content", has_text="weights.matmul")
    expect(offered.or_(inserted).first).to_be_visible()
    lab.page.keyboard.press("Escape")

    lab.type(1, "wei")
    lab.page.keyboard.press("Tab")
    expect(lab.page.locator(".jp-Completer-item", has_text="weights")).to_have_count(1)
    lab.page.keyboard.press("Enter")
    expect(lab.cell(1).locator(".cm-content")).to_have_text("weights")

    lab.type(1, "weights.m")
    lab.page.keyboard.press("Tab")
    expect(lab.page.locator(".jp-Completer-item").first).to_be_visible()
    lab.shoot("lab-completion")
    lab.page.keyboard.press("Escape")

    lab.type(1, "halve")
    lab.page.keyboard.press("Shift+Tab")
    expect(lab.page.locator(".jp-Tooltip")).to_contain_text("Halves a tensor.")
    lab.shoot("lab-inspection")


def test_restart_and_run_all(lab):
    lab.launch()
    lab.run(0, "let a = 20;")
    lab.run(1, "a + 22")
    lab.runs_as(1, 2)
    lab.run(2, "a")
    lab.runs_as(2, 3)
    lab.page.locator('.jp-Toolbar:visible [data-command="notebook:restart-run-all"]').first.click()
    lab.page.locator(".jp-Dialog button.jp-mod-accept").click()
    # The last cell has the same number again: the first is what shows that it ran anew.
    lab.ready()
    for number in range(3):
        lab.runs_as(number, number + 1)
    expect(lab.output(1)).to_contain_text("42")
    # Restarted without running: the variables are gone, and the message says how to get them back.
    lab.page.locator('.jp-Toolbar:visible [data-command="notebook:restart-kernel"]').first.click()
    lab.page.locator(".jp-Dialog button.jp-mod-accept").click()
    lab.ready()
    lab.run(2, "a")
    lab.runs_as(2, 1)
    expect(lab.output(2)).to_contain_text("cannot find")


def test_input(lab):
    lab.launch()
    lab.run(0, 'let name = input("Who? ")?;\nname')
    field = lab.page.locator(".jp-Stdin-input")
    expect(field).to_be_visible(timeout=PATIENCE)
    field.fill("Ada")
    field.press("Enter")
    lab.runs_as(0, 1)
    expect(lab.output(0)).to_contain_text('"Ada"')


def color(css):
    """Red, green, blue and opacity, each from 0 to 1."""
    numbers = [float(number) for number in re.findall(r"[\d.]+", css)]
    return [*(number / 255 for number in numbers[:3]), *(numbers[3:] or [1.0])]


def over(front, back):
    """What is seen of a color on another one, which is opaque."""
    return [*(front[3] * above + (1 - front[3]) * below for above, below in zip(front[:3], back[:3])), 1.0]


def contrast(text, backgrounds):
    """By WCAG 2: from 1 to 21."""
    seen = [1.0, 1.0, 1.0, 1.0]
    for background in reversed(backgrounds):
        seen = over(color(background), seen)

    def luminance(shown):
        linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in shown[:3]]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05

    one, other = luminance(seen), luminance(over(color(text), seen))
    return max(one, other) / min(one, other)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_all_of_an_error_can_be_read(lab, theme):
    lab.theme(theme)
    lab.launch()
    # A label, a second one, a suggestion that adds and takes away, and a panic with help.
    cells = ["let count: i32 = String::new();", "let list = vec![1];\ndrop(list);\nlist.len()", "let a = 1;\na = 2;"]
    cells += ["let x = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));\nx.matmul(&x)"]
    for number, code in enumerate(cells):
        lab.run(number, code)
        lab.runs_as(number, number + 1)
        report = lab.output(number).locator("pre").first
        pieces = report.evaluate(PIECES)
        assert any("-->" in text for text, _, _ in pieces) and any("^" in text for text, _, _ in pieces), pieces
        weak = [(text, contrast(ink, grounds)) for text, ink, grounds in pieces if contrast(ink, grounds) < READABLE]
        assert not weak, weak
    lab.shoot(f"lab-errors-{theme.split()[-1].lower()}")
    lab.theme("JupyterLab Light")


def test_an_underline_is_below_its_word_also_of_a_long_line(lab):
    # As a laptop shows it, with the list of files open.
    lab.page.set_viewport_size({"width": 1366, "height": 768})
    lab.launch()
    beginning = "let total = " + " + ".join(f"first_number_{number}" for number in range(8))
    names = "".join(f"let first_number_{number} = {number};\n" for number in range(8))
    cells = ["let wrong: i32 = Tensor::new();", f"{names}{beginning} + wrong_name + 1 + 2 + 3;"]
    for number, (code, word) in enumerate(zip(cells, ["Tensor::new()", "wrong_name"])):
        lab.run(number, code)
        lab.runs_as(number, number + 1)
        report = lab.output(number).locator("pre").first
        code = re.compile(r" *\d+ \|.*" + re.escape(word))
        line = next(line for line in report.text_content().splitlines() if code.match(line))
        code_line, underline = report.evaluate(PLACES, [line[line.index(word) :], "^" * len(word)])
        assert abs(code_line["left"] - underline["left"]) < 1, report.text_content()
        assert 0 < underline["top"] - code_line["top"] < 2 * code_line["height"], report.text_content()
        assert max(map(len, report.text_content().splitlines())) <= 100, report.text_content()
    lab.shoot("lab-long-line")


def test_sliders_call_a_closure_and_what_it_prints_stands_below_them(lab):
    lab.launch()
    lab.run(
        0,
        "use oxtorch::widgets::{checkbox, slider};\n"
        'interact((slider("k", 1..=9), checkbox("on", false)), |(k, on)| { println!("print {k}"); format!("value {k} {on}") });',
    )
    lab.runs_as(0, 1)
    output = lab.output(0).first
    expect(output).to_contain_text("value 5 false")
    printed = output.locator(".widget-output")
    handle = output.locator(".noUi-handle")
    handle.press("ArrowRight")
    expect(output).to_contain_text("value 6 false")
    expect(printed).to_contain_text("print 6")
    handle.press("ArrowLeft")
    expect(output).to_contain_text("value 5 false")
    # What is printed takes the place of what was printed before.
    expect(printed).to_have_text(re.compile(r"^\s*print 5\s*$"))
    output.locator("input[type=checkbox]").check()
    expect(output).to_contain_text("value 5 true")
    expect(output).not_to_contain_text("value 5 false")
    lab.shoot("sliders")
    lab.save("sliders.ipynb")
    lab.page.reload()
    lab.ready()
    handle.press("ArrowRight")
    expect(printed).to_contain_text("value 6 true")
