//! The runtime as a dependency of a session's: the built library for the compiler, its sources for rust-analyzer, which
//! evcxr asks for the types of variables. So nothing is built, and cells of both engines run the very same library.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use oxtorch_setup::{self, Runtime, SetupError};
use oxtorch_system::home::{Home, HomeError};
use oxtorch_system::terminal::say;
use ra_ap_rustc_lexer::TokenKind;

use crate::plan::prelude::exports_of_runtime;
use crate::source::words::tokens;

/// Where the package lies, in the home.
const KIND: &str = "evcxr";

/// The package that cells see. cargo leaves the sources out where the built library takes their place; rust-analyzer
/// asks cargo without these flags.
const MANIFEST: &str = r#"[package]
name = "oxtorch"
version = "0.0.0"
edition = "2024"

[lib]
path = "lib.rs"

[target.'cfg(not(oxtorch_built))'.dependencies]
oxtorch_sources = { package = "oxtorch", path = "../sources/runtime" }

[lints.rust]
unexpected_cfgs = "allow"

[workspace]
"#;
const LIBRARY: &str = "\
#[cfg(oxtorch_built)]
pub use oxtorch_built::*;
#[cfg(not(oxtorch_built))]
pub use oxtorch_sources::*;
";

/// How long another session may take to lay it out.
const PATIENCE: Duration = Duration::from_secs(60);

/// The runtime of one home, laid out for evcxr.
#[derive(Debug)]
pub struct Dependency {
    folder: PathBuf,
    flags: String,
}

impl Dependency {
    /// Lays the package out, where it is not there yet.
    pub fn lay_out(home: &Home, runtime: &Runtime) -> Result<Self, SetupError> {
        let home = home.own();
        let folder = home.place(KIND, &oxtorch_setup::key_of(&[&runtime.key, MANIFEST, LIBRARY]));
        if !folder.exists() {
            let _lock = home.lock(KIND, PATIENCE, |file| {
                say(format_args!("waiting for another oxtorch, which holds {}", file.display()))
            })?;
            let work = home.unfinished()?;
            let finished = work.path().join("package");
            let written = (|| {
                oxtorch_setup::write_sources(&finished.join("sources"))?;
                let package = finished.join("oxtorch");
                fs::create_dir_all(&package)?;
                fs::write(package.join("Cargo.toml"), MANIFEST)?;
                fs::write(package.join("lib.rs"), LIBRARY)
            })();
            written.map_err(|source| HomeError::Io { action: "write", path: folder.clone(), source })?;
            home.finish(&finished, &folder)?;
        }
        Ok(Self { folder, flags: flags(runtime) })
    }

    /// rustc's flags, as `CARGO_ENCODED_RUSTFLAGS` takes them.
    pub fn flags(&self) -> &str {
        &self.flags
    }

    /// The versions of the crates in the sources, for cargo's resolution to keep to.
    pub fn lock_file(&self) -> PathBuf {
        self.folder.join("sources/Cargo.lock")
    }

    /// The cell that puts the runtime in scope.
    pub fn cell(&self) -> String {
        let path = toml_edit::Value::from(self.folder.join("oxtorch").display().to_string());
        format!(
            ":dep oxtorch = {{ path = {} }}\nuse oxtorch::prelude::*;\nuse oxtorch::evcxr::EvcxrDisplay;",
            path.to_string().trim()
        )
    }

    /// Whether a cell names anything of the runtime. Cells that name it late lose the variables of their own types, so
    /// a variable with the name of a module or function is told from it: that is called, or stands ahead of a path.
    pub fn is_named_in(&self, code: &str) -> bool {
        let tokens = tokens(code).map(|(kind, range)| (kind, &code[range]));
        let is_code = |kind: TokenKind| {
            !matches!(kind, TokenKind::Whitespace | TokenKind::LineComment { .. } | TokenKind::BlockComment { .. })
        };
        let tokens: Vec<_> = tokens.filter(|(kind, _)| is_code(*kind)).collect();
        tokens.iter().enumerate().any(|(index, (kind, text))| {
            let before = index.checked_sub(1).map(|before| tokens[before].1);
            let after = |distance: usize| tokens.get(index + distance).map(|(_, text)| *text);
            let is_used = match before {
                Some("." | "let" | "mut" | "fn" | "mod") => false,
                _ => matches!((after(1), after(2)), (Some("(" | "!"), _) | (Some(":"), Some(":"))),
            };
            let is_a_type = text.starts_with(char::is_uppercase);
            let is_exported = || exports_of_runtime().iter().any(|(name, _)| name == text);
            *kind == TokenKind::Ident && (*text == "oxtorch" || (is_a_type || is_used) && is_exported())
        })
    }

    /// Whether a cell asks for crates that the runtime would stand in the way of.
    pub fn is_replaced_in(code: &str) -> bool {
        code.lines().filter_map(|line| line.trim().strip_prefix(":dep ")).any(|dependency| {
            let name = dependency.trim_start().split(|char: char| char.is_whitespace() || char == '=').next();
            matches!(name, Some("tch" | "torch-sys" | "oxtorch"))
        })
    }
}

fn flags(runtime: &Runtime) -> String {
    let mut flags = vec!["-Cprefer-dynamic".to_owned(), "--cfg=oxtorch_built".to_owned()];
    flags.extend(["--extern".to_owned(), format!("oxtorch_built={}", runtime.library.display())]);
    let folder = runtime.library.parent();
    let dependencies = folder.into_iter().chain(runtime.dependencies.iter().map(PathBuf::as_path));
    flags.extend(dependencies.map(|folder| format!("-Ldependency={}", folder.display())));
    flags.extend(runtime.native.iter().map(|folder| format!("-Lnative={}", folder.display())));
    for folder in folder.into_iter().chain(runtime.native.iter().map(PathBuf::as_path)) {
        flags.push("-Clink-arg=-Xlinker".to_owned());
        flags.push("-Clink-arg=-rpath".to_owned());
        flags.push("-Clink-arg=-Xlinker".to_owned());
        flags.push(format!("-Clink-arg={}", folder.display()));
    }
    if cfg!(target_os = "linux") {
        // libtorch's own libraries are found through the runtime's, once that is loaded.
        flags.extend(["-Clink-arg=-Xlinker".to_owned(), "-Clink-arg=--allow-shlib-undefined".to_owned()]);
    }
    flags.join("\u{1f}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependency() -> Dependency {
        Dependency { folder: PathBuf::from("/home/evcxr/1"), flags: String::new() }
    }

    #[test]
    fn cells_that_name_the_runtime_are_known() {
        let dependency = dependency();
        for code in [
            "let t = Tensor::ones([2], (Kind::Float, Device::Cpu));",
            "tch::nn::Adam",
            "use oxtorch::plot;",
            "let x = device();",
        ] {
            assert!(dependency.is_named_in(code), "{code}");
        }
        for code in [
            "let x = 1 + 1;",
            "println!(\"Tensor\"); // tch",
            "let tensor = 3;",
            "data.map(f)",
            "let mut data = 1;",
            "x.image()",
            "",
        ] {
            assert!(!dependency.is_named_in(code), "{code}");
        }
    }

    #[test]
    fn a_tch_of_the_users_own_is_not_mixed_with_the_runtimes() {
        assert!(Dependency::is_replaced_in(":dep tch = \"0.26\"\nuse tch::Tensor;"));
        assert!(!Dependency::is_replaced_in(":dep serde = \"1\""));
    }

    #[test]
    fn the_cell_quotes_its_path() {
        assert!(dependency().cell().starts_with(":dep oxtorch = { path = \"/home/evcxr/1/oxtorch\" }\n"));
    }
}
