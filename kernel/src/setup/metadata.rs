//! What cargo tells of a workspace, as far as we read it: the packages, and what each of them depends on.

use std::collections::HashSet;

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

impl Metadata {
    /// The package of that name.
    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// The ids of the packages that these reach by dependencies of that sort, these included.
    pub(crate) fn reached<'a>(
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

#[cfg(test)]
pub(crate) mod stand_in {
    //! Parts of an answer, as cargo writes them.

    use serde_json::{Value, json};

    /// A package with a library of that type, whose id is its name.
    pub(crate) fn package(name: &str, crate_type: &str) -> Value {
        json!({
            "id": name, "name": name, "version": "1.0.0", "manifest_path": format!("/{name}/Cargo.toml"),
            "targets": [{
                "name": name, "src_path": format!("/{name}/src/lib.rs"), "edition": "2021", "crate_types": [crate_type],
            }],
        })
    }

    /// What a package depends on, and for what: `None` is for running.
    pub(crate) fn node(id: &str, needs: &[(&str, Option<&str>)]) -> Value {
        let deps = needs.iter().map(|(name, kind)| json!({"name": name, "pkg": name, "dep_kinds": [{"kind": kind}]}));
        json!({"id": id, "features": ["default"], "deps": deps.collect::<Vec<_>>()})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::stand_in::{node, package};
    use super::*;

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
