//! A PyTorch of another version in the active Python is what cells run against, seen with the real wheel.
//!
//! The wheel is 0.5 GB to download and 1.2 GB on disk, so it is only tried when it is asked for:
//!
//!     OXTORCH_NEAR=2.15.0 cargo test --release --test near -- --ignored --nocapture

#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

const OXTORCH: &str = env!("CARGO_BIN_EXE_oxtorch");
const QUICKSTART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../notebooks/quickstart.ipynb");

/// The version that `tch` goes with: nothing has to be made to fit.
const EXACT: &str = "2.13.0";

/// What a correct run of the quickstart reaches at least.
const ACCURACY: f64 = 0.97;

/// Calls of functions that some versions lack.
const CALLS: [(&str, &str); 2] = [
    ("cholesky", "Tensor::eye(2, (Kind::Float, Device::Cpu)).cholesky(false)"),
    (
        "internal_upsample_lanczos2d_aa",
        "Tensor::ones([1, 1, 4, 4], (Kind::Float, Device::Cpu)).internal_upsample_lanczos2d_aa([8, 8], false, None, None)",
    ),
];

/// Runs a command to its end and gives what it printed.
#[track_caller]
fn output(command: &mut Command) -> String {
    let output = command.output().expect("can be run");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned() + &said
}

/// An environment with torch of a version, and of what it depends on only what it is linked with.
fn environment(folder: &Path, version: &str) -> PathBuf {
    let pip = |packages: &[&str]| {
        let mut pip = Command::new(folder.join("bin/python3"));
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--no-cache-dir"]).args(packages);
        output(pip.env("TMPDIR", folder));
    };
    output(Command::new("python3").args(["-m", "venv"]).arg(folder));
    pip(&[&format!("torch=={version}")]);
    let mut python = Command::new(folder.join("bin/python3"));
    let torch =
        output(python.args([
            "-c",
            "import importlib.util as util; print(util.find_spec('torch').submodule_search_locations[0])",
        ]));
    let text = fs::read_to_string(Path::new(torch.trim()).join("version.py")).expect("a wheel says its version");
    let cuda = text.lines().find_map(|line| line.strip_prefix("cuda").and_then(|rest| rest.split('\'').nth(1)));
    if let Some(cuda) = cuda {
        pip(&["nvidia-cuda-runtime", "nvidia-cuda-cupti"]
            .map(|name| format!("{name}=={cuda}.*"))
            .each_ref()
            .map(|p| &**p));
    }
    PathBuf::from(torch.trim())
}

fn oxtorch(environment: &Path, home: &Path, arguments: &[&str]) -> Command {
    let mut oxtorch = Command::new(OXTORCH);
    oxtorch.args(arguments).env("OXTORCH_HOME", home).env("VIRTUAL_ENV", environment).env_remove("LIBTORCH");
    oxtorch
}

/// What the cells of an executed notebook put out.
fn outputs(notebook: &Path) -> Vec<Value> {
    let text = fs::read_to_string(notebook).expect("was written");
    let notebook: Value = serde_json::from_str(&text).expect("is JSON");
    let cells = notebook["cells"].as_array().expect("has cells").clone();
    cells.iter().flat_map(|cell| cell["outputs"].as_array().cloned().unwrap_or_default()).collect()
}

/// The text of an output, which is a string or a list of its lines.
fn text(value: &Value) -> String {
    match value {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().unwrap_or_default().to_owned(),
    }
}

#[test]
#[ignore = "downloads a PyTorch wheel: OXTORCH_NEAR=2.15.0 says which"]
fn the_quickstart_runs_against_the_torch_that_is_there() {
    let version = std::env::var("OXTORCH_NEAR").expect("OXTORCH_NEAR says which version of torch to try");
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    let (venv, home) = (folder.path().join("venv"), folder.path().join("home"));
    let torch = environment(&venv, &version);

    let started = Instant::now();
    let said = output(&mut oxtorch(&venv, &home, &["setup"]));
    eprintln!("set up in {:.0} s", started.elapsed().as_secs_f64());
    let step = match version.as_str() {
        EXACT => "Compiling the C++ shim".to_owned(),
        near => format!("Fitting the C++ shim to torch {near}"),
    };
    assert!(said.contains(&step), "{said}");
    assert!(!said.contains("Getting libtorch") && !home.join("libtorch").exists(), "{said}");

    let doctor = output(&mut oxtorch(&venv, &home, &["doctor"]));
    eprintln!("{doctor}");
    assert!(doctor.contains(&format!("{version} in {}", torch.display())), "{doctor}");

    let executed = folder.path().join("executed.ipynb");
    let executed_name = executed.to_str().expect("is text");
    output(&mut oxtorch(&venv, &home, &["run", QUICKSTART, "-o", executed_name]));
    let accuracy = outputs(&executed).iter().find_map(|output| {
        let line =
            text(&output["text"]).lines().find_map(|line| Some(line.split_once("held-back digits: ")?.1.to_owned()));
        line?.trim().parse::<f64>().ok()
    });
    eprintln!("accuracy: {accuracy:?}");
    assert!(accuracy.expect("the quickstart prints it") >= ACCURACY);

    let call = CALLS.iter().find(|(name, _)| {
        doctor.lines().any(|line| line.starts_with("- functions") && line.contains(&format!("{name},")))
    });
    let Some((name, call)) = call else {
        eprintln!("none of the functions that this test knows is lacking");
        return;
    };
    let cell = |id: &str, source: &str| json!({"cell_type": "code", "id": id, "metadata": {"tags": ["raises-exception"]}, "execution_count": null, "outputs": [], "source": source});
    let notebook = json!({
        "cells": [cell("lacks", call), cell("goes-on", "Tensor::from_slice(&[1, 2]).sum(Kind::Int64)")],
        "metadata": {"kernelspec": {"name": "oxtorch", "display_name": "Rust", "language": "rust"}},
        "nbformat": 4, "nbformat_minor": 5
    });
    let lacking = folder.path().join("lacking.ipynb");
    fs::write(&lacking, notebook.to_string()).expect("writes");
    output(&mut oxtorch(&venv, &home, &["run", lacking.to_str().expect("is text")]));
    let outputs = outputs(&lacking);
    let error = outputs[0]["evalue"].as_str().unwrap_or_default();
    eprintln!("{error}");
    assert!(error.starts_with(&format!("`{name}` is not in torch {version}")), "{outputs:?}");
    assert!(text(&outputs[1]["data"]["text/plain"]).contains("tensor(3)"), "{outputs:?}");
}
