//! Runs the examples in the runtime's documentation as a reader would: each as a cell, those of one file in one
//! session. So it does with the examples of the methods of tensors, and it compiles what the tables of names say to
//! write.
//!
//! Cargo does not run the documentation tests of a library that is a `dylib` alone. Here they meet the kernel as well.

mod session;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use oxtorch_engine::names::{self, tensor_methods};

use session::Notebook;

/// One block of code in the documentation.
struct Example {
    /// Where it begins, counted from 1.
    line: usize,
    code: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/src");
    let mut trials: Vec<_> = sources(&root)
        .into_iter()
        .filter_map(|path| {
            let text = std::fs::read_to_string(&path).expect("a listed file can be read");
            let name = path.strip_prefix(&root).expect("a file below the root").display().to_string();
            let examples = examples(&text).unwrap_or_else(|complaint| panic!("{name}:{complaint}"));
            (!examples.is_empty()).then(|| Trial::test(name.clone(), move || run(&name, &examples)))
        })
        .collect();
    assert!(!trials.is_empty(), "no example below {}", root.display());
    trials.push(Trial::test("the methods of tensors", || run_cell(&methods_of_tensors())));
    trials.push(Trial::test("what is written for names of other libraries", || run_cell(&written_for_names())));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the runtime's sources are there") {
        let path = entry.expect("an entry of the folder").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The blocks of a file's documentation that are to be run, with the lines that the reader does not see.
fn examples(text: &str) -> Result<Vec<Example>, String> {
    let mut examples = Vec::new();
    let mut open: Option<(bool, Example)> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let Some(doc) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) else {
            if let Some((_, example)) = open {
                return Err(format!("{}: this block of code has no end", example.line));
            }
            continue;
        };
        let doc = doc.strip_prefix(' ').unwrap_or(doc);
        if let Some(language) = doc.trim_start().strip_prefix("```") {
            open = match open.take() {
                Some((true, example)) => {
                    examples.push(example);
                    None
                }
                Some((false, _)) => None,
                None => Some((is_run(language.trim()), Example { line: index + 1, code: String::new() })),
            };
        } else if let Some((_, example)) = &mut open {
            example.code += if doc.trim() == "#" { "" } else { doc.strip_prefix("# ").unwrap_or(doc) };
            example.code.push('\n');
        }
    }
    Ok(examples)
}

/// Whether rustdoc would run a block whose fence says that.
fn is_run(language: &str) -> bool {
    language.is_empty() || language == "rust"
}

fn run(name: &str, examples: &[Example]) -> Result<(), Failed> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let complaints: Vec<_> = tokio.block_on(async {
        let mut notebook = Notebook::start().await;
        let mut complaints = Vec::new();
        for Example { line, code } in examples {
            // Each example stands for itself, as its reader may begin with it.
            let reset = notebook.run(":reset").await.report();
            if let Some(report) = reset.or(notebook.run(code).await.report()) {
                complaints.push(format!("runtime/src/{name}:{line}\n{report}"));
            }
        }
        notebook.end().await;
        complaints
    });
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n\n").into()) }
}

/// All examples of methods of tensors, in one cell: a cell takes longer than an example.
fn methods_of_tensors() -> String {
    let examples = tensor_methods::all().iter().enumerate();
    let function = |(index, method): (usize, &tensor_methods::Method)| {
        format!("fn example_{index}() -> Result<()> {{\n{}\nOk(())\n}}\n", method.example)
    };
    let calls = tensor_methods::all()
        .iter()
        .enumerate()
        .map(|(index, method)| format!("example_{index}().context(\"{}\")?;\n", method.name));
    examples.map(function).chain(calls).collect()
}

/// What the tables of names say to write, each in a function that has their variables. Nobody calls these: functions
/// with a parameter of their own are checked and not compiled to the end.
fn written_for_names() -> String {
    let variables = || names::GIVEN.iter().flat_map(|(ty, variables)| variables.iter().map(move |name| (*name, *ty)));
    let fields: String = variables().map(|(name, ty)| format!("{name}: {ty}, ")).collect();
    let bindings: String = variables().map(|(name, _)| format!("mut {name}, ")).collect();
    let written = names::all().iter().filter_map(|entry| Some((entry.foreign.as_str(), entry.write.as_deref()?)));
    let more = "let loader = DataLoader::new(TensorDataset::new(&x, &y)?, 2);";
    let functions = written.enumerate().map(|(index, (foreign, code))| {
        format!(
            "// {foreign}\nfn entry_{index}<Unused>(given: Given) -> Result<()> {{ let Given {{ {bindings} }} = given; {more} \
             {code}; Ok(()) }}\n"
        )
    });
    format!(
        "#[allow(unused)]\nmod written {{\nuse oxtorch::prelude::*;\nstruct Given {{ {fields} }}\n{}}}\n",
        functions.collect::<String>()
    )
}

fn run_cell(code: &str) -> Result<(), Failed> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = tokio.block_on(async {
        let mut notebook = Notebook::start().await;
        let report = notebook.run(code).await.report();
        notebook.end().await;
        report
    });
    report.map_or(Ok(()), |report| Err(report.into()))
}
