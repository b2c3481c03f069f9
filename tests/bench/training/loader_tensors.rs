// %% Batches of 64 of 2,000 images in memory as they are.
let images = Tensor::rand([2000, 1, 28, 28], (Kind::Float, Device::Cpu));
let labels = Tensor::randint(10, [2000], (Kind::Int64, Device::Cpu));
let loader = DataLoader::new(TensorDataset::new(&images, &labels)?, 64).shuffle(1);

// %%
let begin = std::time::Instant::now();
let batches: usize = (0..5).map(|_| loader.into_iter().count()).sum();
println!("{}", batches as f64 / begin.elapsed().as_secs_f64());
