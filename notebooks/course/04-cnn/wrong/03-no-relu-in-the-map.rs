//! The map of Grad-CAM keeps what speaks against the class.
//! fails: test-grad-cam

// cell: grad-cam
/// The maps of Grad-CAM `[N, H, W]`, from features `[N, C, H, W]` and the slopes of a logit with respect to them.
fn grad_cam(features: &Tensor, slopes: &Tensor) -> Tensor {
    let weights = slopes.mean_dim([2i64, 3].as_slice(), true, None);
    (weights * features).sum_dim_intlist(1, false, None)
}
