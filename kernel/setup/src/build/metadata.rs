//! What cargo tells of a workspace and of a build, as `cargo_metadata` reads it.

use std::collections::HashSet;

use cargo_metadata::DependencyKind;
pub use cargo_metadata::{
    Artifact, CrateType, Message, Metadata, Node, NodeDep as Dependency, Package, PackageId, Target, TargetKind,
};

/// Reads what `cargo metadata` writes.
///
/// # Errors
///
/// If it is something else.
pub fn read(json: &[u8]) -> serde_json::Result<Metadata> {
    let mut metadata: serde_json::Value = serde_json::from_slice(json)?;
    for package in metadata["packages"].as_array_mut().into_iter().flatten() {
        // Nobody needs it, and `cargo_metadata` refuses the form "1", which cargo allows.
        package["rust_version"].take();
    }
    serde_json::from_value(metadata)
}

/// The package of that name.
pub fn package<'a>(metadata: &'a Metadata, name: &str) -> Option<&'a Package> {
    metadata.packages.iter().find(|package| package.name == name)
}

/// What each package needs, in the versions and with the features that cargo chose.
pub fn nodes(metadata: &Metadata) -> &[Node] {
    metadata.resolve.as_ref().map_or(&[], |resolve| &resolve.nodes)
}

/// The ids of the packages that these reach by dependencies of that sort, these included.
pub fn reached<'a>(
    metadata: &'a Metadata,
    from: impl IntoIterator<Item = &'a PackageId>,
    is_needed: impl Fn(&Dependency) -> bool,
) -> HashSet<&'a PackageId> {
    let mut todo: Vec<&PackageId> = from.into_iter().collect();
    let mut seen = HashSet::new();
    while let Some(id) = todo.pop() {
        if seen.insert(id)
            && let Some(node) = nodes(metadata).iter().find(|node| node.id == *id)
        {
            todo.extend(node.deps.iter().filter(|dependency| is_needed(dependency)).map(|dependency| &dependency.pkg));
        }
    }
    seen
}

/// The library of a package, if it has one of these types.
pub fn library<'a>(package: &'a Package, types: &[CrateType]) -> Option<&'a Target> {
    package.targets.iter().find(|target| target.crate_types.iter().any(|kind| types.contains(kind)))
}

/// Whether code needs it that runs.
pub fn is_for_running(dependency: &Dependency) -> bool {
    dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
}

/// Whether tests alone need it.
pub fn is_for_tests(dependency: &Dependency) -> bool {
    dependency.dep_kinds.iter().all(|kind| kind.kind == DependencyKind::Development)
}

/// What a line of cargo's messages says of a package that is compiled, now or earlier.
pub fn artifact(line: &str) -> Option<Artifact> {
    match serde_json::from_str(line) {
        Ok(Message::CompilerArtifact(artifact)) => Some(artifact),
        _ => None,
    }
}

/// The name in a package id of cargo's: `registry+https://...#serde@1.0.0`, `path+file:///.../serde#1.0.0`.
pub fn package_name(id: &str) -> &str {
    match id.rsplit_once('#') {
        Some((_, name)) if name.contains('@') => name.split('@').next().unwrap_or(name),
        Some((source, _)) => source.trim_end_matches('/').rsplit('/').next().unwrap_or(source),
        None => id,
    }
}

#[cfg(test)]
mod tests {
    use oxtorch_testing::metadata;

    use super::*;

    #[test]
    fn a_crate_may_ask_for_rust_1() {
        let mut package = metadata::package("old", "lib");
        package["rust_version"] = "1".into();
        let json = metadata::metadata(&[package], &[]).to_string();
        assert_eq!(read(json.as_bytes()).expect("is read").packages[0].name.as_str(), "old");
    }

    #[test]
    fn packages_are_reached_by_dependencies_of_a_sort() {
        let node = metadata::node;
        let nodes = [
            node("mine", &[("used", None), ("derive", None), ("tempfile", Some("dev"))]),
            node("used", &[("below", None), ("cc", Some("build"))]),
            node("derive", &[("syn", None)]),
            node("below", &[("used", None)]),
            node("syn", &[]),
            node("cc", &[]),
            node("tempfile", &[]),
        ];
        let packages = [metadata::package("mine", "dylib"), metadata::package("used", "lib")];
        let metadata: Metadata =
            serde_json::from_value(metadata::metadata(&packages, &nodes)).expect("is as cargo writes it");
        let mine = &package(&metadata, "mine").expect("is there").id;
        let built = reached(&metadata, [mine], |dependency| !is_for_tests(dependency));
        let built: HashSet<&str> = built.into_iter().map(|id| id.repr.as_str()).collect();
        assert_eq!(built, HashSet::from(["mine", "used", "below", "derive", "syn", "cc"]));
    }

    #[test]
    fn a_package_is_named_by_its_id() {
        for (id, name) in [
            ("registry+https://github.com/rust-lang/crates.io-index#serde@1.0.229", "serde"),
            ("path+file:///home/me/my-crate#0.1.0", "my-crate"),
            ("path+file:///home/me/folder#other@0.1.0", "other"),
            ("git+file:///home/me/repository?branch=main#mine@0.1.0", "mine"),
        ] {
            assert_eq!(package_name(id), name);
        }
    }
}
