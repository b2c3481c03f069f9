//! How much memory is in use.

use std::fmt::{self, Debug};
use std::process::Command;

/// Memory of this process and of the GPUs, in bytes. Shown as `host 312 MB, at most 340 MB; cuda:0 1.2 GB of 15.8 GB`.
#[derive(Clone, PartialEq, Eq)]
pub struct MemoryFigures {
    /// What the process that runs the cells holds in main memory, tensors included.
    pub resident: u64,
    /// The most that it held so far.
    pub peak: u64,
    /// Of each GPU, by its number: everything on it, other processes' too.
    pub gpus: Vec<GpuMemory>,
}

/// Memory of one GPU, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GpuMemory {
    /// In use.
    pub used: u64,
    /// All there is.
    pub total: u64,
}

/// Looks at how much memory is in use now. GPUs are asked by `nvidia-smi`, which comes with the driver; without it there are none in
/// the list. Memory that libtorch keeps for later tensors counts as used.
///
/// ```
/// use oxtorch::prelude::*;
/// let before = oxtorch::device::memory();
/// let large = Tensor::ones([1 << 24], (Kind::Float, Device::Cpu)); // 64 MiB
/// let after = oxtorch::device::memory();
/// assert!(after.peak >= after.resident && after.resident > before.resident);
/// ```
pub fn memory() -> MemoryFigures {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let (resident, peak) = (kilobytes(&status, "VmRSS:"), kilobytes(&status, "VmHWM:"));
    let query = ["--query-gpu=memory.used,memory.total", "--format=csv,noheader,nounits"];
    let listed = Command::new("nvidia-smi").args(query).output();
    let listed = listed.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    MemoryFigures {
        resident: 1024 * resident,
        peak: 1024 * peak.max(resident),
        gpus: gpus(&String::from_utf8_lossy(&listed.unwrap_or_default())),
    }
}

/// A line of the system's account of a process; 0 where the system keeps none.
fn kilobytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}

/// A line for each GPU: used and total, in MiB.
fn gpus(listed: &str) -> Vec<GpuMemory> {
    let mib = |text: &str| text.trim().parse::<u64>().ok().map(|number| number << 20);
    let gpu = |line: &str| {
        let (used, total) = line.split_once(',')?;
        Some(GpuMemory { used: mib(used)?, total: mib(total)? })
    };
    listed.lines().filter_map(gpu).collect()
}

impl Debug for MemoryFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "host {}, at most {}", Bytes(self.resident), Bytes(self.peak))?;
        self.gpus
            .iter()
            .enumerate()
            .try_for_each(|(index, gpu)| write!(f, "; cuda:{index} {} of {}", Bytes(gpu.used), Bytes(gpu.total)))
    }
}

struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 as f64 {
            bytes if bytes >= 1e9 => write!(f, "{:.1} GB", bytes / 1e9),
            bytes => write!(f, "{:.0} MB", bytes / 1e6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_lists_is_read() {
        assert_eq!(kilobytes("Name:\toxtorch-host\nVmHWM:\t  340000 kB\nVmRSS:\t  312000 kB\n", "VmRSS:"), 312_000);
        let listed = gpus("1144, 15109\n0, 15109\n[N/A], [N/A]\n");
        assert_eq!(
            listed.iter().map(|gpu| (gpu.used >> 20, gpu.total >> 20)).collect::<Vec<_>>(),
            [(1144, 15109), (0, 15109)]
        );
        let figures = MemoryFigures { resident: 312_000_000, peak: 1_340_000_000, gpus: listed[..1].to_vec() };
        assert_eq!(format!("{figures:?}"), "host 312 MB, at most 1.3 GB; cuda:0 1.2 GB of 15.8 GB");
        assert_eq!(gpus(""), []);
    }
}
