"""Jupyter's own test suite for kernels."""

import unittest

import jupyter_kernel_test


class OxtorchKernelTests(jupyter_kernel_test.KernelTests):
    kernel_name = "oxtorch"
    language_name = "rust"
    file_extension = ".rs"

    code_hello_world = 'println!("hello, world");'
    code_stderr = 'eprintln!("to stderr");'
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": '"text"', "result": '"text"'},
        {"code": "let v = vec![1, 2];\nv", "result": "[1, 2]"},
        {"code": "Tensor::from_slice(&[1.5f32, 2.5])"},
    ]
    code_display_data = [
        {"code": 'display(&Figure::new().line("loss", &[3.0, 2.0, 1.0]));', "mime": "image/png"},
        {"code": "display(&image(&Tensor::rand([8, 8], (Kind::Float, Device::Cpu)))?);", "mime": "image/png"},
        {"code": "display(&Tensor::from_slice(&[1.0f32]));", "mime": "text/plain"},
    ]
    code_generate_error = "let x: i32 = \"not a number\";"
    complete_code_samples = [
        "1 + 1",
        "let x = 1;",
        "fn f() -> i32 { 1 }",
        "for i in 0..3 {\n    println!(\"{i}\");\n}",
        "struct Unit;",
        "println!(\"}\")",
        "// comment",
        "",
    ]
    incomplete_code_samples = [
        "fn f() {",
        "let x = (1,",
        "for i in 0..3 {\n    println!(\"{i}\");",
        "let s = \"open",
        "let s = r#\"open\"",
        "/* open",
        "vec![1,",
    ]
    invalid_code_samples = ["fn f() }", "let = 3;", "x ) y", "let x = 1 }"]
    completion_samples = [
        {"text": "println!(\"{}\", Ten", "matches": {"Tensor", "TensorDataset"}},
        {"text": "let vs = nn::VarSt", "matches": {"VarStore"}},
    ]
    code_inspect_sample = "Tensor"
    code_history_pattern = "6 ? 7"
    supported_history_operations = ("tail", "range", "search")
    support_iopub_welcome = True
    code_clear_output = "clear_output(false);"

    def test_panic(self):
        """A panic is one error message, as a compile error is."""
        self.flush_channels()
        reply, messages = self.execute_helper('panic!("gone wrong");')
        self.assertEqual(reply["content"]["status"], "error")
        self.assertEqual([message["msg_type"] for message in messages], ["error"])
        self.assertEqual(messages[0]["content"]["ename"], "Panic")
        self.assertIn("gone wrong", messages[0]["content"]["evalue"])

    def test_indent(self):
        """The next line of an open block is indented."""
        self.flush_channels()
        for code, indent in [("fn f() {", "    "), ("fn f() {\n    loop {", "        "), ("/* open", "")]:
            self.kc.is_complete(code)
            reply = self.get_non_kernel_info_reply(timeout=15)
            self.assertEqual(reply["content"]["status"], "incomplete", code)
            self.assertEqual(reply["content"]["indent"], indent, code)

    def test_silent(self):
        """A silent cell shows nothing and does not count."""
        self.flush_channels()
        before, _ = self.execute_helper("1")
        reply, messages = self.execute_helper("2", silent=True, store_history=False)
        self.assertEqual((reply["content"]["status"], messages), ("ok", []))
        after, _ = self.execute_helper("3")
        self.assertEqual(after["content"]["execution_count"], before["content"]["execution_count"] + 1)

    def test_user_expressions(self):
        """Expressions are shown beside the cell's own outcome, also where one fails."""
        self.flush_channels()
        self.kc.execute("let base = 40;", user_expressions={"good": "base + 2", "bad": "nonsense"})
        reply = self.get_non_kernel_info_reply(timeout=15)
        good, bad = (reply["content"]["user_expressions"][name] for name in ("good", "bad"))
        self.assertEqual((good["status"], good["data"]["text/plain"]), ("ok", "42"))
        self.assertEqual(bad["status"], "error")

    def test_stop_on_error(self):
        """Cells that wait behind a failed one are aborted, unless the frontend says otherwise."""
        self.flush_channels()
        self.kc.execute("let stopped = 1;")
        self.kc.execute('panic!("stop here");')
        self.kc.execute("let never = 1;")
        statuses = [self.get_non_kernel_info_reply(timeout=15)["content"]["status"] for _ in range(3)]
        self.assertEqual(statuses, ["ok", "error", "aborted"])
        self.kc.execute('panic!("go on");', stop_on_error=False)
        self.kc.execute("let after = 1;")
        statuses = [self.get_non_kernel_info_reply(timeout=15)["content"]["status"] for _ in range(2)]
        self.assertEqual(statuses, ["error", "ok"])

    def test_comms_are_refused(self):
        """There is no comm, and one that is opened is closed at once."""
        self.flush_channels()
        message_id = self.kc.comm_info()
        reply = self.get_non_kernel_info_reply(timeout=15)
        jupyter_kernel_test.validate_message(reply, "comm_info_reply", message_id)
        self.assertEqual(reply["content"]["comms"], {})


if __name__ == "__main__":
    unittest.main()
