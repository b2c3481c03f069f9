// %% AdamW over 10 million parameters in 64 tensors.
let vs = nn::VarStore::new(Device::Cpu);
let parameters: Vec<Tensor> = (0..64).map(|i| vs.root().randn_standard(&i.to_string(), &[400, 400])).collect();
let mut optimizer = nn::AdamW::default().build(&vs, 1e-3)?;
let loss: Tensor = parameters.iter().map(|p| p * p.randn_like()).sum();
loss.sum(Kind::Float).backward();

// %%
let steps = 40;
let begin = std::time::Instant::now();
for _ in 0..steps {
    optimizer.step();
}
println!("{}", steps as f64 / begin.elapsed().as_secs_f64());
