// %% A CNN, batch 64 of 28 x 28 pixels.
let vs = nn::VarStore::new(Device::Cpu);
let net = nn::seq()
    .add(nn::conv2d(vs.root() / 0, 1, 16, 3, nn::ConvConfig { padding: 1, ..Default::default() }))
    .relu()
    .max_pool2d(2)
    .add(nn::conv2d(vs.root() / 3, 16, 32, 3, nn::ConvConfig { padding: 1, ..Default::default() }))
    .relu()
    .max_pool2d(2)
    .flatten()
    .add(nn::linear(vs.root() / 7, 32 * 49, 10, Default::default()));
let mut optimizer = nn::Adam::default().build(&vs, 1e-3)?;
let x = Tensor::randn([64, 1, 28, 28], (Kind::Float, Device::Cpu));
let y = Tensor::randint(10, [64], (Kind::Int64, Device::Cpu));

// %%
let (mut steps, begin) = (0, std::time::Instant::now());
while begin.elapsed().as_secs_f64() < 2.5 {
    optimizer.backward_step(&net.forward(&x).cross_entropy_for_logits(&y));
    steps += 1;
}
println!("{}", steps as f64 / begin.elapsed().as_secs_f64());
