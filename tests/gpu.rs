//! Cells on a GPU, on whatever machine has one; elsewhere they are skipped, and one line says so.
//!
//! How libtorch's CUDA part is loaded is seen without a GPU as well, with a PyTorch for CUDA and a driver that finds no
//! GPU:
//!
//!     OXTORCH_CUDA=$(python3 -c 'import torch, os; print(os.path.dirname(torch.__file__))') \
//!         cargo test --release --test gpu -- --ignored

mod session;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};

use session::Notebook;

const OXTORCH: &str = env!("CARGO_BIN_EXE_oxtorch");

/// Cells by what they show: each fails by an assertion of its own.
const CELLS: [(&str, &str); 7] = [
    ("device_is_the_first_gpu", "assert_eq!(device(), Device::Cuda(0));"),
    (
        "tensors_are_computed_as_on_the_cpu",
        "let a = Tensor::randn([64, 32], (Kind::Float, Device::Cpu));
let there = a.to_device(device());
let product = there.matmul(&there.tr()).to_device(Device::Cpu);
assert!(product.allclose(&a.matmul(&a.tr()), 1e-4, 1e-4, false));",
    ),
    (
        "a_network_is_trained",
        "let (train, test) = digits().split(0.2, 42)?;
let (train, test) = (DataLoader::new(train, 64).shuffle(1), DataLoader::new(test, 256));
let vs = nn::VarStore::new(device());
let net = nn::seq().flatten().add(nn::linear(vs.root() / \"a\", 64, 64, Default::default())).relu()
    .add(nn::linear(vs.root() / \"b\", 64, 10, Default::default()));
let mut trainer = Trainer::new(&vs, nn::Adam::default(), 3e-3)?.epochs(8).mixed_precision();
trainer.fit(&net, &train, Some(&test))?;
assert!(trainer.history().last(\"validation accuracy\").is_some_and(|accuracy| accuracy > 0.9), \"{:?}\", trainer.history());",
    ),
    (
        "mixed_precision_computes_in_half",
        "let a = Tensor::ones([8, 8], (Kind::Float, device()));
assert_eq!(train::autocast(true, || a.matmul(&a)).kind(), Kind::Half);
assert_eq!(a.matmul(&a).kind(), Kind::Float);",
    ),
    (
        "memory_is_counted",
        "let held = Tensor::ones([1 << 26], (Kind::Float, device())); // 256 MiB
let figures = oxtorch::device::memory();
assert!(figures.gpus[0].used >= 1 << 28 && figures.gpus[0].total > figures.gpus[0].used, \"{figures:?}\");",
    ),
    (
        "weights_move_between_devices",
        "let vs = nn::VarStore::new(device());
let layer = nn::linear(vs.root(), 3, 2, Default::default());
io::StateDict::of(&vs).save(\"gpu.safetensors\")?;
io::load_state_dict(&vs, \"gpu.safetensors\")?;
std::fs::remove_file(\"gpu.safetensors\")?;
assert_eq!(layer.ws.device(), device());",
    ),
    (
        "a_seed_repeats_a_run",
        "let draw = || { seed(3); Tensor::randn([5], (Kind::Float, device())) };
assert!(draw().equal(&draw()));",
    ),
];

/// Cells that fail, and what their report says.
const FAILURES: [(&str, &str, &str); 2] = [
    (
        "too_large_a_tensor_says_how_much_was_asked",
        "let huge = Tensor::zeros([1 << 42], (Kind::Float, device()));",
        "Tried to allocate",
    ),
    (
        "tensors_on_two_devices_are_told_apart",
        "let sum = Tensor::ones([2], (Kind::Float, device())) + Tensor::ones([2], (Kind::Float, Device::Cpu));",
        "`.to_device(device())`",
    ),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let has_gpu = Path::new("/dev/nvidia0").exists();
    if !has_gpu && !arguments.list {
        eprintln!("gpu: skipped, because there is no GPU (/dev/nvidia0)");
    }
    let cells = CELLS.map(|(name, code)| Trial::test(name, move || run(code, None)).with_ignored_flag(!has_gpu));
    let failures =
        FAILURES.map(|(name, code, says)| Trial::test(name, move || run(code, Some(says))).with_ignored_flag(!has_gpu));
    let asked = std::env::var_os("OXTORCH_CUDA").map(PathBuf::from);
    let is_asked = asked.is_some();
    let loads = Trial::test("the_cuda_part_is_loaded_without_a_gpu", move || match asked {
        Some(torch) => loads_without_gpu(&torch),
        None => Err("OXTORCH_CUDA names no PyTorch".into()),
    });
    let mut trials: Vec<Trial> = cells.into_iter().chain(failures).collect();
    // `--ignored` runs what was asked for; the others would only fail without a GPU.
    trials.retain(|_| has_gpu || !is_asked);
    trials.push(loads.with_ignored_flag(true));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Runs a cell in a session of its own.
fn run(code: &str, says: Option<&str>) -> Result<(), Failed> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shown = tokio.block_on(async {
        let mut notebook = Notebook::start().await;
        let shown = notebook.run(code).await;
        notebook.end().await;
        shown
    });
    match (shown.report(), says) {
        (None, None) => Ok(()),
        (Some(report), Some(says)) if report.contains(says) => Ok(()),
        (report, _) => Err(format!("{code}\n{}", report.unwrap_or_else(|| "it should have failed".to_owned())).into()),
    }
}

/// A driver that is there and finds no GPU.
const DRIVER: &str = "int cuInit(unsigned flags) { return 100; }\n";

/// libtorch's CUDA part is loaded and has registered its kernels: a tensor on the GPU fails for want of a GPU, and not
/// for want of code for it.
fn loads_without_gpu(torch: &Path) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let source = folder.path().join("driver.c");
    fs::write(&source, DRIVER)?;
    let driver = folder.path().join("libcuda.so.1");
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&driver).arg(&source).status()?;
    assert!(compiled.success(), "the driver's stand-in compiles");

    let cell = |code: &str| json!({ "cell_type": "code", "id": code.len().to_string(), "metadata": {}, "source": code, "outputs": [], "execution_count": null });
    let cells = [
        "println!(\"mapped: {}\", std::fs::read_to_string(\"/proc/self/maps\")?.contains(\"libtorch_cuda.so\"));",
        "println!(\"{:?}\", device());",
        "Tensor::zeros([2], (Kind::Float, Device::Cuda(0)))",
    ];
    let notebook = folder.path().join("cuda.ipynb");
    let contents = json!({
        "cells": cells.map(cell),
        "metadata": { "kernelspec": { "name": "oxtorch", "display_name": "Rust (Oxtorch)", "language": "rust" } },
        "nbformat": 4,
        "nbformat_minor": 5
    });
    fs::write(&notebook, contents.to_string())?;
    let output = Command::new(OXTORCH)
        .arg("run")
        .arg(&notebook)
        .arg("--allow-errors")
        .env("LIBTORCH", torch)
        .env("LD_LIBRARY_PATH", folder.path())
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let ran: Value = serde_json::from_str(&fs::read_to_string(&notebook)?)?;
    let outputs = |cell: usize| ran["cells"][cell]["outputs"].to_string();
    for (cell, expected) in [(0, "mapped: true"), (1, "Cpu"), (2, "Found no NVIDIA driver")] {
        if !outputs(cell).contains(expected) {
            return Err(format!("no {expected:?} in {}\n{said}", outputs(cell)).into());
        }
    }
    Ok(())
}
