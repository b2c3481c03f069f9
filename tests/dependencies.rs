//! What `:dep` makes of crates from the registry, from folders and from git repositories.
//!
//! The crates that these tests write lie in fixed places, so that a home which serves many runs does not grow with
//! each.

mod session;

use std::path::{Path, PathBuf};
use std::process::Command;

use oxtorch_protocol::Display;
use oxtorch_session::Engine as _;
use session::{Notebook, Shown};

/// Runs a test on a runtime with a thread for builds beside the one that waits.
fn in_session<F: Future<Output = ()>>(test: impl FnOnce(Notebook) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a tokio runtime").block_on(async { test(Notebook::start().await).await });
}

/// Runs a cell that has to end well and returns its result, or nothing.
async fn result(notebook: &mut Notebook, code: &str) -> String {
    let shown = notebook.run(code).await;
    assert_eq!(shown.ending(), "ok", "{code}\n{}{}", shown.stderr, shown.report().unwrap_or_default());
    shown.text().unwrap_or_default().to_owned()
}

/// Runs a cell whose `:dep` has to be refused and returns the report.
async fn refused(notebook: &mut Notebook, code: &str) -> String {
    let shown = notebook.run(code).await;
    assert_eq!(shown.ending(), "DependencyError", "{code}\n{shown:?}");
    shown.report().unwrap_or_default()
}

/// Checks that a report says something, wherever its lines are broken.
fn check(text: &str, part: &str) {
    let in_one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(in_one_line.contains(part), "`{part}` is not in:\n{text}");
}

/// A crate of one file in a folder that is the same for each run of the tests.
struct Krate {
    folder: PathBuf,
}

impl Krate {
    /// `rest` is what the manifest has beside the name.
    fn new(test: &str, name: &str, rest: &str, code: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dependencies").join(test).join(name);
        std::fs::create_dir_all(folder.join("src")).expect("creates the folder of a crate");
        let manifest =
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}\n[workspace]\n");
        std::fs::write(folder.join("Cargo.toml"), manifest).expect("writes a manifest");
        let krate = Self { folder };
        krate.write(code);
        krate
    }

    fn write(&self, code: &str) {
        std::fs::write(self.folder.join("src/lib.rs"), code).expect("writes a source");
    }

    /// The line that asks for it.
    fn dep(&self) -> String {
        let name = self.folder.file_name().expect("has a name").display();
        format!(":dep {name} = {{ path = {:?} }}", self.folder)
    }
}

#[test]
fn crates_of_the_registry_are_used_like_in_any_program() {
    in_session(|mut notebook| async move {
        let code = r#":dep serde = { version = "1", features = ["derive"] }
:dep js = { package = "serde_json", version = "1" }
:dep regex-lite = "0.1"
use serde::{Deserialize, Serialize};
#[derive(Serialize, Deserialize, Debug, Clone)]
struct Point { x: i32 }
let point = Point { x: 3 };
let pattern = regex_lite::Regex::new("a+")?;"#;
        result(&mut notebook, code).await;
        // Variables of the crates' types stay, also under another name than the crate's own.
        let code = r#"let value: js::Value = js::to_value(&point)?; pattern.find("baab").map(|found| found.range())"#;
        assert_eq!(result(&mut notebook, code).await, "Some(1..3)");
        let code = "fn show<T: Serialize>(value: &T) -> String { js::to_string(value).unwrap() }\nshow(&value)";
        assert_eq!(result(&mut notebook, code).await, r#""{\"x\":3}""#);
        let code = "mod inner { #[derive(serde::Serialize)] pub struct Unit; }\nshow(&inner::Unit)";
        assert_eq!(result(&mut notebook, code).await, r#""null""#);
        // The impl takes the struct, its derived impls and its users along to another crate.
        result(&mut notebook, "impl Point { fn double(&self) -> i32 { 2 * self.x } }").await;
        assert_eq!(result(&mut notebook, "point.double() + show(&point).len() as i32").await, "13");
        // A name of the user's may be that of a crate.
        let code = ":dep itoa\nlet itoa = 25;\nitoa::Buffer::new().format(itoa).len()";
        assert_eq!(result(&mut notebook, code).await, "2");
        assert_eq!(result(&mut notebook, "itoa + pattern.as_str().len() as i32").await, "27");
        notebook.end().await;
    });
    // Another session finds everything done, and says nothing.
    in_session(|mut notebook| async move {
        let shown = notebook.run(":dep regex-lite = \"0.1\"\nregex_lite::escape(\".\")").await;
        assert_eq!(shown.text(), Some(r#""\\.""#), "{shown:?}");
        let shown = notebook.run(":dep regex-lite = \"0.1\"").await;
        assert_eq!((shown.ending(), shown.notes.as_str(), shown.stderr.as_str()), ("ok", "", ""));
        notebook.end().await;
    });
}

#[test]
fn a_crate_that_cells_do_not_see_in_the_runtime_is_one_of_their_own() {
    in_session(|mut notebook| async move {
        // One is below the tokenizers, one below the host's allocator, and the code of the runtime names neither.
        let code =
            ":dep aho-corasick = \"1\"\n:dep cty = \"0.2\"\nlet finder = aho_corasick::AhoCorasick::new([\"b\"])?;";
        result(&mut notebook, code).await;
        let code = "(finder.find(\"abc\").map(|found| found.start()), cty::c_int::MAX)";
        assert_eq!(result(&mut notebook, code).await, "(Some(1), 2147483647)");
        notebook.end().await;
    });
}

#[test]
fn a_crate_that_builds_on_tch_has_the_tensors_of_the_cells() {
    let on_tch = Krate::new(
        "tensors",
        "on-tch",
        "[dependencies]\ntch = \"0.26\"",
        "pub fn double(x: &tch::Tensor) -> tch::Tensor { x * 2 }",
    );
    in_session(|mut notebook| async move {
        let code = format!("{}\nf64::try_from(on_tch::double(&Tensor::from(1.5)))?", on_tch.dep());
        assert_eq!(result(&mut notebook, &code).await, "3.0");
        notebook.end().await;
    });
    // The shim is compiled once, as a shared library: nobody has compiled it as a static one.
    let target = session::runtime().recipe.release().join("build");
    let scripts = std::fs::read_dir(target).into_iter().flatten().flatten();
    let rebuilt = scripts.filter(|entry| entry.path().join("out/libtch.a").exists()).count();
    assert_eq!(rebuilt, 0);
}

#[test]
fn a_folder_is_built_again_when_it_has_changed() {
    let changing = Krate::new("changes", "changing", "", "pub fn value() -> i32 { 1 }");
    in_session(|mut notebook| async move {
        // As long as no cell has used it, the new code takes the place of the old.
        result(&mut notebook, &changing.dep()).await;
        changing.write("pub fn value() -> i32 { 2 }");
        assert_eq!(result(&mut notebook, &format!("{}\nchanging::value()", changing.dep())).await, "2");
        assert_eq!(result(&mut notebook, &format!("{}\nchanging::value() + 1", changing.dep())).await, "3");
        changing.write("pub fn value() -> i32 { 5 }");
        let report = refused(&mut notebook, &changing.dep()).await;
        check(&report, "`changing` is in use, and its code has changed since");
        check(&report, "restart the kernel");
        assert_eq!(result(&mut notebook, "changing::value()").await, "2");
        notebook.end().await;

        let mut notebook = Notebook::start().await;
        assert_eq!(result(&mut notebook, &format!("{}\nchanging::value()", changing.dep())).await, "5");
        notebook.end().await;
    });
}

#[test]
fn a_later_dep_shares_what_is_in_use_or_stands_apart() {
    let test = "sharing";
    let base = Krate::new(
        test,
        "base",
        "[features]\nmore = []",
        "#[derive(Debug)] pub struct Base(pub bool); pub const MORE: bool = cfg!(feature = \"more\");",
    );
    let on_base = |name: &str, features: &str| {
        let rest = format!("[dependencies]\nbase = {{ path = {:?}, features = [{features}] }}", base.folder);
        Krate::new(
            test,
            name,
            &rest,
            "pub use base::MORE; pub fn make() -> base::Base { base::Base(MORE) } pub fn take(base: base::Base) -> bool { base.0 }",
        )
    };
    let (plain, same, more) = (on_base("plain", ""), on_base("same", ""), on_base("more", "\"more\""));
    in_session(|mut notebook| async move {
        result(&mut notebook, &format!("{}\nlet kept = plain::make();", plain.dep())).await;
        // `kept` is of a type of `base`, which nobody has named; it stays all the same. The same build of `base`: the
        // same type.
        assert_eq!(result(&mut notebook, &format!("{}\nsame::take(plain::make())", same.dep())).await, "false");
        assert_eq!(result(&mut notebook, "plain::take(kept)").await, "false");
        // `base` with another feature, which nobody has named: a copy beside the first.
        assert_eq!(
            result(&mut notebook, &format!("{}\n(plain::MORE, same::MORE, more::MORE)", more.dep())).await,
            "(false, false, true)"
        );
        notebook.end().await;

        let mut notebook = Notebook::start().await;
        assert_eq!(result(&mut notebook, &format!("{}\nbase::MORE", base.dep())).await, "false");
        // Now the user has named it, and would take the one for the other.
        let report = refused(&mut notebook, &more.dep()).await;
        check(&report, "`base` 0.1.0 is in use, and this cell needs it with other features");
        check(&report, "put all `:dep` lines into one cell at the top");
        notebook.end().await;

        let mut notebook = Notebook::start().await;
        let code = format!("{}\n{}\n(base::MORE, more::take(base::Base(true)))", base.dep(), more.dep());
        assert_eq!(result(&mut notebook, &code).await, "(true, true)");
        notebook.end().await;
    });
}

#[test]
fn another_build_of_a_crate_that_cells_have_is_told() {
    in_session(|mut notebook| async move {
        assert_eq!(result(&mut notebook, "rand::random::<bool>() as u8 <= 1").await, "true");
        // As the runtime has it: the very same.
        let shown = notebook.run(":dep anyhow\nlet error: anyhow::Error = ::oxtorch::anyhow::anyhow!(\"x\");").await;
        assert_eq!((shown.ending(), shown.notes.as_str()), ("ok", ""), "{shown:?}");
        notebook.end().await;

        let mut notebook = Notebook::start().await;
        let code = ":dep anyhow = { version = \"1\", features = [\"backtrace\"] }\nlet error: ::anyhow::Error = anyhow::anyhow!(\"x\");";
        let shown = notebook.run(code).await;
        assert_eq!(shown.ending(), "ok", "{shown:?}");
        check(&shown.notes, "this `anyhow`");
        check(&shown.notes, "is not the one that cells have from the start");
        check(&shown.notes, "with other features: values of one do not fit the other");
        notebook.end().await;
    });
}

#[test]
fn a_git_repository_is_taken_at_the_commit_asked_for() {
    let krate = Krate::new("git", "in-git", "", "pub const VALUE: i32 = 1;");
    let folder = &krate.folder;
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main"];
        let output = Command::new("git").current_dir(folder).args(identity).args(arguments).output().expect("git runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let _ = std::fs::remove_dir_all(folder.join(".git"));
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "One"]);
    git(&["tag", "one"]);
    krate.write("pub const VALUE: i32 = 2;");
    git(&["commit", "--quiet", "-a", "-m", "Two"]);
    let second = git(&["rev-parse", "HEAD"]);
    let dep =
        |which: &str| format!(":dep in-git = {{ git = \"file://{}\", {which} }}\nin_git::VALUE", folder.display());
    in_session(|mut notebook| async move {
        assert_eq!(result(&mut notebook, &dep("tag = \"one\"")).await, "1");
        notebook.end().await;
        let mut notebook = Notebook::start().await;
        assert_eq!(result(&mut notebook, &dep(&format!("rev = \"{second}\""))).await, "2");
        notebook.end().await;
    });
}

#[test]
fn what_cannot_be_had_is_told_plainly() {
    let broken = Krate::new("errors", "broken", "", "pub fn f() -> i32 { missing }");
    in_session(|mut notebook| async move {
        let report = refused(&mut notebook, &broken.dep()).await;
        check(&report, "`broken` could not be built");
        check(&report, "cannot find value `missing` in this scope");
        check(&refused(&mut notebook, ":dep itoa = \"99\"").await, "candidate versions found which didn't match");
        let report = refused(&mut notebook, ":dep itoa = { version = \"1\", features = [\"nope\"] }").await;
        check(&report, "this notebook depends on `itoa` with feature `nope`");
        check(&refused(&mut notebook, ":dep oxtorch-has-no-such-crate").await, "no matching package named");
        check(&refused(&mut notebook, ":dep itoa = ").await, "it looks like `:dep serde");
        check(&refused(&mut notebook, ":dep tch = \"0.20\"").await, "another version of `tch`");
        // None of it stays, and the code below a `:dep` that failed does not run.
        assert_eq!(result(&mut notebook, ":dep itoa\nitoa::Buffer::new().format(7).len()").await, "1");
        notebook.end().await;
    });
}

#[test]
fn a_build_is_interrupted() {
    let endless = Krate::new("endless", "endless", "build = \"build.rs\"", "");
    std::fs::write(endless.folder.join("build.rs"), "fn main() { loop { std::thread::park() } }").expect("writes");
    in_session(|mut notebook| async move {
        let interrupter = notebook.engine.interrupter();
        let mut asked = false;
        let watch = |shown: &Shown| {
            let building = |display: &Display| session::plain(display).contains("Compiling endless");
            if !asked && shown.displays.iter().any(building) {
                asked = true;
                interrupter.interrupt();
            }
        };
        let shown = notebook.run_with(&endless.dep(), vec![], watch).await;
        assert_eq!(shown.ending(), "KeyboardInterrupt", "{shown:?}");
        // Cargo is gone as well: it would hold the build folder, and this would wait for it.
        let after = Krate::new("endless", "after", "", "pub const VALUE: i32 = 1;");
        assert_eq!(result(&mut notebook, &format!("{}\nafter::VALUE", after.dep())).await, "1");
        notebook.end().await;
    });
}

#[test]
fn without_a_network_what_is_there_still_works() {
    let local = Krate::new(
        "offline",
        "local",
        "[dependencies]\nitoa = \"1\"",
        "pub fn len(x: i32) -> usize { itoa::Buffer::new().format(x).len() }",
    );
    let code = "use regex_lite as re;\nre::escape(\".\")";
    in_session(|mut notebook| async move {
        // The network is needed for this once.
        result(&mut notebook, &format!(":dep regex-lite = \"0.1\"\n{code}")).await;
        notebook.end().await;
    });
    let cells = [
        format!(":dep regex-lite = \"0.1\"\n{code}"),
        format!("{}\nlocal::len(1234)", local.dep()),
        ":dep oxtorch-has-no-such-crate".to_owned(),
    ];
    let path = local.folder.join("offline.ipynb");
    let cells: Vec<_> = cells
        .iter()
        .enumerate()
        .map(|(number, code)| {
            serde_json::json!({"cell_type": "code", "id": format!("cell-{number}"), "metadata": {},
                "execution_count": null, "outputs": [], "source": code})
        })
        .collect();
    let notebook = serde_json::json!({"nbformat": 4, "nbformat_minor": 5, "cells": cells,
        "metadata": {"kernelspec": {"name": "oxtorch", "display_name": "Rust (Oxtorch)", "language": "rust"}}});
    std::fs::write(&path, notebook.to_string()).expect("writes a notebook");
    // Nobody listens at this address, so nothing is reached through it.
    let output = Command::new(env!("CARGO_BIN_EXE_oxtorch"))
        .args(["run", "--allow-errors"])
        .arg(&path)
        .env("CARGO_HTTP_PROXY", "http://127.0.0.1:9")
        .env("CARGO_NET_RETRY", "0")
        .output()
        .expect("oxtorch runs");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(&path).expect("is written");
    let executed: serde_json::Value = serde_json::from_str(&text).expect("is a notebook");
    let outputs = |cell: usize| executed["cells"][cell]["outputs"].to_string();
    check(&outputs(0), r#"\\\\."#);
    check(&outputs(1), "\"4\"");
    check(&outputs(2), "DependencyError");
    check(&outputs(2), "there is no network");
}

#[test]
fn cells_call_what_a_static_c_library_has() {
    let manifest = "links = \"halves\"\n[build-dependencies]\ncc = \"1\"";
    let code = r#"
unsafe extern "C" { fn half(number: i32) -> i32; }
#[inline] pub fn half_of(number: i32) -> i32 { unsafe { half(number) } }
pub mod sys { unsafe extern "C" { pub safe fn quarter(number: i32) -> i32; pub static quarters: i32; } }"#;
    let halves = Krate::new("static", "halves", manifest, code);
    let write = |name: &str, text: &str| std::fs::write(halves.folder.join(name), text).expect("writes a source");
    // Hidden as some crates hide theirs; no Rust code of the crate calls `quarter`.
    let build = "fn main() { cc::Build::new().flag(\"-fvisibility=hidden\").file(\"half.c\").file(\"quarter.c\").compile(\"halves\"); }";
    write("build.rs", build);
    write("half.c", "int half(int number) { return number / 2; }\n");
    write("quarter.c", "int quarters = 4;\nint quarter(int number) { return number / quarters; }\n");
    in_session(|mut notebook| async move {
        result(&mut notebook, &halves.dep()).await;
        assert_eq!(result(&mut notebook, "halves::half_of(10)").await, "5");
        assert_eq!(result(&mut notebook, "halves::sys::quarter(8) + unsafe { halves::sys::quarters }").await, "6");
        notebook.end().await;
    });
}

#[test]
fn a_crate_that_asks_for_the_zip_of_tch_writes_and_reads_archives() {
    let code = r#"
use std::io::{Cursor, Read, Write};
pub fn through_an_archive(text: &str) -> zip::result::ZipResult<String> {
    let mut writer = zip::ZipWriter::new(Cursor::new(vec![]));
    writer.start_file("a.txt", zip::write::FileOptions::default())?;
    writer.write_all(text.as_bytes())?;
    let mut archive = zip::ZipArchive::new(writer.finish()?)?;
    let mut read = String::new();
    archive.by_index(0)?.read_to_string(&mut read)?;
    Ok(read)
}"#;
    let archives = Krate::new("zip", "archives", "[dependencies]\nzip = \"0.6\"", code);
    in_session(|mut notebook| async move {
        result(&mut notebook, &archives.dep()).await;
        assert_eq!(result(&mut notebook, "archives::through_an_archive(\"hello\")?").await, "\"hello\"");
        notebook.end().await;
    });
}

#[test]
fn what_crates_of_the_network_call_tokio_is_what_cells_do() {
    // A feature below tokio that the runtime has not asked for: these crates get a tokio of their own.
    let manifest = "[dependencies]\ntokio = { version = \"1\", features = [\"net\", \"rt\", \"io-util\", \"parking_lot\"] }\n\
                    smallvec = { version = \"1\", features = [\"const_generics\"] }";
    let code = r#"
use tokio::io::AsyncWriteExt;
pub async fn greet(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    let (mut stream, _) = listener.accept().await?;
    stream.write_all(b"hello").await
}"#;
    let greeter = Krate::new("network", "greeter", manifest, code);
    in_session(|mut notebook| async move {
        let before = "let before = tokio::spawn(async { 1 }).await?; before";
        assert_eq!(result(&mut notebook, before).await, "1");
        let shown = notebook.run(&greeter.dep()).await;
        assert_eq!(shown.ending(), "ok", "{:?}", shown.report());
        check(&shown.notes, "`tokio` is this one from now on");
        let code = "use tokio::{io::AsyncReadExt, net::{TcpListener, TcpStream}};
let listener = TcpListener::bind(\"127.0.0.1:0\").await?;
let address = listener.local_addr()?;
let task = tokio::spawn(greeter::greet(listener));";
        result(&mut notebook, code).await;
        let code = "let mut text = String::new();
TcpStream::connect(address).await?.read_to_string(&mut text).await?;
task.await??;
text";
        assert_eq!(result(&mut notebook, code).await, "\"hello\"");
        notebook.end().await;
    });
}
