//! Adam divides the means as they are: without bias correction, the first steps are too long.
//! fails: test-adam

// cell: adam
/// The direction of Adam.
fn adam(g: &Tensor, memory: &mut Memory, betas: (f64, f64)) -> Tensor {
    memory.step += 1;
    memory.mean = &memory.mean * betas.0 + g * (1.0 - betas.0);
    memory.square = &memory.square * betas.1 + g.square() * (1.0 - betas.1);
    &memory.mean / (memory.square.sqrt() + EPSILON)
}
