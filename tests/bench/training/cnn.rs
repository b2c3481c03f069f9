// %% Two convolutions and two linear layers, batch 64.
let vs = nn::VarStore::new(Device::Cpu);
let root = vs.root();
let cnn = nn::seq()
    .add(nn::conv2d(&root / "a", 1, 16, 3, nn::ConvConfig { padding: 1, ..Default::default() }))
    .add_fn(|x| x.relu().max_pool2d_default(2))
    .add(nn::conv2d(&root / "b", 16, 32, 3, nn::ConvConfig { padding: 1, ..Default::default() }))
    .add_fn(|x| x.relu().max_pool2d_default(2).flatten(1, -1))
    .add(nn::linear(&root / "c", 32 * 7 * 7, 64, Default::default()))
    .add_fn(|x| x.relu())
    .add(nn::linear(&root / "d", 64, 10, Default::default()));
let mut optimizer = nn::Adam::default().build(&vs, 1e-3)?;
let xs = Tensor::rand([20, 64, 1, 28, 28], (Kind::Float, Device::Cpu));
let ys = Tensor::randint(10, [20, 64], (Kind::Int64, Device::Cpu));

// %%
let steps = 60;
let begin = std::time::Instant::now();
for step in 0..steps {
    let loss = cnn.forward(&xs.get(step % 20)).cross_entropy_for_logits(&ys.get(step % 20));
    optimizer.backward_step(&loss);
}
println!("{}", steps as f64 / begin.elapsed().as_secs_f64());
