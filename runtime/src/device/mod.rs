//! Where tensors live by default: on the GPU where one is usable, else on the CPU.
//!
//! The host links the CPU part of libtorch only. Where the machine has an NVIDIA driver and libtorch's CUDA part lies
//! beside the CPU part, it is loaded at start and registers its kernels itself.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use tch::{Cuda, Device};
use thiserror::Error;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod blas;
mod memory;
pub(crate) mod threads;

pub use memory::{GpuMemory, MemoryFigures, memory, memory_limit};
pub use threads::{num_threads, set_num_threads};

const VARIABLE: &str = "OXTORCH_DEVICE";

/// Why the device that `OXTORCH_DEVICE` asks for cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The variable holds something else than a device.
    #[error("OXTORCH_DEVICE is {0:?}, but it must be cpu, cuda, or cuda:N with a GPU's number")]
    Unknown(String),
    /// CUDA was asked for and cannot be used.
    #[error("OXTORCH_DEVICE asks for a GPU, but {0}")]
    NoCuda(String),
    /// There are fewer GPUs than that.
    #[error("OXTORCH_DEVICE asks for cuda:{index}, but the GPUs here are cuda:0 to cuda:{last}")]
    NoSuchGpu {
        /// As it was asked for.
        index: usize,
        /// The number of the last GPU.
        last: usize,
    },
}

/// The device to compute on: the first GPU where CUDA is usable, else the CPU.
///
/// The environment variable `OXTORCH_DEVICE` overrides it with `cpu`, `cuda` or `cuda:1`. The answer stays the same as
/// long as the process runs, and costs nothing after the first call.
///
/// ```
/// use oxtorch::prelude::*;
/// let weights = Tensor::randn([64, 10], (Kind::Float, device()));
/// let mut vs = nn::VarStore::new(device()); // a network is on the device of its store
/// let x = Tensor::ones([2], (Kind::Float, Device::Cpu)).to_device(device());
/// vs.set_device(Device::Cpu); // moves all its variables
/// ```
///
/// # Panics
///
/// Where `OXTORCH_DEVICE` asks for a device that is not there; [`try_device`] returns that as an error.
pub fn device() -> Device {
    try_device().unwrap_or_else(|error| panic!("{error}"))
}

/// The device to compute on, like [`device`].
///
/// # Errors
///
/// Where `OXTORCH_DEVICE` asks for a device that is not there.
pub fn try_device() -> Result<Device, DeviceError> {
    static DEVICE: OnceLock<Result<Device, DeviceError>> = OnceLock::new();
    DEVICE.get_or_init(|| choose(request()?, cuda().as_ref().copied().map_err(String::as_str))).clone()
}

/// Loads the CUDA part of libtorch where it can be used, and says why it is not used where a user should know: there is
/// a GPU that goes unused, or `OXTORCH_DEVICE` asks for what is not there.
///
/// Must come before anything else asks libtorch for CUDA: it looks for the CUDA part once and keeps that answer.
pub fn load_cuda() -> Option<String> {
    match request() {
        Err(error) => Some(error.to_string()),
        Ok(Some(Request::Cpu)) => None,
        Ok(Some(Request::Cuda(_))) => try_device().err().map(|error| error.to_string()),
        Ok(None) => match cuda() {
            Ok(_) => None,
            Err(reason) => (reason != NO_DRIVER && reason != NO_GPU).then(|| format!("computing on the CPU: {reason}")),
        },
    }
}

/// What `OXTORCH_DEVICE` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    Cpu,
    Cuda(usize),
}

fn request() -> Result<Option<Request>, DeviceError> {
    match env::var_os(VARIABLE) {
        None => Ok(None),
        Some(value) => parse(&value.to_string_lossy()),
    }
}

fn parse(value: &str) -> Result<Option<Request>, DeviceError> {
    match value.trim() {
        "" => Ok(None),
        "cpu" => Ok(Some(Request::Cpu)),
        "cuda" => Ok(Some(Request::Cuda(0))),
        other => match other.strip_prefix("cuda:").and_then(|index| index.parse().ok()) {
            Some(index) => Ok(Some(Request::Cuda(index))),
            None => Err(DeviceError::Unknown(value.to_owned())),
        },
    }
}

/// `gpus` is how many are usable, or why none is.
fn choose(request: Option<Request>, gpus: Result<usize, &str>) -> Result<Device, DeviceError> {
    match (request, gpus) {
        (Some(Request::Cpu), _) | (None, Err(_) | Ok(0)) => Ok(Device::Cpu),
        (None, Ok(_)) => Ok(Device::Cuda(0)),
        (Some(Request::Cuda(_)), Err(reason)) => Err(DeviceError::NoCuda(reason.to_owned())),
        (Some(Request::Cuda(_)), Ok(0)) => Err(DeviceError::NoCuda(NO_GPU.to_owned())),
        (Some(Request::Cuda(index)), Ok(count)) if index < count => Ok(Device::Cuda(index)),
        (Some(Request::Cuda(index)), Ok(count)) => Err(DeviceError::NoSuchGpu { index, last: count - 1 }),
    }
}

const NO_DRIVER: &str = "this machine has no NVIDIA driver (libcuda.so.1)";
const NO_GPU: &str = "the NVIDIA driver finds no GPU";

/// How many GPUs are usable, or why none is. Loads the CUDA part of libtorch on the first call.
fn cuda() -> &'static Result<usize, String> {
    static CUDA: OnceLock<Result<usize, String>> = OnceLock::new();
    CUDA.get_or_init(|| {
        if matches!(request(), Ok(Some(Request::Cpu))) {
            return Err("OXTORCH_DEVICE is cpu".to_owned());
        }
        load_beside_cpu_part()?;
        match Cuda::device_count() {
            count @ 1.. => Ok(count as usize),
            // Hidden on purpose, or there is none.
            _ if env::var_os("CUDA_VISIBLE_DEVICES").is_some() || !Path::new("/dev/nvidia0").exists() => {
                Err(NO_GPU.to_owned())
            }
            _ => Err("CUDA does not start on the GPU of this machine; its driver may be too old for this libtorch"
                .to_owned()),
        }
    })
}

fn load_beside_cpu_part() -> Result<(), String> {
    if !cfg!(target_os = "linux") {
        return Err("CUDA needs Linux".to_owned());
    }
    open(Path::new("libcuda.so.1")).map_err(|_| NO_DRIVER.to_owned())?;
    let folder = libtorch_folder().ok_or("the folder of libtorch could not be found")?;
    let library = folder.join("libtorch_cuda.so");
    if !library.exists() {
        return Err(format!(
            "the libtorch in use ({}) has no CUDA part; `oxtorch doctor` says how to get it",
            folder.display()
        ));
    }
    open(&library).map_err(|reason| format!("libtorch's CUDA part cannot be loaded: {reason}"))
}

/// The folder of the `libtorch_cpu` that this process has loaded.
fn libtorch_folder() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps.lines().find_map(|line| {
        let path = &line[line.find('/')?..];
        path.ends_with("/libtorch_cpu.so").then_some(path)
    })?;
    Some(Path::new(path).parent()?.to_owned())
}

/// Loads a library for the rest of the process, its symbols visible to all others.
fn open(library: &Path) -> Result<(), String> {
    // SAFETY: the initializers that run are those of the NVIDIA driver and of libtorch, which are made to be loaded
    // this way; the library is never closed, so nothing they registered goes away.
    let opened = unsafe { Library::open(Some(library), RTLD_NOW | RTLD_GLOBAL) };
    opened.map(std::mem::forget).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_overrides_the_default() {
        let cases = [
            ("", Ok(2), Ok(Device::Cuda(0))),
            ("", Err("no"), Ok(Device::Cpu)),
            ("cpu", Ok(2), Ok(Device::Cpu)),
            ("cuda", Ok(2), Ok(Device::Cuda(0))),
            (" cuda:1 ", Ok(2), Ok(Device::Cuda(1))),
            ("cuda:2", Ok(2), Err(DeviceError::NoSuchGpu { index: 2, last: 1 })),
            ("cuda", Err("no"), Err(DeviceError::NoCuda("no".to_owned()))),
            ("gpu", Ok(2), Err(DeviceError::Unknown("gpu".to_owned()))),
            ("cuda:-1", Ok(2), Err(DeviceError::Unknown("cuda:-1".to_owned()))),
            ("cuda:", Ok(2), Err(DeviceError::Unknown("cuda:".to_owned()))),
        ];
        for (value, gpus, expected) in cases {
            let chosen = parse(value).and_then(|request| choose(request, gpus));
            assert_eq!(chosen, expected, "OXTORCH_DEVICE={value:?} with {gpus:?}");
        }
    }

    #[test]
    fn libtorch_is_found_where_it_was_loaded_from() {
        let _ = tch::Tensor::from(1.0);
        let folder = libtorch_folder().expect("libtorch is loaded");
        assert!(folder.join("libtorch_cpu.so").exists(), "{}", folder.display());
    }

    #[test]
    fn a_library_that_is_not_there_is_named() {
        let error = open(Path::new("/nowhere/libtorch_cuda.so")).expect_err("not there");
        assert!(error.contains("/nowhere/libtorch_cuda.so"), "{error}");
    }

    #[test]
    fn the_default_device_computes() {
        let ones = tch::Tensor::ones([2, 2], (tch::Kind::Float, device()));
        assert_eq!(ones.sum(tch::Kind::Float).double_value(&[]), 4.0);
    }
}
