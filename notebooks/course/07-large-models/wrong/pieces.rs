//! The mean is over pieces and not over tokens, so a short last piece counts too much.
//! fails: test-perplexity

// cell: perplexity
/// The perplexity of a text for a model, which reads it in pieces of `context` tokens.
fn perplexity(logits: &dyn Fn(&Tensor) -> Tensor, tokens: &[i64], context: usize) -> f64 {
    let (mut losses, last) = (vec![], tokens.len() - 1);
    for from in (0..last).step_by(context) {
        let to = last.min(from + context);
        let inputs = Tensor::from_slice(&tokens[from..to]).unsqueeze(0);
        let targets = Tensor::from_slice(&tokens[from + 1..to + 1]);
        losses.push(no_grad(|| logits(&inputs)).squeeze_dim(0).cross_entropy_for_logits(&targets).double_value(&[]));
    }
    (losses.iter().sum::<f64>() / losses.len() as f64).exp()
}
