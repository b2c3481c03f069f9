//! The gradients are clipped behind the step, where it changes nothing.
//! fails: test-train-epoch

// cell: train-epoch
/// Trains on pieces that follow each other: the mean loss over all their characters.
fn train_epoch(net: &TuneNet, optimizer: &mut nn::Optimizer, pieces: &[(Tensor, Tensor)], max_norm: f64) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    let mut state = net.start(pieces[0].0.size()[0]);
    for (inputs, targets) in pieces {
        let [inputs, targets] = [inputs, targets].map(|numbers| numbers.to_device(net.vs.device()));
        let (logits, end) = net.forward(&inputs, &state, true);
        let loss = logits.flatten(0, 1).cross_entropy_for_logits(&targets.flatten(0, 1));
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
        optim::clip_grad_norm(&net.vs, max_norm);
        state = end.detach();
        sum += loss.double_value(&[]) * targets.numel() as f64;
        count += targets.numel() as f64;
    }
    sum / count
}
