//! A negative place is cut off towards 0 instead of rounded down, so the upper and the left border are wrong.
//! fails: test-warp

// cell: warp
/// The pictures `[N, H, W]`, where each pixel takes the color from a place that lies `moves` `[N, 2, H, W]` away.
fn warp(images: &Tensor, moves: &Tensor) -> Tensor {
    let old = Vec::<f32>::try_from(images.flatten(0, -1)).expect("pictures in float32");
    let moves = Vec::<f32>::try_from(moves.flatten(0, -1)).expect("moves in float32");
    let (n, h, w) = images.size3().expect("[N, H, W]");
    let mut new = vec![0.0f32; old.len()];
    let size = (h * w) as usize;
    for number in 0..n as usize {
        let pixel = |row: i64, column: i64| {
            let inside = row >= 0 && row < h && column >= 0 && column < w;
            if inside { old[number * size + (row * w + column) as usize] } else { 0.0 }
        };
        for row in 0..h {
            for column in 0..w {
                let place = (row * w + column) as usize;
                let y = row as f32 + moves[2 * number * size + place];
                let x = column as f32 + moves[(2 * number + 1) * size + place];
                let (t, l) = (y as i64, x as i64);
                let (b, a) = (y - t as f32, x - l as f32);
                new[number * size + place] = (1.0 - b) * ((1.0 - a) * pixel(t, l) + a * pixel(t, l + 1))
                    + b * ((1.0 - a) * pixel(t + 1, l) + a * pixel(t + 1, l + 1));
            }
        }
    }
    Tensor::from_slice(&new).view([n, h, w]).to_device(images.device())
}
