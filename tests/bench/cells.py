"""The cells that are measured, in the languages of the peers.

NUMBER stands for a number that no cell has held before, so that nothing compiled earlier is of use.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    name: str
    rust: str
    python: str

    def code(self, language, number):
        return getattr(self, language).replace("NUMBER", str(number))


# What evcxr with tch needs ahead of the other cells; Oxtorch's prelude has these names.
TCH = ':dep tch = "=0.26.0"\nuse tch::{nn, nn::Module, nn::OptimizerConfig, Device, Kind, Tensor};'

FIRST_TENSOR = Cell(
    "first tensor",
    "Tensor::full([2, 3], NUMBER as f64, (Kind::Float, Device::Cpu))",
    "import torch\ntorch.full((2, 3), float(NUMBER))",
)

# What the measured cells call.
EARLIER = Cell(
    "earlier code",
    """fn scale(x: f64) -> f64 {
    x * 2.0 + NUMBER.0
}
let a = Tensor::rand([64, 64], (Kind::Float, Device::Cpu));
let images = Tensor::rand([16, 784], (Kind::Float, Device::Cpu));
let labels = Tensor::randint(10, [16], (Kind::Int64, Device::Cpu));""",
    """import torch
from torch import nn
import torch.nn.functional as F

def scale(x):
    return x * 2.0 + NUMBER

a = torch.rand(64, 64)
images = torch.rand(16, 784)
labels = torch.randint(10, (16,))""",
)

TRIVIAL = Cell("trivial", "let x = 1 + NUMBER;", "x = 1 + NUMBER")
CALL = Cell("calls earlier code", "let y = scale(NUMBER.0);\ny", "y = scale(NUMBER.0)\ny")
FUNCTION = Cell(
    "defines a function",
    "fn shift(x: f64) -> f64 {\n    x + NUMBER.0\n}",
    "def shift(x):\n    return x + NUMBER.0",
)
ITERATOR = Cell(
    "collects an iterator",
    "let multiples: Vec<i64> = (0..1000).map(|i| i * NUMBER).collect();\nmultiples.iter().sum::<i64>()",
    "multiples = [i * NUMBER for i in range(1000)]\nsum(multiples)",
)
TENSOR = Cell(
    "makes a tensor",
    "let t = Tensor::rand([64, 64], (Kind::Float, Device::Cpu)) + NUMBER;",
    "t = torch.rand(64, 64) + NUMBER",
)
MATMUL = Cell("multiplies tensors", "let m = a.matmul(&a) * NUMBER;\nm.size()", "m = a.matmul(a) * NUMBER\nm.size()")
CNN = Cell(
    "defines a CNN and its training",
    """#[derive(Debug)]
struct Cnn {
    conv1: nn::Conv2D,
    conv2: nn::Conv2D,
    hidden: nn::Linear,
    scores: nn::Linear,
}

impl Cnn {
    fn new(vs: &nn::Path) -> Cnn {
        Cnn {
            conv1: nn::conv2d(vs / "conv1", 1, 32, 5, Default::default()),
            conv2: nn::conv2d(vs / "conv2", 32, 64, 5, Default::default()),
            hidden: nn::linear(vs / "hidden", 1024, 1024, Default::default()),
            scores: nn::linear(vs / "scores", 1024, 10, Default::default()),
        }
    }
}

impl nn::ModuleT for Cnn {
    fn forward_t(&self, images: &Tensor, train: bool) -> Tensor {
        images
            .view([-1, 1, 28, 28])
            .apply(&self.conv1)
            .max_pool2d_default(2)
            .apply(&self.conv2)
            .max_pool2d_default(2)
            .view([-1, 1024])
            .apply(&self.hidden)
            .relu()
            .dropout(0.5, train)
            .apply(&self.scores)
    }
}

fn train(images: &Tensor, labels: &Tensor, epochs: i64) -> f64 {
    tch::manual_seed(NUMBER);
    let vs = nn::VarStore::new(Device::Cpu);
    let net = Cnn::new(&vs.root());
    let mut opt = nn::Adam::default().build(&vs, 1e-4).unwrap();
    let mut last = f64::NAN;
    for _ in 0..epochs {
        let mut batches = tch::data::Iter2::new(images, labels, 256);
        for (x, y) in batches.shuffle() {
            let loss = nn::ModuleT::forward_t(&net, &x, true).cross_entropy_for_logits(&y);
            opt.backward_step(&loss);
            last = loss.double_value(&[]);
        }
    }
    last
}""",
    """class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 5)
        self.conv2 = nn.Conv2d(32, 64, 5)
        self.hidden = nn.Linear(1024, 1024)
        self.scores = nn.Linear(1024, 10)

    def forward(self, images):
        x = F.max_pool2d(self.conv1(images.view(-1, 1, 28, 28)), 2)
        x = F.max_pool2d(self.conv2(x), 2).view(-1, 1024)
        x = F.dropout(self.hidden(x).relu(), 0.5, self.training)
        return self.scores(x)

def train(images, labels, epochs):
    torch.manual_seed(NUMBER)
    net = Cnn()
    opt = torch.optim.Adam(net.parameters(), 1e-4)
    last = float("nan")
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(256):
            loss = F.cross_entropy(net(images[batch]), labels[batch])
            opt.zero_grad()
            loss.backward()
            opt.step()
            last = loss.item()
    return last""",
)

# A kernel may put off compiling a function until a cell calls it: what a user waits for is the training.
CALL_TRAIN = "train(&images, &labels, 1)"
CNN_TRAINED = Cell(
    "defines a CNN and trains it on 16 images", f"{CNN.rust}\n{CALL_TRAIN}", f"{CNN.python}\ntrain(images, labels, 1)"
)
TRAINED_AGAIN = Cell("trains it again", f"{CALL_TRAIN} + NUMBER.0", "train(images, labels, 1) + NUMBER")

CELLS = [TRIVIAL, CALL, FUNCTION, ITERATOR, TENSOR, MATMUL, CNN, CNN_TRAINED, TRAINED_AGAIN]

LINES = Cell(
    "prints 1,000,000 lines",
    "for line in 0..1_000_000 { println!(\"line {line} of NUMBER\"); }",
    "for line in range(1_000_000):\n    print(f\"line {line} of NUMBER\")",
)


@dataclass(frozen=True)
class Typed:
    """What someone has typed when they press Tab, and a match that has to be among the answers."""

    name: str
    rust: str
    python: str
    match: str


TYPED = [
    Typed("a name of the session", "let z = imag", "z = imag", "images"),
    Typed("a method of a tensor", "a.", "a.", "matmul"),
    Typed("a method of an expression", "a.relu().abs().", "a.relu().abs().", "matmul"),
]

# What someone has typed who asks for the first time what a function takes, and a word of the answer.
FIRST_TAB = TYPED[1]
FIRST_HELP = Typed("a method's arguments", "a.sum(", "a.sum(", "sum")


def item(language, index, number, calls):
    """One of many cells that each define an item. All but the first call the item with the index `calls`."""
    earlier = f"item_{calls}(x)" if index else "x"
    if language == "rust":
        return f"fn item_{index}(x: i64) -> i64 {{\n    {earlier} % 1000 + {number}\n}}"
    return f"def item_{index}(x):\n    return {earlier} % 1000 + {number}"


@dataclass(frozen=True)
class Training:
    """Steps of a loop, in `training/KEY.rs` and `training/KEY.py`."""

    key: str
    name: str
    # What a step may take, as a part of PyTorch's time.
    limit: float
    # What the session may take, as a part of PyTorch's memory.
    memory_limit: float | None = None


TRAININGS = [
    Training("mlp", "a step of training: MLP, batch 32", 1 / 1.5, 0.5),
    Training("lstm", "a step of training: LSTM cell written out, batch 32", 1 / 1.5, 0.5),
    Training("cnn", "a step of training: CNN, batch 64 of 28 x 28 pixels", 1.0),
    Training("transformer", "a step of training: transformer, 2 layers of 64, batch 16 of 32 tokens", 1.0),
    Training("gpt", "a step of training: GPT of 10 million parameters, batch 4 of 64 tokens", 1.0),
    Training("adamw", "a step of the optimizer: AdamW, 10 million parameters", 1.0),
    Training("sgd", "a step of the optimizer: SGD with momentum, 10 million parameters", 1.0),
    Training("weights", "loading: 1 GB of weights from safetensors", 1.2, 1.2),
    Training("loader_tensors", "a batch of the DataLoader: 64 images as they are", 1.0),
    Training("loader", "a batch of the DataLoader: 64 images one by one", 1.0),
    Training("loader_ahead", "a batch of the DataLoader: the same read ahead (2 workers of PyTorch's)", 1.0),
]

# Trainings whose time depends on the number of threads, in tests/bench/threads.
THREADS = {"gcn": "GCN", "mlp": "MLP", "cnn": "CNN"}
