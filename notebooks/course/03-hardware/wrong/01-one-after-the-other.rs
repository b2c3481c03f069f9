//! Each thread is waited for before the next one starts.
//! fails: test-threads

// cell: threads
/// Calls `work` with the number of each row of `c` and the row itself, on so many threads.
fn rows_in_threads(c: &mut [f32], width: usize, threads: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    let rows = c.len() / width;
    let blocks = threads.min(rows);
    let work = &work;
    std::thread::scope(|scope| {
        let mut rest = c;
        for block in 0..blocks {
            let (from, to) = (rows * block / blocks, rows * (block + 1) / blocks);
            let (own, others) = rest.split_at_mut((to - from) * width);
            rest = others;
            let thread = scope.spawn(move || {
                for (number, row) in (from..to).zip(own.chunks_exact_mut(width)) {
                    work(number, row);
                }
            });
            thread.join().unwrap();
        }
    });
}
