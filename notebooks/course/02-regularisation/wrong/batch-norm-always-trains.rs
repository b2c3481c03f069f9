//! Batch norm uses the statistics of the batch at test time, too: a digit that comes alone becomes 0.
//! fails: test-batch-norm

// cell: batch-norm
impl BatchNorm {
    /// Normalises the columns of `x` `[N, C]`.
    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let n = x.size()[0] as f64;
        let mean = x.mean_dim(0, false, None);
        let var = (x - &mean).square().mean_dim(0, false, None);
        if train {
            set(&self.running_mean, &(&self.running_mean * 0.9 + &mean * 0.1));
            set(&self.running_var, &(&self.running_var * 0.9 + &var * (0.1 * n / (n - 1.0))));
        }
        (x - mean) / (var + 1e-5).sqrt() * &self.weight + &self.bias
    }
}
