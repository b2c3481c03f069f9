// %% A small language model: two layers of 64 numbers and 4 heads, batch 16 of 32 tokens.
let vs = nn::VarStore::new(Device::Cpu);
let root = vs.root();
let config = nn::TransformerConfig { dim_feedforward: 256, dropout: 0.0, norm_first: true, ..Default::default() };
let embedding = nn::embedding(&root / "embedding", 100, 64, Default::default());
let encoder = nn::transformer_encoder(&root / "encoder", 2, 64, 4, config);
let head = nn::linear(&root / "head", 64, 100, Default::default());
let mut optimizer = nn::Adam::default().build(&vs, 1e-3)?;
let tokens = Tensor::randint(100, [20, 16, 33], (Kind::Int64, Device::Cpu));

// %%
let steps = 60;
let begin = std::time::Instant::now();
for step in 0..steps {
    let batch = tokens.get(step % 20);
    let hidden = encoder.forward_masked(&embedding.forward(&batch.narrow(1, 0, 32)), &nn::Mask::causal(), true);
    let logits = head.forward(&hidden).flatten(0, 1);
    let loss = logits.cross_entropy_for_logits(&batch.narrow(1, 1, 32).flatten(0, 1));
    optimizer.backward_step(&loss);
}
println!("{}", steps as f64 / begin.elapsed().as_secs_f64());
