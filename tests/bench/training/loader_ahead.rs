// %% Batches of 64 of 2,000 images in memory, got and normalised one by one, read ahead.
struct Normalised {
    images: Tensor,
    labels: Tensor,
}

impl Dataset for Normalised {
    type Sample = (Tensor, Tensor);

    fn len(&self) -> usize {
        self.labels.numel()
    }

    fn get(&self, index: usize) -> Result<(Tensor, Tensor)> {
        Ok(((self.images.get(index as i64) - 0.13) / 0.31, self.labels.get(index as i64)))
    }
}

let images = Tensor::rand([2000, 1, 28, 28], (Kind::Float, Device::Cpu));
let labels = Tensor::randint(10, [2000], (Kind::Int64, Device::Cpu));
let loader = DataLoader::new(Normalised { images, labels }, 64).shuffle(1).prefetch(2);

// %%
let begin = std::time::Instant::now();
let batches: usize = (0..5).map(|_| loader.into_iter().count()).sum();
println!("{}", batches as f64 / begin.elapsed().as_secs_f64());
