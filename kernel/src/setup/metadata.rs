//! What cargo tells of a workspace, as far as we read it: the packages, and what each of them depends on.

use serde::Deserialize;

/// The answer of `cargo metadata`.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) resolve: Resolve,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) manifest_path: String,
    pub(crate) targets: Vec<Target>,
}

/// What a package builds: its library, a program, a test.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) src_path: String,
    pub(crate) edition: String,
    pub(crate) crate_types: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Resolve {
    pub(crate) nodes: Vec<Node>,
}

/// A package with what it needs, in the versions and with the features that cargo chose.
#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) features: Vec<String>,
    pub(crate) deps: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    /// What code calls it.
    pub(crate) name: String,
    /// The package's `id`.
    pub(crate) pkg: String,
    dep_kinds: Vec<Kind>,
}

/// What a dependency is for: running, unless it says otherwise.
#[derive(Debug, Deserialize)]
struct Kind {
    kind: Option<String>,
}

impl Package {
    /// Its library, where it has one of these types.
    pub(crate) fn library(&self, types: &[&str]) -> Option<&Target> {
        self.targets.iter().find(|target| target.crate_types.iter().any(|kind| types.contains(&kind.as_str())))
    }
}

impl Dependency {
    /// Whether code needs it that runs.
    pub(crate) fn is_for_running(&self) -> bool {
        self.dep_kinds.iter().any(|kind| kind.kind.is_none())
    }

    /// Whether tests alone need it.
    pub(crate) fn is_for_tests(&self) -> bool {
        self.dep_kinds.iter().all(|kind| kind.kind.as_deref() == Some("dev"))
    }
}
