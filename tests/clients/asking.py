"""Asks a kernel what a frontend asks while the user types."""


def answer(kernel, message_id):
    """The content of the reply to a request."""
    while True:
        message = kernel.client.get_shell_msg(timeout=60)
        if message["parent_header"].get("msg_id") == message_id:
            assert message["content"]["status"] == "ok"
            return message["content"]


def complete(kernel, before, after=""):
    """The reply, and the candidates with their types and signatures."""
    content = answer(kernel, kernel.client.complete(before + after, len(before)))
    entries = content["metadata"]["_jupyter_types_experimental"]
    typed = {entry["text"]: entry for entry in entries}
    assert list(typed) == content["matches"]
    for entry in entries:
        assert (entry["start"], entry["end"]) == (content["cursor_start"], content["cursor_end"])
    return content, typed


def inspect(kernel, code, detail_level=0):
    """The text for the place that `|` marks, or None."""
    cursor = code.index("|")
    content = answer(kernel, kernel.client.inspect(code.replace("|", "", 1), cursor, detail_level))
    assert content["found"] == bool(content["data"])
    return content["data"].get("text/plain")
