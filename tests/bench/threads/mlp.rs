// %% An MLP, batch 32.
let vs = nn::VarStore::new(Device::Cpu);
let net = nn::seq()
    .add(nn::linear(vs.root() / 0, 64, 128, Default::default()))
    .relu()
    .add(nn::linear(vs.root() / 2, 128, 10, Default::default()));
let mut optimizer = nn::Adam::default().build(&vs, 1e-3)?;
let x = Tensor::randn([32, 64], (Kind::Float, Device::Cpu));
let y = Tensor::randint(10, [32], (Kind::Int64, Device::Cpu));

// %%
let (mut steps, begin) = (0, std::time::Instant::now());
while begin.elapsed().as_secs_f64() < 2.5 {
    optimizer.backward_step(&net.forward(&x).cross_entropy_for_logits(&y));
    steps += 1;
}
println!("{}", steps as f64 / begin.elapsed().as_secs_f64());
