//! What cargo tells of a workspace, as far as we read it: the packages, and what each of them depends on.

use std::collections::HashSet;

use serde::Deserialize;

/// The answer of `cargo metadata`.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    /// All of them, those that are depended on as well.
    pub packages: Vec<Package>,
    /// What each depends on.
    pub resolve: Resolve,
}

/// A package.
#[derive(Debug, Deserialize)]
pub struct Package {
    /// What `Node` and `Dependency` know it by.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its `Cargo.toml`.
    pub manifest_path: String,
    /// What it builds.
    pub targets: Vec<Target>,
}

/// What a package builds: its library, a program, a test.
#[derive(Debug, Deserialize)]
pub struct Target {
    /// What code calls it.
    pub name: String,
    /// The file that its code begins with.
    pub src_path: String,
    /// The edition of its code.
    pub edition: String,
    /// What is made of it: `lib`, `proc-macro`, `bin`.
    pub crate_types: Vec<String>,
}

/// What cargo chose.
#[derive(Debug, Deserialize)]
pub struct Resolve {
    /// One for each package.
    pub nodes: Vec<Node>,
}

/// A package with what it needs, in the versions and with the features that cargo chose.
#[derive(Debug, Deserialize)]
pub struct Node {
    /// The package's `id`.
    pub id: String,
    /// Those that are on.
    pub features: Vec<String>,
    /// What it needs.
    pub deps: Vec<Dependency>,
}

/// Something that a package needs.
#[derive(Debug, Deserialize)]
pub struct Dependency {
    /// What code calls it.
    pub name: String,
    /// The package's `id`.
    pub pkg: String,
    dep_kinds: Vec<Kind>,
}

/// What a dependency is for: running, unless it says otherwise.
#[derive(Debug, Deserialize)]
struct Kind {
    kind: Option<String>,
}

impl Metadata {
    /// The package of that name.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// The ids of the packages that these reach by dependencies of that sort, these included.
    pub fn reached<'a>(
        &'a self,
        from: impl IntoIterator<Item = &'a str>,
        is_needed: impl Fn(&Dependency) -> bool,
    ) -> HashSet<&'a str> {
        let mut todo: Vec<&str> = from.into_iter().collect();
        let mut seen = HashSet::new();
        while let Some(id) = todo.pop() {
            if seen.insert(id)
                && let Some(node) = self.resolve.nodes.iter().find(|node| node.id == id)
            {
                let needed = node.deps.iter().filter(|dependency| is_needed(dependency));
                todo.extend(needed.map(|dependency| dependency.pkg.as_str()));
            }
        }
        seen
    }
}

impl Package {
    /// Its library, where it has one of these types.
    pub fn library(&self, types: &[&str]) -> Option<&Target> {
        self.targets.iter().find(|target| target.crate_types.iter().any(|kind| types.contains(&kind.as_str())))
    }
}

impl Dependency {
    /// Whether code needs it that runs.
    pub fn is_for_running(&self) -> bool {
        self.dep_kinds.iter().any(|kind| kind.kind.is_none())
    }

    /// Whether tests alone need it.
    pub fn is_for_tests(&self) -> bool {
        self.dep_kinds.iter().all(|kind| kind.kind.as_deref() == Some("dev"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use oxtorch_testing::metadata::{node, package};

    #[test]
    fn packages_are_reached_by_dependencies_of_a_sort() {
        let metadata: Metadata = serde_json::from_value(json!({
            "packages": [package("mine", "dylib"), package("used", "lib")],
            "resolve": {"nodes": [
                node("mine", &[("used", None), ("derive", None), ("tempfile", Some("dev"))]),
                node("used", &[("below", None), ("cc", Some("build"))]), node("derive", &[("syn", None)]),
                node("below", &[("used", None)]), node("syn", &[]), node("cc", &[]), node("tempfile", &[]),
            ]},
        }))
        .expect("is as cargo writes it");
        assert_eq!(metadata.package("mine").map(|package| &*package.id), Some("mine"));
        let built = metadata.reached(["mine"], |dependency| !dependency.is_for_tests());
        assert_eq!(built, HashSet::from(["mine", "used", "below", "derive", "syn", "cc"]));
    }
}
