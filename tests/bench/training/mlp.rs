// %% A small classifier on random data, batch 32: what each step costs besides the arithmetic decides.
let vs = nn::VarStore::new(Device::Cpu);
let root = vs.root();
let mlp = nn::seq()
    .add(nn::linear(&root / "a", 64, 128, Default::default()))
    .add_fn(|x| x.relu())
    .add(nn::linear(&root / "b", 128, 64, Default::default()))
    .add_fn(|x| x.relu())
    .add(nn::linear(&root / "c", 64, 10, Default::default()));
let mut optimizer = nn::Adam::default().build(&vs, 1e-3)?;
let xs = Tensor::randn([100, 32, 64], (Kind::Float, Device::Cpu));
let ys = Tensor::randint(10, [100, 32], (Kind::Int64, Device::Cpu));

// %%
let steps = 2000;
let begin = std::time::Instant::now();
for step in 0..steps {
    let loss = mlp.forward(&xs.get(step % 100)).cross_entropy_for_logits(&ys.get(step % 100));
    optimizer.backward_step(&loss);
}
println!("{}", steps as f64 / begin.elapsed().as_secs_f64());
