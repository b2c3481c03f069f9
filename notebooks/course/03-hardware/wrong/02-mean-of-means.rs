//! The means of the shares are averaged as if all shares had as many rows.
//! fails: test-parallel

// cell: parallel
/// The mean loss over the rows of `x` and `y` and its gradients by the weights, from so many threads.
fn parallel_gradient(loss: Loss, weights: &[Tensor], x: &Tensor, y: &Tensor, workers: usize) -> (f64, Vec<Tensor>) {
    let busy = workers.min(x.size()[0] as usize) as f64;
    let shares = x.tensor_split(workers as i64, 0).into_iter().zip(y.tensor_split(workers as i64, 0));
    let parts: Vec<(f64, Vec<Tensor>)> = std::thread::scope(|scope| {
        let mut threads = vec![];
        for (x, y) in shares.filter(|(x, _)| x.size()[0] > 0) {
            let own: Vec<Tensor> = weights.iter().map(|w| w.detach().set_requires_grad(true)).collect();
            threads.push(scope.spawn(move || {
                let part = loss(&own, &x, &y) * (1.0 / busy);
                part.backward();
                (part.double_value(&[]), own.iter().map(|w| w.grad()).collect())
            }));
        }
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut sums: Vec<Tensor> = weights.iter().map(|w| w.zeros_like()).collect();
    let mut total = 0.0;
    for (part, gradients) in parts {
        total += part;
        sums = sums.iter().zip(gradients).map(|(sum, gradient)| sum + gradient).collect();
    }
    (total, sums)
}
