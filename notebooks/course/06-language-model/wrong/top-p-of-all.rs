//! Top-p compares with the sum of all probabilities rather than of those that top-k has kept.
//! fails: test-kept

// cell: kept
/// The probabilities that belong to `logits` when only the top `k` and of those the top `p` are kept.
fn kept(logits: &[f64], k: usize, p: f64) -> Vec<f64> {
    let greatest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logits.iter().map(|logit| (logit - greatest).exp()).collect();
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
    let all: f64 = weights.iter().sum();
    let mut sum = 0.0;
    let mut probabilities = vec![0.0; logits.len()];
    for token in order.into_iter().take(k) {
        probabilities[token] = weights[token];
        sum += weights[token];
        if sum >= p * all {
            break;
        }
    }
    probabilities.iter().map(|weight| weight / sum).collect()
}
