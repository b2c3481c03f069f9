//! A binary tree over numbers whose inner nodes combine what is below them, so that a change and a search take a few
//! steps.

#[derive(Debug, Clone)]
pub(super) struct Tree {
    /// The root is node 1, the children of node n are 2n and 2n + 1; the leaves are the second half.
    nodes: Vec<f64>,
    combine: fn(f64, f64) -> f64,
}

impl Tree {
    /// `count` numbers that are `neutral`, which combines with any number to that number.
    pub(super) fn new(count: usize, neutral: f64, combine: fn(f64, f64) -> f64) -> Self {
        Self { nodes: vec![neutral; 2 * count.next_power_of_two()], combine }
    }

    pub(super) fn get(&self, at: usize) -> f64 {
        self.nodes[self.nodes.len() / 2 + at]
    }

    pub(super) fn set(&mut self, at: usize, value: f64) {
        let mut node = self.nodes.len() / 2 + at;
        self.nodes[node] = value;
        while node > 1 {
            node /= 2;
            self.nodes[node] = (self.combine)(self.nodes[2 * node], self.nodes[2 * node + 1]);
        }
    }

    /// All numbers combined.
    pub(super) fn all(&self) -> f64 {
        self.nodes[1]
    }

    /// In a tree of sums, the first number at which the sum up to it is above `sum`.
    pub(super) fn find(&self, mut sum: f64) -> usize {
        let leaves = self.nodes.len() / 2;
        let mut node = 1;
        while node < leaves {
            let left = self.nodes[2 * node];
            // A rounded sum must not lead to where there is nothing.
            if sum < left || self.nodes[2 * node + 1] <= 0.0 {
                node *= 2;
            } else {
                sum -= left;
                node = 2 * node + 1;
            }
        }
        node - leaves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_lead_to_the_number_that_they_end_in() {
        let mut tree = Tree::new(5, 0.0, |a, b| a + b);
        for (at, value) in [2.0, 0.0, 1.0, 4.0, 3.0].into_iter().enumerate() {
            tree.set(at, value);
        }
        assert_eq!((tree.all(), tree.get(3)), (10.0, 4.0));
        let found = [0.0, 1.9, 2.0, 2.9, 3.0, 6.9, 7.0, 9.9, 10.0, 11.0].map(|sum| tree.find(sum));
        assert_eq!(found, [0, 0, 2, 2, 3, 3, 4, 4, 4, 4]);
        tree.set(3, 0.0);
        assert_eq!((tree.all(), tree.find(3.0)), (6.0, 4));
    }

    #[test]
    fn one_number_is_its_own_tree() {
        let mut tree = Tree::new(1, f64::INFINITY, f64::min);
        tree.set(0, 3.0);
        assert_eq!((tree.all(), tree.get(0)), (3.0, 3.0));
    }
}
