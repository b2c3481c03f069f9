"""What a cell prints reaches the frontend as it is written: at once, complete and in order."""

import threading

import psutil


def test_a_progress_line_arrives_piece_by_piece(kernel):
    cell = kernel.run(
        'for i in 0..5 { print!("\\r{i}"); std::thread::sleep(std::time::Duration::from_millis(200)); }'
    )
    assert cell.ok
    pieces = [content["text"] for content in cell.of("stream")]
    assert "".join(pieces) == "\r0\r1\r2\r3\r4"
    assert len(pieces) >= 4


def test_a_million_lines_arrive_in_order_and_in_little_memory(kernel):
    largest = 0
    watched = psutil.Process(kernel.manager.provisioner.pid)
    done = threading.Event()

    def sample():
        nonlocal largest
        while not done.wait(0.05):
            largest = max(largest, watched.memory_info().rss)

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        cell = kernel.run("for i in 0..1_000_000 { println!(\"{i}\"); }")
    finally:
        done.set()
        sampler.join()
    assert cell.ok
    assert cell.stdout == "".join(f"{i}\n" for i in range(1_000_000))
    assert 0 < largest < 300e6, f"the kernel took {largest / 1e6:.0f} MB"


def test_prints_and_displays_come_in_the_order_of_the_code(kernel):
    code = """
for i in 0..20 {
    print!("before {i};");
    display(&Tensor::from_slice(&[i as i64]));
    eprintln!("err {i}");
    println!("after {i}");
}
"""
    cell = kernel.run(code)
    assert cell.ok
    # Pieces of one stream are joined: how it was cut does not matter.
    seen = []
    for message in cell.messages:
        content = message["content"]
        if message["msg_type"] == "display_data":
            seen.append(["display", ""])
        elif message["msg_type"] == "stream" and content["name"] == "stdout":
            if seen and seen[-1][0] == "stdout":
                seen[-1][1] += content["text"]
            else:
                seen.append(["stdout", content["text"]])
    expected = [["stdout", "before 0;"]]
    for i in range(20):
        after = f"after {i}\n" + (f"before {i + 1};" if i < 19 else "")
        expected += [["display", ""], ["stdout", after]]
    assert seen == expected
    assert cell.stream("stderr") == "".join(f"err {i}\n" for i in range(20))


def test_a_result_comes_after_what_was_printed(kernel):
    cell = kernel.run('println!("first"); 5')
    kinds = [message["msg_type"] for message in cell.messages if message["msg_type"] in ("stream", "execute_result")]
    assert kinds == ["stream", "execute_result"]


def test_an_error_comes_after_what_was_printed(kernel):
    cell = kernel.run('println!("first"); panic!("second");')
    kinds = [message["msg_type"] for message in cell.messages if message["msg_type"] in ("stream", "error")]
    assert kinds == ["stream", "error"]


def test_what_a_child_process_prints_arrives(kernel):
    cell = kernel.run('std::process::Command::new("echo").arg("from a child").status()?.success()')
    assert (cell.stdout, cell.result) == ("from a child\n", "true")


def test_an_input_is_asked_for_and_answered(kernel):
    message_id = kernel.send('let name = input("Who? ")?;\nname', allow_stdin=True)
    request = kernel.client.get_stdin_msg(timeout=60)
    assert request["content"] == {"prompt": "Who? ", "password": False}
    kernel.client.input("Ada")
    assert kernel.finish(message_id).result == '"Ada"'


def test_an_input_that_nobody_can_answer_is_an_error(kernel):
    cell = kernel.run('let name = input("Who? ")?;', allow_stdin=False)
    assert cell.reply["status"] == "error"
    assert "input" in cell.reply["evalue"]
    assert kernel.alive()
