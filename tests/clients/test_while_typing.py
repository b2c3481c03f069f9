"""Tab and Shift-Tab: what the kernel knows without a language server."""

import os
import re

import pytest
from asking import answer, complete, inspect
from conftest import REPOSITORY, Kernel

SESSION = [
    """/// A small network.
#[derive(Debug)]
struct Net { conv1: nn::Linear, inner: Box<Inner>, rate: f64 }
#[derive(Debug)]
struct Inner { deep: Vec<Option<&'static str>> }
enum Mode { Train, Test }
impl Net {
    const LAYERS: usize = 2;
    fn new(rate: f64) -> Net {
        let vs = nn::VarStore::new(Device::Cpu);
        let conv1 = nn::linear(vs.root(), 2, 2, Default::default());
        Net { conv1, inner: Box::new(Inner { deep: vec![None] }), rate }
    }
    fn train_step(&mut self, loss: &Tensor) -> f64 { loss.double_value(&[]) * self.rate }
}
impl Inner { fn dive(&self) -> usize { self.deep.len() } }
mod tools { pub fn sharpen() {} }
fn learning_rate(epoch: usize) -> f64 { 1.0 / epoch as f64 }""",
    "let mut net = Net::new(0.1);\nlet weights = Tensor::ones([2], (Kind::Float, Device::Cpu));\nlet 变量 = 3;",
]


@pytest.fixture(scope="module")
def completing():
    kernel = Kernel(env={**os.environ, "OXTORCH_RUST_ANALYZER": ""})
    for cell in SESSION:
        assert kernel.run(cell).ok
    yield kernel
    kernel.stop()


def test_names_of_the_session_come_with_their_types(completing):
    content, typed = complete(completing, "let x = we", " + 1;")
    assert (content["cursor_start"], content["cursor_end"]) == (8, 10)
    assert content["matches"] == ["weights"]
    assert (typed["weights"]["type"], typed["weights"]["signature"]) == ("instance", "Tensor")
    _, typed = complete(completing, "learn")
    assert typed["learning_rate"]["signature"] == "fn learning_rate(epoch: usize) -> f64"
    content, _ = complete(completing, 'println!("{wei')
    assert content["matches"] == ["weights"]


def test_a_cursor_counts_characters_not_bytes(completing):
    content, _ = complete(completing, "let 结果 = 变")
    assert content["matches"] == ["变量"]
    assert (content["cursor_start"], content["cursor_end"]) == (9, 10)


def test_fields_and_methods_of_a_struct(completing):
    content, typed = complete(completing, "net.")
    assert content["matches"] == ["conv1", "inner", "rate", "train_step"]
    assert typed["train_step"]["signature"] == "fn train_step(&mut self, loss: &Tensor) -> f64"
    assert typed["rate"]["signature"] == "f64"
    content, typed = complete(completing, "net.inner.")
    assert content["matches"] == ["deep", "dive"]
    assert typed["deep"]["signature"] == "Vec<Option<&'static str>>"


def test_methods_of_a_tensor_come_with_signatures(completing):
    _, typed = complete(completing, "weights.matm")
    assert typed["matmul"]["signature"] == "pub fn matmul(&self, other: &Tensor) -> Tensor"
    _, typed = complete(completing, "weights.matmul(&weights).re")
    assert {"relu", "reshape"} <= typed.keys()


def test_what_traits_do_for_tensors_and_layers(completing):
    _, typed = complete(completing, "weights.i")
    assert typed["i"]["signature"].startswith("fn i(&self, index: T) -> Tensor")
    _, typed = complete(completing, "net.conv1.")
    assert typed["forward"]["signature"] == "fn forward(&self, xs: &Tensor) -> Tensor"


def test_a_negation_is_no_command(completing):
    assert complete(completing, "fn f(done: bool) -> bool {\n    !do")[0]["matches"] == ["done"]
    assert "weights" in complete(completing, "let z\n    : Vec<f64> = we")[0]["matches"]


def test_what_types_and_modules_hold(completing):
    assert complete(completing, "Mode::")[0]["matches"] == ["Train", "Test"]
    assert complete(completing, "Net::")[0]["matches"] == ["LAYERS", "new", "train_step"]
    assert complete(completing, "tools::sh")[0]["matches"] == ["sharpen"]
    assert "linear" in complete(completing, "nn::lin")[0]["matches"]
    assert "ones" in complete(completing, "Tensor::on")[0]["matches"]


def test_the_prelude_and_keywords(completing):
    assert "digits" in complete(completing, "dig")[0]["matches"]
    assert complete(completing, "whil")[0]["matches"] == ["while"]
    assert "VarStore" in complete(completing, "nn::varst")[0]["matches"]


def test_variants_of_enums_come_first(completing):
    assert complete(completing, "let k = (Kind::")[0]["matches"][:3] == ["Float", "Int64", "Double"]
    _, typed = complete(completing, "Device::Cu")
    assert typed["Cuda"]["signature"] == "Cuda(usize)"
    assert "Kaiming" in complete(completing, "nn::Init::Ka")[0]["matches"]
    assert complete(completing, "Reduction::")[0]["matches"][:3] == ["Mean", "Sum", "None"]


def test_an_expression_has_the_methods_of_its_type(completing):
    matches = complete(completing, "let v = vec![1.0];\nv.iter().ma")[0]["matches"]
    assert matches[0] == "map" and "matmul" not in matches
    matches = complete(completing, "let y = weights.relu().sum(Kind::Float);\ny.ma")[0]["matches"]
    assert matches[0] == "matmul" and "map" not in matches
    assert "sqrt" in complete(completing, "learning_rate(1).sq")[0]["matches"]
    matches = complete(completing, "let layer = nn::linear(vs.root(), 2, 2, Default::default());\nlayer.for")[0]["matches"]
    assert matches == ["forward"]
    assert "map" in complete(completing, "what_is_this(1).ma")[0]["matches"]


def test_the_standard_library_needs_no_component(completing):
    assert complete(completing, "std::collections::HashM")[0]["matches"] == ["HashMap"]
    assert complete(completing, "use std::")[0]["matches"][0] == "collections"


# Cells ahead of what is typed in the first column of the page's table.
AHEAD = """let x = Tensor::ones([2], (Kind::Float, Device::Cpu));
let v: Vec<f64> = vec![1.0];
let text = String::new();
let counts: HashMap<String, usize> = HashMap::new();
"""
PAGE = REPOSITORY / "docs/COMPLETION.md"
ROW = re.compile(r"^\| `(\S+)` \| .*\|$", re.MULTILINE)


def test_the_first_offers_are_those_of_the_page(completing):
    def row(found):
        offers = complete(completing, AHEAD + found[1])[0]["matches"][:10]
        return f"| `{found[1]}` | {', '.join(f'`{offer}`' for offer in offers)} |"

    page = PAGE.read_text()
    written = ROW.sub(row, page)
    if os.environ.get("OXTORCH_UPDATE"):
        PAGE.write_text(written)
    assert len(ROW.findall(page)) > 20
    assert written == PAGE.read_text()


def test_commands_and_files(completing, tmp_path):
    assert complete(completing, ":va")[0]["matches"] == ["vars"]
    (tmp_path / "train.csv").touch()
    (tmp_path / "tests").mkdir()
    content, typed = complete(completing, f'let file = open("{tmp_path}/t')
    assert content["matches"] == ["tests/", "train.csv"]
    assert typed["train.csv"]["type"] == "path"
    assert completing.run(f"%cd {tmp_path}").ok
    assert complete(completing, "!cat tr")[0]["matches"] == ["train.csv"]


def test_nothing_is_offered_where_a_name_is_made(completing):
    for before in ["let wei", "fn ", "// wei", "12"]:
        assert complete(completing, before)[0]["matches"] == []


def test_a_function_shows_its_signature_and_documentation(completing):
    assert inspect(completing, "let y = learn|ing_rate(2);").startswith("fn learning_rate(epoch: usize) -> f64\n")
    assert inspect(completing, "learning_rate(|)").startswith("fn learning_rate(epoch: usize) -> f64\n")
    shown = inspect(completing, "N|et::new(0.1)")
    assert "A small network." in shown and "Methods: LAYERS, new, train_step" in shown
    assert "train_step(&mut self, loss: &Tensor) -> f64" in inspect(completing, "net.train_st|ep(&loss)")


def test_a_variable_shows_its_type_and_value(completing):
    shown = inspect(completing, "weig|hts")
    assert shown.startswith("let weights: Tensor") and shown.endswith("[2] float32 on cpu")
    shown = inspect(completing, "变|量")
    assert shown.startswith("let 变量: i32") and shown.endswith("\n3")


def test_looking_at_a_variable_changes_nothing(completing):
    count = completing.run("1").reply["execution_count"]
    assert inspect(completing, "weig|hts")
    assert completing.run("weights.size()").result == "[2]"
    assert completing.run("1").reply["execution_count"] == count + 2


def test_methods_of_tensors_and_names_of_tch_are_found(completing):
    assert "fn matmul(&self, other: &Tensor) -> Tensor" in inspect(completing, "weights.mat|mul(&weights)")
    assert "fn linear<" in inspect(completing, "nn::lin|ear(vs.root(), 2, 2, Default::default())")


def test_documentation_is_text_and_markdown(completing):
    code = "let x = digits();"
    content = answer(completing, completing.client.inspect(code, code.index("digits"), 0))
    assert content["data"]["text/plain"].startswith("pub fn digits() -> Digits\n\n")
    assert content["data"]["text/markdown"].startswith("```rust\npub fn digits() -> Digits\n```\n\n")


def test_a_name_of_pytorch_is_answered_with_ours(completing):
    shown = inspect(completing, "let loss = torch::nn::CrossEntropy|Loss();")
    assert shown.startswith("`torch::nn::CrossEntropyLoss` is here `nn::cross_entropy(&logits, &labels)`")


def test_calls_within_macros_are_explained(completing):
    assert "fn sum(&self" in inspect(completing, 'println!("{:?}", weights.sum(|')
    assert "fn zeros(" in inspect(completing, "vec![Tensor::ze|]")
    assert "fn size(&self)" in inspect(completing, "assert!(weights.size(|) == [2]);")
    assert "assert" in inspect(completing, "assert!(|")
    assert "macro_rules! format" in inspect(completing, "format!(|")
    assert "fn linear<" in inspect(completing, "nn::linear(vs.root(), &[|")


def test_a_call_is_explained_beside_its_numbers_and_strings(completing):
    for call in ["Tensor::randint(10|", "Tensor::randint(|10, [2])", "Tensor::randint(1|0, "]:
        assert "fn randint" in inspect(completing, call)
    assert "fn load_image" in inspect(completing, 'load_image("cat|.png")')
    assert "below an end" in inspect(completing, "Tensor::arange(|")


def test_an_expression_is_explained_by_its_type(completing):
    assert "HashMap" in inspect(completing, "std::collections::HashM|ap")
    assert "fn map<" in inspect(completing, "let v = vec![1];\nv.iter().map(|")
    assert "fn push(&mut self, value: T)" in inspect(completing, "let mut v = Vec::new();\nv.pu|sh(1)")
    assert "fn relu(&self)" in inspect(completing, "let y = weights.exp();\ny.relu(|)")
    assert inspect(completing, "let half = weights.numel() / 2;\nhal|f") == "let half: usize"
    assert inspect(completing, "let total = what_is_this(1);\ntot|al") == "let total"
    assert inspect(completing, "Mode::Tr|ain").startswith("enum Mode")


def test_the_source_comes_with_more_detail(completing):
    assert "1.0 / epoch as f64" not in inspect(completing, "learning_|rate")
    assert "1.0 / epoch as f64" in inspect(completing, "learning_|rate", detail_level=1)


def test_what_is_not_known_is_not_found(completing):
    assert inspect(completing, "no_such_name_any|where") is None
    assert inspect(completing, "1 + |") is None


def test_any_cursor_is_answered(completing):
    code = 'let s = "é{(a.b::'
    for cursor in range(25):
        answer(completing, completing.client.complete(code, cursor))
        answer(completing, completing.client.inspect(code, cursor))
