"""Sliders: what the kernel and a frontend's widgets say to each other. The tests play the frontend."""

import pytest
from conftest import PATIENCE, printed

VIEW = "application/vnd.jupyter.widget-view+json"

SLIDERS = """\
use oxtorch::widgets::{checkbox, dropdown, slider};
let weights = Tensor::from_slice(&[1.0, 2.0]);
interact(
    (slider("rate", 0.0..=1.0), slider("k", 1..=10).value(3), dropdown("f", ["relu", "tanh"]), checkbox("on", true)),
    |(rate, k, f, on)| {
        println!("called with {k}");
        if k == 9 { panic!("nine is too much"); }
        format!("{rate} {k} {f} {on} {}", weights.sum(Kind::Double).double_value(&[]))
    },
);
"""


class Models:
    """The models that a cell has made, by what they are."""

    def __init__(self, cell):
        self.states = {}
        for message in cell.messages:
            if message["msg_type"] == "comm_open":
                assert message["content"]["target_name"] == "jupyter.widget"
                assert message["metadata"]["version"].startswith("2.")
                self.states[message["content"]["comm_id"]] = message["content"]["data"]["state"]

    def of(self, model):
        [comm_id] = [comm_id for comm_id, state in self.states.items() if state["_model_name"] == f"{model}Model"]
        return comm_id


def say(kernel, kind, comm_id, **content):
    """Sends what a frontend says over a comm; gives the request's number."""
    message = kernel.client.session.msg(kind, {"comm_id": comm_id, **content})
    kernel.client.shell_channel.send(message)
    return message["header"]["msg_id"]


def hear(kernel, message_id, watch=lambda message: None):
    """What comes in answer to that, up to `idle`."""
    messages = []
    while True:
        message = kernel.client.get_iopub_msg(timeout=PATIENCE)
        if message["parent_header"].get("msg_id") != message_id:
            continue
        messages.append(message)
        watch(message)
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return messages


def change(kernel, comm_id, watch=lambda message: None, **state):
    data = {"method": "update", "state": state, "buffer_paths": []}
    return hear(kernel, say(kernel, "comm_msg", comm_id, data=data), watch)


def kinds(messages):
    return [message["msg_type"] for message in messages if message["msg_type"] != "status"]


def of(messages, kind):
    return [message["content"] for message in messages if message["msg_type"] == kind]


@pytest.fixture
def sliders(kernel):
    cell = kernel.run(SLIDERS)
    assert cell.ok, cell.reply
    return kernel, cell, Models(cell)


def test_a_slider_calls_its_closure_whose_value_takes_the_place_of_the_one_before(sliders):
    kernel, cell, models = sliders
    controls, value = cell.of("display_data")
    assert controls["data"][VIEW]["model_id"] == models.of("VBox")
    assert controls["data"]["text/plain"].splitlines() == [
        "rate: 0.5 (0 to 1)", "k: 3 (1 to 10)", "f: relu (relu, tanh)", "on: true",
    ]
    assert value["data"]["text/plain"] == "0.5 3 relu true 3"
    assert cell.stdout == "called with 3\n"
    children = models.states[models.of("VBox")]["children"]
    named = [f"IPY_MODEL_{models.of(name)}" for name in ["FloatSlider", "IntSlider", "Dropdown", "Checkbox", "Output"]]
    assert children == named
    changes = [("IntSlider", {"value": 4}), ("FloatSlider", {"value": 0.25}), ("Dropdown", {"index": 1})]
    for model, state in changes + [("Checkbox", {"value": False})]:
        messages = change(kernel, models.of(model), **state)
        assert kinds(messages) == ["comm_msg", "stream", "update_display_data", "comm_msg"]
        # What is printed is for the place below the controls: the frontend looks for answers to this very request.
        told, last = of(messages, "comm_msg")
        assert told["comm_id"] == last["comm_id"] == models.of("Output")
        assert last["data"]["state"] == {"msg_id": ""}
        assert told["data"]["state"] == {"msg_id": messages[0]["parent_header"]["msg_id"], "outputs": []}
        [update] = of(messages, "update_display_data")
        assert update["transient"]["display_id"] == value["transient"]["display_id"]
    assert update["data"]["text/plain"] == "0.25 4 tanh false 3"
    # The closure has what it needs for itself, and the notebook still has its variable.
    assert kernel.run("weights.size()").result == "[2]"
    # The same value again, or one that the slider does not have, calls nothing.
    assert kinds(change(kernel, models.of("IntSlider"), value=4)) == []
    assert kinds(change(kernel, models.of("IntSlider"), value=11)) == []


def test_a_closure_that_panics_or_is_interrupted_is_called_again(sliders):
    kernel, _, models = sliders
    slider = models.of("IntSlider")
    messages = change(kernel, slider, value=9)
    # Also an error is for that place, so the frontend looks for it up to the end.
    assert kinds(messages)[-2:] == ["error", "comm_msg"]
    [error] = of(messages, "error")
    assert (error["ename"], error["evalue"]) == ("Panic", "nine is too much")
    assert any("panic!" in line for line in error["traceback"])
    [update] = of(change(kernel, slider, value=2), "update_display_data")
    assert update["data"]["text/plain"] == "0.5 2 relu true 3"

    cell = kernel.run('interact(oxtorch::widgets::checkbox("forever", false), |on| { println!("on"); while on {} });')
    assert cell.ok, cell.reply
    runs = printed("on")

    def interrupt(message):
        if runs(message):
            kernel.manager.interrupt_kernel()

    [error] = of(change(kernel, Models(cell).of("Checkbox"), interrupt, value=True), "error")
    assert error["ename"] == "KeyboardInterrupt"
    assert kernel.alive()


def test_a_page_that_is_loaded_again_gets_all_widgets(sliders):
    kernel, _, models = sliders
    change(kernel, models.of("IntSlider"), value=7)
    reply = kernel.client.comm_info("jupyter.widget", reply=True, timeout=PATIENCE)
    assert set(reply["content"]["comms"]) == set(models.states)
    opened = say(kernel, "comm_open", "again", target_name="jupyter.widget.control", data={})
    assert kinds(hear(kernel, opened)) == []
    asked = say(kernel, "comm_msg", "again", data={"method": "request_states"})
    [answer] = of(hear(kernel, asked), "comm_msg")
    assert (answer["comm_id"], answer["data"]["method"]) == ("again", "update_states")
    states = answer["data"]["states"]
    assert set(states) == set(models.states)
    slider = states[models.of("IntSlider")]
    assert (slider["model_name"], slider["state"]["value"]) == ("IntSliderModel", 7)
    # One by one as well, as older frontends ask.
    asked = say(kernel, "comm_msg", models.of("IntSlider"), data={"method": "request_state"})
    [answer] = of(hear(kernel, asked), "comm_msg")
    assert answer["data"]["state"]["value"] == 7


def test_widgets_end_where_others_take_their_place_and_with_their_process(sliders):
    kernel, _, models = sliders
    again = kernel.run(SLIDERS)
    assert again.ok, again.reply
    assert {content["comm_id"] for content in again.of("comm_close")} == set(models.states)
    new = Models(again)
    assert kernel.client.comm_info(reply=True, timeout=PATIENCE)["content"]["comms"].keys() == new.states.keys()
    assert not kernel.run("std::process::exit(3)").ok
    assert kernel.alive()
    messages = change(kernel, new.of("IntSlider"), value=5)
    assert [content["comm_id"] for content in of(messages, "comm_close")] == [new.of("IntSlider")]


def test_several_widgets_of_one_place_stay_side_by_side(kernel):
    cell = kernel.run(
        'for name in ["a", "b"] {\n'
        '    interact(oxtorch::widgets::slider(name, 0..=9), move |value: i64| format!("{name}{value}"));\n'
        "}"
    )
    assert cell.ok, cell.reply
    assert cell.of("comm_close") == []
    models = Models(cell)
    sliders = [comm_id for comm_id, state in models.states.items() if state["_model_name"] == "IntSliderModel"]
    shown = [of(change(kernel, slider, value=5), "update_display_data")[0]["data"]["text/plain"] for slider in sliders]
    assert shown == ["a5", "b5"]
