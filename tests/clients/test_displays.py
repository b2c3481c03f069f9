"""Displays as a frontend gets them: live progress, plots that grow, and the state that a saved notebook keeps."""

import json

import nbclient
from test_notebooks import notebook_of, oxtorch_run, read, write

DISPLAYS = ("display_data", "update_display_data")

TRAINING = """
let plot = LivePlot::new("Training");
for epoch in progress(0..3).describe("epochs") {
    for (batch, bar) in progress(0..5).describe(format!("epoch {epoch}")).with_bar() {
        bar.postfix("loss", 1.0 / (1 + batch) as f64);
        plot.push("loss", 1.0 / (1 + batch) as f64);
    }
}
"""
STOPPED = "for n in progress(0..4).describe(\"steps\") { if n == 2 { panic!(\"on purpose\"); } }"


def texts(cell):
    return [m["content"]["data"]["text/plain"] for m in cell.messages if m["msg_type"] in DISPLAYS]


def ids(cell):
    return [m["content"]["transient"]["display_id"] for m in cell.messages if m["msg_type"] in DISPLAYS]


def test_a_bar_moves_while_its_loop_runs(kernel):
    """The loop is held by a question in its middle; by then the bar has been seen to move."""
    code = """
for n in progress(0..4).describe("steps") {
    let begun = std::time::Instant::now();
    while begun.elapsed().as_millis() < 120 {}
    if n == 2 { input("go on? ")?; }
}
println!("behind the loop");
"""
    message_id = kernel.send(code)
    assert kernel.client.get_stdin_msg(timeout=60)["content"]["prompt"] == "go on? "
    seen = []
    while not seen or "2/4" not in seen[-1][1]:
        message = kernel.client.get_iopub_msg(timeout=60)
        if message["msg_type"] in DISPLAYS:
            seen.append((message["msg_type"], message["content"]["data"]["text/plain"]))
    assert [kind for kind, _ in seen] == ["display_data", "update_display_data", "update_display_data"]
    assert "steps:   0 %|" in seen[0][1] and "steps:  25 %|" in seen[1][1] and "steps:  50 %|" in seen[2][1]
    assert "it/s" in seen[2][1] and " < " in seen[2][1]
    kernel.client.input("yes")
    cell = kernel.finish(message_id)
    assert cell.ok, cell.reply
    assert "4/4" in texts(cell)[-1] and " < " not in texts(cell)[-1]
    # The bar is full before what is printed behind the loop.
    assert [m["msg_type"] for m in cell.messages][-3:] == ["update_display_data", "stream", "status"]


def test_nested_bars_are_one_display_that_is_updated(kernel):
    cell = kernel.run("for _ in progress(0..200) { for _ in progress(0..100) {} }")
    assert cell.ok
    kinds = [message["msg_type"] for message in cell.messages if message["msg_type"] in DISPLAYS]
    assert kinds[0] == "display_data" and set(kinds[1:]) == {"update_display_data"}
    assert len(set(ids(cell))) == 1
    assert texts(cell)[-1].count("\n") == 0 and "200/200" in texts(cell)[-1]
    # The two levels, the last state, and ten a second.
    assert len(kinds) < 100


def test_an_interrupt_shows_where_the_bar_and_the_plot_stood(kernel):
    code = """
let plot = LivePlot::new("t");
for n in progress(0..1_000_000_000u64) {
    if n % 1000 == 0 { plot.push("x", n); }
    if n == 500 { println!("on"); }
}
"""
    message_id = kernel.send(code)

    def interrupt(message):
        if message["msg_type"] == "stream" and "on" in message["content"]["text"]:
            kernel.manager.interrupt_kernel()

    cell = kernel.finish(message_id, interrupt)
    assert cell.reply["ename"] == "KeyboardInterrupt"
    last = dict(zip(ids(cell), texts(cell))).values()
    assert any("stopped" in text and "/1000000000" in text for text in last), last
    assert any(text.startswith("<live plot: t (x ") for text in last), last


def test_text_and_printed_content_keep_their_order(kernel):
    code = """
for n in 0..200 {
    println!("line {n}");
    println!("EVCXR_BEGIN_CONTENT text/html\\n<b>{n}</b>\\nEVCXR_END_CONTENT");
    display(&Html(format!("<i>{n}</i>")));
}
"""
    cell = kernel.run(code)
    shown = []
    for message in cell.messages:
        if message["msg_type"] == "stream":
            shown += message["content"]["text"].split()[1::2]
        elif message["msg_type"] == "display_data":
            shown.append(message["content"]["data"]["text/html"])
    assert shown == [part for n in range(200) for part in (str(n), f"<b>{n}</b>", f"<i>{n}</i>")]


def outputs_of(notebook, cell):
    return [output for output in notebook.cells[cell].outputs if output.output_type == "display_data"]


def check_saved(notebook):
    plot, bars = sorted(outputs_of(notebook, 0), key=lambda output: "text/html" in output.data)
    assert plot.data["image/svg+xml"].startswith("<svg")
    assert plot.data["text/plain"] == "<live plot: Training (loss 0.2000 at 14)>"
    assert bars.data["text/plain"].startswith("epochs: 100 %|") and "3/3" in bars.data["text/plain"]
    assert "width: 100.0%" in bars.data["text/html"] and "epoch 2" not in bars.data["text/html"]
    (stopped,) = outputs_of(notebook, 1)
    assert "steps:  50 %|" in stopped.data["text/plain"] and "stopped" in stopped.data["text/plain"]


def test_a_notebook_run_without_a_frontend_keeps_the_last_state(tmp_path):
    path = write(tmp_path, TRAINING, STOPPED)
    done = oxtorch_run(path, "--allow-errors")
    assert done.returncode == 1, done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("[")]) == 2, done.stderr
    check_saved(read(path))


def test_a_notebook_run_by_nbclient_keeps_the_last_state():
    notebook = notebook_of(TRAINING, STOPPED)
    nbclient.NotebookClient(notebook, kernel_name="oxtorch", timeout=120, allow_errors=True).execute()
    check_saved(notebook)


def test_a_bar_costs_little(kernel):
    code = "let begun = std::time::Instant::now();\nlet mut sum = 0u64;\nfor n in progress(0..2_000_000u64) { sum += n; }\n"
    cell = kernel.run(code + "(sum, begun.elapsed().as_secs_f64())")
    total, seconds = json.loads(cell.result.replace("(", "[").replace(")", "]"))
    assert total == 1_999_999_000_000
    # 0.2 s on a quiet machine: a tenth of a microsecond an item.
    assert seconds < 5
