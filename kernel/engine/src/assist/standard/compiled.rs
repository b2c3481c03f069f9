//! The table is of the compiler in use: whatever it offers, that compiler takes.

use std::process::Command;

use serde_json::Value;

use super::{NAMES, find, member};

/// What rustc says of a name that is there, where it is not told enough to use it.
const HARMLESS: [&str; 6] = ["E0034", "E0282", "E0283", "E0284", "E0533", "E0790"];

/// The paths of all names in modules, and those of the members of types.
fn paths() -> (Vec<String>, Vec<String>) {
    let (mut in_modules, mut of_types) = (Vec::new(), Vec::new());
    let mut module = "std";
    for block in NAMES.split("\n\n") {
        let (head, lines) = block.split_once('\n').unwrap_or((block, ""));
        let head = head.trim_end_matches(']');
        if let Some(path) = head.strip_prefix("[mod ") {
            module = path;
            let names = lines.lines().filter_map(member).map(|found| found.name);
            in_modules.extend(names.map(|name| format!("{module}::{}", name.trim_end_matches('!'))));
        } else if let Some(head) = head.strip_prefix("[type ") {
            let names = head.split(": ").next().unwrap_or(head).split('<').next().unwrap_or(head);
            for name in names.split(' ') {
                let ty = find(name).unwrap_or_else(|| panic!("{name} is found"));
                let path = match name {
                    "slice" => "<[_]>".to_owned(),
                    "array" => "<[_; 2]>".to_owned(),
                    _ if module == "std" => name.to_owned(),
                    _ => format!("{module}::{}", name.rsplit("::").next().unwrap_or(name)),
                };
                of_types.extend(ty.members().map(|found| format!("{path}::{}", found.name)));
            }
        }
    }
    (in_modules, of_types)
}

#[test]
fn the_compiler_takes_every_name() {
    let (in_modules, of_types) = paths();
    assert!(in_modules.len() > 800 && of_types.len() > 3000, "{} and {}", in_modules.len(), of_types.len());
    let imports = in_modules.iter().enumerate().map(|(at, path)| format!("mod m{at} {{ pub use {path} as it; }}\n"));
    let uses = of_types.iter().enumerate().map(|(at, path)| format!("fn f{at}() {{ let _ = {path}; }}\n"));
    let code: String = ["#![allow(warnings)]\n".to_owned()].into_iter().chain(imports).chain(uses).collect();

    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("names.rs");
    std::fs::write(&file, &code).expect("writes");
    let rustc = Command::new("rustc")
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--error-format=json", "--out-dir"])
        .args([folder.path(), &file])
        .output()
        .expect("runs");
    let messages = String::from_utf8(rustc.stderr).expect("JSON is text");
    let wrong = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).filter(|message| {
        let code = message["code"]["code"].as_str();
        message["level"] == "error"
            && code.is_none_or(|code| !HARMLESS.contains(&code))
            && !message["spans"][0].is_null()
    });
    let line = |message: &Value| {
        let at = message["spans"][0]["line_start"].as_u64().unwrap_or_default();
        let line = usize::try_from(at).ok().and_then(|at| code.lines().nth(at.checked_sub(1)?));
        format!("{}: {}", line.unwrap_or_default(), message["message"])
    };
    assert_eq!(wrong.map(|message| line(&message)).collect::<Vec<_>>(), Vec::<String>::new());
}
