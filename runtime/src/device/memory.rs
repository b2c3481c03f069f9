//! How much memory is in use.

use std::fmt::{self, Debug};
use std::path::{Path, PathBuf};
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

/// Looks at how much memory is in use now. GPUs are asked by `nvidia-smi`, which comes with the driver; without it
/// there are none in the list. Memory that libtorch keeps for later tensors counts as used.
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

/// How much main memory this process can have at most, in bytes: the machine's with its swap space, or what a container
/// allows. A tensor that is larger by itself is refused with an error; what exceeds it together ends the process.
///
/// ```
/// use oxtorch::prelude::*;
/// assert!(oxtorch::device::memory_limit() > oxtorch::device::memory().resident);
/// ```
pub fn memory_limit() -> u64 {
    let machine = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let machine = 1024 * (kilobytes(&machine, "MemTotal:") + kilobytes(&machine, "SwapTotal:"));
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let allowed = limits_of_groups(&groups).into_iter().filter_map(|file| {
        // `max` where there is none.
        std::fs::read_to_string(file).ok()?.trim().parse().ok()
    });
    // A system that says nothing has no limit that is known.
    allowed.chain((machine > 0).then_some(machine)).min().unwrap_or(u64::MAX)
}

/// The files that can hold a limit for a process: those of its control group and of all above it. In a container the
/// outermost that can be seen is the container's.
fn limits_of_groups(groups: &str) -> Vec<PathBuf> {
    let files = groups.lines().filter_map(|line| {
        let (controllers, group) = line.split_once(':')?.1.split_once(':')?;
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let group = Path::new(group.trim_start_matches('/'));
        Some(group.ancestors().map(move |above| Path::new(root).join(above).join(file)).collect::<Vec<_>>())
    });
    files.flatten().collect()
}

/// A line of the system's account of a process, or of the machine; 0 where the system keeps none.
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
    fn a_limit_may_stand_at_the_group_or_above_it() {
        let cases: [(&str, &[&str]); 3] = [
            ("0::/\n", &["/sys/fs/cgroup/memory.max"]),
            (
                "0::/user.slice/job\n",
                &[
                    "/sys/fs/cgroup/user.slice/job/memory.max",
                    "/sys/fs/cgroup/user.slice/memory.max",
                    "/sys/fs/cgroup/memory.max",
                ],
            ),
            (
                "9:cpu,cpuacct:/a\n4:memory:/a\n",
                &["/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes"],
            ),
        ];
        for (groups, files) in cases {
            assert_eq!(limits_of_groups(groups), files.iter().map(PathBuf::from).collect::<Vec<_>>(), "{groups}");
        }
    }

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
