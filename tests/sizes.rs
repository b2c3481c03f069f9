//! Large cells and long sessions.

mod session;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use oxtorch_engine::{Cache, NativeEngine};
use session::Notebook;

/// A program of many functions, statements and comments with that many lines.
fn long_cell(lines: usize) -> String {
    let mut cell = String::from("let mut total = 0u64;\nlet mut names: Vec<String> = Vec::new();\n");
    let mut number = 0;
    while cell.lines().count() + 8 <= lines {
        number += 1;
        let _ = write!(
            cell,
            "/// Step {number}: the string below holds a brace {{.\n\
             fn step_{number}(x: u64) -> u64 {{\n    let y = x + {number};\n    y % 7\n}}\n\
             total += step_{number}(total);\n\
             if total % 100 == {} {{ names.push(format!(\"{{total}} }}}} after {number}\")); }}\n",
            number % 100
        );
    }
    while cell.lines().count() < lines - 1 {
        cell.push_str("// filled up\n");
    }
    cell
}

#[tokio::test]
async fn a_cell_of_two_thousand_lines_runs_and_its_errors_stand_on_their_lines() {
    let mut notebook = Notebook::start().await;
    let shown = notebook.run(&format!("{}total > 0", long_cell(2000))).await;
    assert_eq!((shown.ending(), shown.text()), ("ok", Some("true")), "{:?}", shown.report());

    let shown = notebook.run("(step_1(0), step_250(0), names.len() < 250)").await;
    assert_eq!(shown.text(), Some("(1, 5, true)"), "{:?}", shown.report());

    let shown = notebook.run(&format!("{}total + undefined", long_cell(2000))).await;
    assert!(shown.report().is_some_and(|report| report.contains(":2000:9")), "{:?}", shown.report());
    notebook.end().await;
}

#[tokio::test]
async fn a_session_of_three_hundred_cells_remembers_its_first() {
    let mut notebook = Notebook::start().await;
    let shown =
        notebook.run("fn value_0() -> u64 { 1 }\nlet mut sum = 0u64;\nlet first = String::from(\"first\");").await;
    assert_eq!(shown.ending(), "ok", "{:?}", shown.report());
    for number in 1..=99 {
        // Of three cells one defines, one computes, one makes a variable; each leans on those before it.
        let before = number - 1;
        let shown = notebook.run(&format!("fn value_{number}() -> u64 {{ value_{before}() + 1 }}")).await;
        assert_eq!(shown.ending(), "ok", "{:?}", shown.report());
        let shown = notebook.run(&format!("sum += value_{number}();\nsum")).await;
        let expected = (2..=number + 1).sum::<u64>().to_string();
        assert_eq!(shown.text(), Some(expected.as_str()), "{:?}", shown.report());
        let shown = notebook.run(&format!("let part_{number} = vec![sum; {number}];")).await;
        assert_eq!(shown.ending(), "ok", "{:?}", shown.report());
    }
    let shown = notebook.run("(first.len(), part_1[0], part_99.len(), value_50())").await;
    assert_eq!(shown.text(), Some("(5, 2, 99, 51)"), "{:?}", shown.report());

    // The first function again: all that lean on it follow.
    let shown = notebook.run("fn value_0() -> u64 { 1001 }\nvalue_99()").await;
    assert_eq!(shown.text(), Some("1100"), "{:?}", shown.report());
    notebook.end().await;
}

#[tokio::test]
async fn a_cell_that_trains_a_network_compiles_nothing_of_the_maps_below_its_store_and_optimizer() {
    let scratch = session::home().scratch(|_| ()).expect("a folder for the session's cells");
    let mut notebook = notebook_in(scratch.path()).await;
    let shown = notebook
        .run(
            "fn train(images: &Tensor) -> f64 {
                let vs = nn::VarStore::new(Device::Cpu);
                let conv = nn::conv2d(vs.root() / \"conv\", 1, 2, 3, Default::default());
                let scores = nn::linear(&vs.root() / \"scores\", 2, 1, Default::default());
                let mut optimizer = nn::AdamW::default().build(&vs, 1e-2).unwrap();
                let loss = images.apply(&conv).view([-1, 2]).apply(&scores).square().mean(Kind::Float);
                optimizer.backward_step(&loss);
                loss.double_value(&[])
            }
            train(&Tensor::ones([1, 1, 8, 8], (Kind::Float, Device::Cpu))).is_finite()",
        )
        .await;
    assert_eq!(shown.text(), Some("true"), "{:?}", shown.report());
    // As they stand in the names of functions.
    for map in ["btree", "RawTable"] {
        assert_eq!(cells_with(map, scratch.path()), 0, "cells have code of {map}");
    }
    notebook.end().await;
}

#[tokio::test]
async fn cells_take_the_functions_of_tensors_that_are_compiled_with_the_runtime() {
    // Part of what an error of `tch` looks like, which each function that may fail has if a cell compiles it.
    const PART: &str = "TensorNameNotFound";
    let calls = [
        "Tensor::zeros([2, 3], (Kind::Float, Device::Cpu))",
        "Tensor::randn(&[2, 3], (Kind::Float, Device::Cpu))",
        "Tensor::from_slice(&[1.0_f32, 2.0])",
        "x * 2.0 + 1 - x / 3.0",
        "x.sum(Kind::Float) / x.mean(None::<Kind>)",
        "x.softmax(-1, Kind::Float).sum_dim_intlist(-1, true, Kind::Float)",
        "x.argmax(-1, false).eq(1)",
        "x.view([-1, 1]).reshape([1, -1])",
        "x.i((.., 0)) + x.i(0..1)",
        "Tensor::cat(&[x, x], 0).clamp(0.0, 1.0)",
    ];
    let scratch = session::home().scratch(|_| ()).expect("a folder for the session's cells");
    let mut notebook = notebook_in(scratch.path()).await;
    for (number, call) in calls.iter().enumerate() {
        // A function is optimised, and statements alone are not.
        let optimised = format!("fn call_{number}(x: &Tensor) -> Tensor {{ {call} }}");
        let plain = format!("let x = &Tensor::ones([2, 2], (Kind::Float, Device::Cpu));\nlet y = {call};\ny.numel()");
        for cell in [optimised, plain] {
            let shown = notebook.run(&cell).await;
            assert_eq!(shown.ending(), "ok", "{:?}", shown.report());
            assert_eq!(cells_with(PART, scratch.path()), 0, "rustc compiled an error's parts for {cell}");
        }
    }
    let shown = notebook.run("Tensor::f_zeros([2, 3], (Kind::Float, Device::Cpu)).unwrap().numel()").await;
    assert_eq!(shown.text(), Some("6"), "{:?}", shown.report());
    assert_eq!(cells_with(PART, scratch.path()), 1, "a cell that asks for the error has it");
    notebook.end().await;
}

/// A session that keeps its cells in a folder.
async fn notebook_in(folder: &Path) -> Notebook {
    let cache = Cache::from_environment(session::home().cache());
    let engine = NativeEngine::start(session::runtime(), folder.to_owned(), cache).await;
    Notebook::on(engine.expect("the engine starts with a fresh host"))
}

/// How many of the compiled cells in a folder have a text in them.
fn cells_with(text: &str, folder: &Path) -> usize {
    let files = fs::read_dir(folder).expect("the folder of the cells").flatten().map(|entry| entry.path());
    let libraries: Vec<_> = files.filter(|file| file.extension().is_some_and(|ending| ending == "so")).collect();
    assert!(!libraries.is_empty(), "cells are compiled to libraries");
    let has_it = |library: &&PathBuf| {
        let contents = fs::read(library).expect("the library can be read");
        contents.windows(text.len()).any(|bytes| bytes == text.as_bytes())
    };
    libraries.iter().filter(has_it).count()
}
