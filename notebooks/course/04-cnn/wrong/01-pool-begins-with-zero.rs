//! The greatest number of a window is at least 0, so windows of negative numbers give 0.
//! fails: test-pool

// cell: pool
/// The greatest number of each window, and where it stands in `x.data`.
fn pool(x: &Grid, window: usize, stride: usize) -> (Grid, Vec<usize>) {
    let [count, channels, height, width] = x.size;
    let (down, right) = (places(height, window, stride, 0), places(width, window, stride, 0));
    let mut y = Grid::zeros([count, channels, down, right]);
    let mut winners = vec![];
    for n in 0..count {
        for c in 0..channels {
            for i in 0..down {
                for j in 0..right {
                    let mut best = x.place([n, c, i * stride, j * stride]);
                    let mut greatest = 0.0;
                    for u in 0..window {
                        for v in 0..window {
                            let place = x.place([n, c, i * stride + u, j * stride + v]);
                            if x.data[place] > greatest {
                                (best, greatest) = (place, x.data[place]);
                            }
                        }
                    }
                    y[[n, c, i, j]] = greatest;
                    winners.push(best);
                }
            }
        }
    }
    (y, winners)
}

/// The slopes with respect to `x` of `pool`, from those of its answers.
fn pool_backward(size: [usize; 4], winners: &[usize], dy: &Grid) -> Grid {
    let mut dx = Grid::zeros(size);
    for (&place, slope) in winners.iter().zip(&dy.data) {
        dx.data[place] += slope;
    }
    dx
}
