//! The heads are made by `view` alone, so that a head gets parts of several places.
//! fails: test-heads, test-cache, test-names

// cell: attention
impl Attention {
    /// The result for the places `x` `[B, T, C]` that follow on `past`, and all keys and values.
    fn forward(&self, x: &Tensor, past: Option<&KeysValues>) -> (Tensor, KeysValues) {
        let (b, t, c) = x.size3().expect("[B, T, C]");
        let heads = |part: &Tensor| part.contiguous().view([b, self.heads, t, c / self.heads]);
        let parts = self.qkv.forward(x).split(c, 2);
        let (q, mut k, mut v) = (heads(&parts[0]), heads(&parts[1]), heads(&parts[2]));
        if let Some((keys, values)) = past {
            k = Tensor::cat(&[keys, &k], 2);
            v = Tensor::cat(&[values, &v], 2);
        }
        let fetched = (self.attend)(&q, &k, &v).reshape([b, t, c]);
        (self.out.forward(&fetched), (k, v))
    }
}
