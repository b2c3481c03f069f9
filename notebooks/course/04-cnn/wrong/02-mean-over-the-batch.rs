//! The slope of the bias is divided by the number of images, as if the loss were not a mean already.
//! fails: test-slope-of-the-bias

// cell: convolve-backward
/// The slopes of the loss with respect to `x`, `w` and the biases of `convolve`, from those of its answers, `dy`.
fn convolve_backward(x: &Grid, w: &Grid, dy: &Grid, stride: usize, padding: usize) -> (Grid, Grid, Vec<f64>) {
    let ([count, channels, height, width], [filters, _, rows, columns]) = (x.size, w.size);
    let (mut dx, mut dw, mut db) = (Grid::zeros(x.size), Grid::zeros(w.size), vec![0.0; filters]);
    for n in 0..count {
        for o in 0..filters {
            for i in 0..dy.size[2] {
                for j in 0..dy.size[3] {
                    let slope = dy[[n, o, i, j]];
                    db[o] += slope / count as f64;
                    for c in 0..channels {
                        for u in 0..rows {
                            let row = i * stride + u;
                            if row < padding || row >= padding + height {
                                continue;
                            }
                            for v in 0..columns {
                                let column = j * stride + v;
                                if column >= padding && column < padding + width {
                                    let pixel = [n, c, row - padding, column - padding];
                                    dw[[o, c, u, v]] += slope * x[pixel];
                                    dx[pixel] += slope * w[[o, c, u, v]];
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    (dx, dw, db)
}
