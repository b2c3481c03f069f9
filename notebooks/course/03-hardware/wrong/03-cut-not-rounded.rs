//! Whole numbers are cut off towards zero and not rounded.
//! fails: test-quantise

// cell: quantise
/// The whole numbers of a matrix with so many columns, and the scale of each row.
fn quantise(w: &[f32], columns: usize) -> (Vec<i8>, Vec<f32>) {
    let (mut numbers, mut scales) = (vec![], vec![]);
    for row in w.chunks_exact(columns) {
        let scale = row.iter().fold(0.0f32, |most, value| most.max(value.abs())) / 127.0;
        let number = |value: &f32| if scale > 0.0 { (value / scale) as i8 } else { 0 };
        numbers.extend(row.iter().map(number));
        scales.push(scale);
    }
    (numbers, scales)
}
