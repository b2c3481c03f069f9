//! What a `:dep` line asks for, in every form that Cargo knows.

use std::fmt;
use std::path::Path;

use toml_edit::{DocumentMut, InlineTable, Value};

use crate::source::files;
use crate::source::words::in_name;

/// What Cargo takes in the table of a dependency, and what can be said of it here.
const KEYS: [&str; 10] =
    ["version", "features", "default-features", "package", "path", "git", "branch", "tag", "rev", "registry"];

/// A dependency that the user asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// The name to use it by, as it was written.
    pub name: String,
    /// Its table, as code; folders in it are absolute.
    pub table: String,
    /// The package that it stands for.
    pub package: String,
    /// Whether its sources are a folder of the user's, which may change at any time.
    pub is_path: bool,
}

impl fmt::Display for Spec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} = {}", self.name, self.table)
    }
}

impl Spec {
    /// Reads what follows `:dep`; a path is relative to `folder`. The error is for the user.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("a crate is missing: `:dep NAME` or `:dep NAME = \"VERSION\"`".to_owned());
        }
        let (name, value) = match text.split_once('@') {
            Some((name, version)) if is_name(name) => (name.to_owned(), Value::from(version.trim())),
            _ if is_name(text) => (text.to_owned(), Value::from("*")),
            _ if text.starts_with(['/', '.', '~']) => of_folder(text, folder)?,
            _ => entry(text)?,
        };
        if matches!(name.replace('-', "_").as_str(), "oxtorch" | "std" | "core" | "alloc" | "proc_macro" | "test") {
            return Err(format!("`{name}` is part of what every cell has; it needs no `:dep`"));
        }
        let mut table = match value {
            Value::String(version) => InlineTable::from_iter([("version", version.into_value())]),
            Value::InlineTable(table) => table,
            _ => return Err(format!("`{name}` takes a version, `\"1\"`, or a table, `{{ version = \"1\" }}`")),
        };
        let is_path = check(&name, &mut table, folder)?;
        table.fmt();
        let package = table.get("package").and_then(Value::as_str).unwrap_or(&name).to_owned();
        Ok(Self { name, package, table: table.to_string().trim().to_owned(), is_path })
    }

    /// The name that code uses.
    pub fn identifier(&self) -> String {
        self.name.replace('-', "_")
    }
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && chars.all(|char| in_name(char) || char == '-')
}

/// The crate in a folder, `:dep ../my_layers`.
fn of_folder(text: &str, folder: &Path) -> Result<(String, Value), String> {
    let path = match text.strip_prefix("~/").zip(dirs::home_dir()) {
        Some((rest, home)) => home.join(rest),
        None => folder.join(text),
    };
    let manifest = path.join("Cargo.toml");
    let read = files::text(&manifest);
    let read =
        read.map_err(|error| format!("no crate is in {}: Cargo.toml cannot be read ({error})", path.display()))?;
    let manifest: DocumentMut = read.parse().map_err(|error| format!("{} is not TOML: {error}", manifest.display()))?;
    let name = manifest.get("package").and_then(|package| package.get("name")?.as_str());
    let name = name.ok_or_else(|| format!("the Cargo.toml in {} names no package", path.display()))?;
    let path = path.to_str().ok_or_else(|| format!("cargo cannot use the folder {}", path.display()))?;
    Ok((name.to_owned(), Value::InlineTable(InlineTable::from_iter([("path", path)]))))
}

/// `name = value`, or `name.key = value`, as TOML has it.
fn entry(text: &str) -> Result<(String, Value), String> {
    let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        let why = error.message().lines().next().unwrap_or_default().to_owned();
        format!("`{text}` cannot be read ({why}); it looks like `:dep serde = {{ version = \"1\", features = [\"derive\"] }}`")
    })?;
    let mut entries = document.iter();
    let (Some((name, item)), None) = (entries.next(), entries.next()) else {
        return Err("one `:dep` line is for one crate".to_owned());
    };
    if !is_name(name) {
        return Err(format!("`{name}` is not a crate name"));
    }
    // `name.key = value` is a table that is not inline.
    let value = item.clone().into_value().map_err(|_| format!("`{name}` takes a version or a table"))?;
    Ok((name.to_owned(), value))
}

/// Checks the keys of a table and makes its path absolute; says whether it has one.
fn check(name: &str, table: &mut InlineTable, folder: &Path) -> Result<bool, String> {
    if let Some(features) = table.remove("default_features") {
        table.insert("default-features", features);
    }
    for (key, value) in table.iter() {
        let fits = match key {
            "features" => value.as_array().is_some_and(|list| list.iter().all(Value::is_str)),
            "default-features" => value.is_bool(),
            "optional" | "workspace" => return Err(format!("`{key}` has no meaning for a `:dep`: leave it out")),
            key if KEYS.contains(&key) => value.is_str(),
            key => return Err(format!("a crate has no option `{key}`; the options are {}", KEYS.join(", "))),
        };
        if !fits {
            return Err(match key {
                "features" => "`features` is a list: `features = [\"derive\"]`".to_owned(),
                "default-features" => "`default-features` is true or false".to_owned(),
                _ => format!("`{key}` is a string: `{key} = \"...\"`"),
            });
        }
    }
    let Some(path) = table.get("path").and_then(Value::as_str) else {
        if ["version", "git"].iter().all(|key| !table.contains_key(key)) {
            // As bare `:dep name`: the newest that fits.
            table.insert("version", "*".into());
        }
        return Ok(false);
    };
    let absolute = folder.join(path);
    let absolute = absolute.canonicalize().unwrap_or(absolute);
    if !absolute.join("Cargo.toml").is_file() {
        return Err(format!(
            "the folder of `{name}`, {}, has no Cargo.toml; a path is relative to {}",
            absolute.display(),
            folder.display()
        ));
    }
    let text = absolute.to_str().ok_or_else(|| format!("the path of `{name}` is not valid text"))?;
    table.insert("path", text.into());
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let spec = Spec::parse(text, Path::new("/nowhere")).expect("is a dependency");
        assert_eq!(spec.to_string(), expected, "{text}");
        assert!(!spec.is_path);
    }

    fn refused(text: &str, part: &str) {
        let error = Spec::parse(text, Path::new("/nowhere")).expect_err("is no dependency");
        assert!(error.contains(part), "{text}: {error}");
    }

    #[test]
    fn every_form_that_cargo_knows_is_read() {
        check("regex", r#"regex = { version = "*" }"#);
        check("regex@1.2", r#"regex = { version = "1.2" }"#);
        check("regex = \"1\"", r#"regex = { version = "1" }"#);
        check("regex=\">=1, <2\" # a comment", r#"regex = { version = ">=1, <2" }"#);
        check("regex.version = \"1\"", r#"regex = { version = "1" }"#);
        check(
            "serde = { version = \"1\", features = [\"derive\"], default_features = false }",
            r#"serde = { version = "1", features = ["derive"], default-features = false }"#,
        );
        check("json={package=\"serde_json\"}", r#"json = { package = "serde_json", version = "*" }"#);
        check(
            "x = { git = \"https://example.org/x\", branch = \"main\" }",
            r#"x = { git = "https://example.org/x", branch = "main" }"#,
        );
    }

    #[test]
    fn a_path_is_relative_to_the_folder_of_the_notebook() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let krate = folder.path().join("my crate");
        std::fs::create_dir(&krate).expect("creates");
        std::fs::write(krate.join("Cargo.toml"), "").expect("writes");
        let spec = Spec::parse("mine = { path = \"my crate\" }", folder.path()).expect("is a dependency");
        assert!(spec.is_path);
        let absolute = krate.canonicalize().expect("is there");
        assert_eq!(spec.table, format!("{{ path = \"{}\" }}", absolute.display()));
        let error = Spec::parse("mine = { path = \"other\" }", folder.path()).expect_err("is not there");
        assert!(error.contains("has no Cargo.toml"), "{error}");
    }

    #[test]
    fn what_is_no_dependency_is_explained() {
        refused("", "a crate is missing");
        refused("regex = ", "cannot be read");
        refused("regex 1", "cannot be read");
        refused("regex = 1", "takes a version");
        refused("regex = { feature = [\"x\"] }", "a crate has no option `feature`");
        refused("regex = { features = \"x\" }", "`features` is a list");
        refused("regex = { version = 1 }", "`version` is a string");
        refused("regex = { optional = true }", "leave it out");
        refused("core", "needs no `:dep`");
    }

    #[test]
    fn a_name_is_used_with_underscores() {
        let spec = Spec::parse("regex-lite", Path::new("/nowhere")).expect("is a dependency");
        assert_eq!(spec.identifier(), "regex_lite");
    }
}
