//! A node that is used more than once keeps the last part of its derivative, not the sum.
//! fails: test-backward

// cell: backward
impl Tape {
    /// Sets `grad` of each node to the derivative of `output` with respect to it.
    fn backward(&self, output: Var) {
        let mut nodes = self.nodes.borrow_mut();
        for node in nodes.iter_mut() {
            node.grad = 0.0;
        }
        nodes[output.0].grad = 1.0;
        for place in (0..=output.0).rev() {
            let grad = nodes[place].grad;
            for (parent, slope) in nodes[place].parents.clone() {
                nodes[parent.0].grad = slope * grad;
            }
        }
    }
}
