// %% A GPT of 10.8 million parameters: six layers of 384 numbers and 6 heads, batch 4 of 64 tokens.
let vs = nn::VarStore::new(Device::Cpu);
let root = vs.root();
let config = nn::TransformerConfig { dim_feedforward: 1536, dropout: 0.0, norm_first: true, ..Default::default() };
let embedding = nn::embedding(&root / "embedding", 100, 384, Default::default());
let encoder = nn::transformer_encoder(&root / "encoder", 6, 384, 6, config);
let head = nn::linear(&root / "head", 384, 100, Default::default());
let mut optimizer = nn::AdamW::default().build(&vs, 1e-3)?;
let tokens = Tensor::randint(100, [20, 4, 65], (Kind::Int64, Device::Cpu));

// %%
let steps = 6;
let begin = std::time::Instant::now();
for step in 0..steps {
    let batch = tokens.get(step % 20);
    let hidden = encoder.forward_masked(&embedding.forward(&batch.narrow(1, 0, 64)), &nn::Mask::causal(), true);
    let logits = head.forward(&hidden).flatten(0, 1);
    let loss = logits.cross_entropy_for_logits(&batch.narrow(1, 1, 64).flatten(0, 1));
    optimizer.backward_step(&loss);
}
println!("{}", steps as f64 / begin.elapsed().as_secs_f64());
