// %% An LSTM cell written out, 30 steps in time for each step of training, batch 32.
struct Cell {
    input: nn::Linear,
    hidden: nn::Linear,
}

impl Cell {
    fn new(path: nn::Path, inputs: i64, size: i64) -> Cell {
        Cell {
            input: nn::linear(&path / "input", inputs, 4 * size, Default::default()),
            hidden: nn::linear(&path / "hidden", size, 4 * size, Default::default()),
        }
    }

    fn step(&self, x: &Tensor, h: &Tensor, c: &Tensor) -> (Tensor, Tensor) {
        let gates = (self.input.forward(x) + self.hidden.forward(h)).chunk(4, 1);
        let c = gates[1].sigmoid() * c + gates[0].sigmoid() * gates[2].tanh();
        (gates[3].sigmoid() * c.tanh(), c)
    }
}

let vs = nn::VarStore::new(Device::Cpu);
let cell = Cell::new(vs.root() / "cell", 8, 32);
let head = nn::linear(vs.root() / "head", 32, 10, Default::default());
let mut optimizer = nn::Adam::default().build(&vs, 1e-3)?;
let xs = Tensor::randn([20, 30, 32, 8], (Kind::Float, Device::Cpu));
let ys = Tensor::randint(10, [20, 32], (Kind::Int64, Device::Cpu));

// %%
let steps = 100;
let begin = std::time::Instant::now();
for step in 0..steps {
    let sequence = xs.get(step % 20);
    let zeros = || Tensor::zeros([32, 32], (Kind::Float, Device::Cpu));
    let (mut h, mut c) = (zeros(), zeros());
    for time in 0..30 {
        (h, c) = cell.step(&sequence.get(time), &h, &c);
    }
    let loss = head.forward(&h).cross_entropy_for_logits(&ys.get(step % 20));
    optimizer.backward_step(&loss);
}
println!("{}", steps as f32 / begin.elapsed().as_secs_f32());
