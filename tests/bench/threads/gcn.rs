// %% A graph network over 4,000 nodes and 24,000 edges.
let vs = nn::VarStore::new(Device::Cpu);
let conv1 = nn::gcn_conv(vs.root() / "conv1", 64, 32, Default::default());
let conv2 = nn::gcn_conv(vs.root() / "conv2", 32, 8, Default::default());
let mut optimizer = nn::Adam::default().build(&vs, 1e-3)?;
let x = Tensor::randn([4000, 64], (Kind::Float, Device::Cpu));
let edge_index = nn::to_undirected(&Tensor::randint(4000, [2, 12000], (Kind::Int64, Device::Cpu)));
let y = Tensor::randint(8, [4000], (Kind::Int64, Device::Cpu));

// %%
let (mut steps, begin) = (0, std::time::Instant::now());
while begin.elapsed().as_secs_f64() < 2.5 {
    let out = conv2.forward_edges(&conv1.forward_edges(&x, &edge_index).relu(), &edge_index);
    optimizer.backward_step(&out.cross_entropy_for_logits(&y));
    steps += 1;
}
println!("{}", steps as f64 / begin.elapsed().as_secs_f64());
