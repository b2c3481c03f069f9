//! Whether this machine has a GPU that libtorch could use.

use std::path::Path;

/// Where drivers show themselves: the kernel module, and the library that Windows gives to WSL.
const SIGNS: [&str; 3] = ["/proc/driver/nvidia/version", "/dev/nvidiactl", "/usr/lib/wsl/lib/libcuda.so.1"];

/// What is known of the NVIDIA driver; `None` without one.
pub(crate) fn driver() -> Option<String> {
    let sign = SIGNS.iter().find(|sign| Path::new(sign).exists())?;
    let version = std::fs::read_to_string(SIGNS[0]).ok();
    Some(version.and_then(|text| Some(text.lines().next()?.trim().to_owned())).unwrap_or_else(|| (*sign).to_owned()))
}

/// Whether set-up should provide a libtorch that can use a GPU.
pub(crate) fn wanted() -> bool {
    let device = std::env::var("OXTORCH_DEVICE").unwrap_or_default();
    !device.eq_ignore_ascii_case("cpu") && driver().is_some()
}
