//! What the language server is told of the code around a cell: the crates of the runtime and where their sources lie.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use oxtorch_setup::Recipe;
use oxtorch_setup::analyzer::Analyzer;
use oxtorch_setup::metadata::{
    self, CrateType, Dependency, Metadata, Node, Package, PackageId, is_for_running, library,
};
use oxtorch_system::child::ask;
use serde_json::{Value, json};

use crate::compile::deps::OFFERED;

/// The crate that every cell links.
const RUNTIME: &str = "oxtorch";
/// How far from it the crates are that cells name or that the types of those are made of. All the others would only
/// take memory and time.
const DEPTH: usize = 2;
/// What `tch` calls is nothing that a cell does.
const LEFT_OUT: [&str; 4] = ["torch-sys", "libloading", "oxtorch-boundary", "oxtorch-protocol"];

/// Those that code runs with.
const LIBRARIES: [CrateType; 3] = [CrateType::Lib, CrateType::RLib, CrateType::DyLib];

/// The project as rust-analyzer's `rust-project.json` describes it: the runtime, the crates that it passes on, and a
/// crate that holds the session's file.
pub(super) fn describe(recipe: &Recipe, analyzer: &Analyzer, session: &Path) -> anyhow::Result<Value> {
    let answer =
        ask(recipe.metadata(recipe.workspace()).args(["--offline", "--locked"])).context("cannot run cargo")?;
    anyhow::ensure!(answer.status.success(), "cargo does not list the crates of the runtime: {}", answer.tail(1));
    let metadata = metadata::read(answer.stdout.as_bytes()).context("cargo lists crates in an unknown format")?;
    let crates = crates(&metadata, session).context("the runtime is not among its crates")?;
    Ok(json!({
        "sysroot": recipe.rustc.parent().and_then(Path::parent),
        "sysroot_src": analyzer.sources,
        "crates": crates,
    }))
}

fn crates(metadata: &Metadata, session: &Path) -> Option<Vec<Value>> {
    let packages: BTreeMap<&PackageId, &Package> = metadata.packages.iter().map(|it| (&it.id, it)).collect();
    let nodes: BTreeMap<&PackageId, &Node> = metadata::nodes(metadata).iter().map(|it| (&it.id, it)).collect();
    let runtime = &metadata::package(metadata, RUNTIME)?.id;
    let wanted = |id: &PackageId| {
        let package = packages.get(id)?;
        (!LEFT_OUT.contains(&package.name.as_str())).then(|| library(package, &LIBRARIES)).flatten()
    };
    let mut near = BTreeSet::from([runtime]);
    let mut edge = vec![runtime];
    for _ in 0..DEPTH {
        let needed = edge.iter().filter_map(|id| nodes.get(id)).flat_map(|node| needs(node));
        edge = needed.map(|dependency| &dependency.pkg).filter(|id| wanted(id).is_some()).collect();
        edge.retain(|id| near.insert(id));
    }
    let index: BTreeMap<&PackageId, usize> = near.iter().enumerate().map(|(index, id)| (*id, index)).collect();
    let mut crates: Vec<Value> = near
        .iter()
        .filter_map(|id| {
            let (package, node, library) = (packages.get(id)?, nodes.get(id)?, wanted(id)?);
            let deps = needs(node)
                .filter_map(|dependency| Some(json!({"crate": index.get(&dependency.pkg)?, "name": dependency.name})));
            let mut cfg = platform();
            cfg.extend(node.features.iter().map(|feature| format!("feature=\"{feature}\"")));
            Some(json!({
                "display_name": library.name,
                "root_module": library.src_path,
                "edition": library.edition,
                "deps": deps.collect::<Vec<_>>(),
                "cfg": cfg,
                "env": {
                    "CARGO_PKG_NAME": package.name,
                    "CARGO_PKG_VERSION": package.version,
                    "CARGO_MANIFEST_DIR": package.manifest_path.parent(),
                },
                "is_workspace_member": false,
            }))
        })
        .collect();
    // What cells name without asking is a crate to them, as it is to rustc.
    let offered = needs(nodes.get(runtime)?).filter(|dependency| OFFERED.contains(&dependency.name.as_str()));
    let named = offered.map(|dependency| (&dependency.pkg, dependency.name.as_str()));
    let named =
        named.chain([(runtime, RUNTIME)]).filter_map(|(id, name)| Some(json!({"crate": index.get(id)?, "name": name})));
    crates.push(json!({
        "display_name": "session",
        "root_module": session,
        "edition": "2024",
        "deps": named.collect::<Vec<_>>(),
        "cfg": platform(),
        "is_workspace_member": true,
    }));
    Some(crates)
}

/// What a package needs when it runs.
fn needs(node: &Node) -> impl Iterator<Item = &Dependency> {
    node.deps.iter().filter(|dependency| is_for_running(dependency))
}

/// What `cfg` says on the platform that this runs on.
fn platform() -> Vec<String> {
    use std::env::consts::{ARCH, FAMILY, OS};
    let width = usize::BITS;
    vec![
        FAMILY.to_owned(),
        format!("target_os=\"{OS}\""),
        format!("target_family=\"{FAMILY}\""),
        format!("target_arch=\"{ARCH}\""),
        format!("target_pointer_width=\"{width}\""),
        format!("target_endian=\"{}\"", if cfg!(target_endian = "little") { "little" } else { "big" }),
        "panic=\"unwind\"".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxtorch_testing::metadata::{metadata, node, package};

    #[test]
    fn the_crates_near_the_runtime_are_told_with_what_they_need_of_each_other() {
        let node = |id, needs: &[&'static str]| {
            let needs: Vec<_> = needs.iter().map(|name| (*name, None)).collect();
            node(id, &needs)
        };
        let metadata = metadata(
            &[
                package("oxtorch", "dylib"),
                package("tch", "lib"),
                package("torch-sys", "lib"),
                package("half", "lib"),
                package("far", "lib"),
                package("derive", "proc-macro"),
            ],
            &[
                node("oxtorch", &["tch", "derive"]),
                node("tch", &["torch-sys", "half"]),
                node("half", &["far"]),
                node("far", &[]),
                node("derive", &[]),
                node("torch-sys", &[]),
            ],
        );
        let metadata: Metadata = serde_json::from_value(metadata).expect("is as cargo writes it");
        let crates = crates(&metadata, Path::new("/session.rs")).expect("the runtime is there");
        let names: Vec<_> = crates.iter().map(|it| it["display_name"].as_str().unwrap_or_default()).collect();
        assert_eq!(names, ["half", "oxtorch", "tch", "session"]);
        assert_eq!(crates[1]["deps"], json!([{"crate": 2, "name": "tch"}]));
        assert_eq!(crates[3]["deps"], json!([{"crate": 2, "name": "tch"}, {"crate": 1, "name": "oxtorch"}]));
        assert!(crates[2]["cfg"].as_array().expect("is a list").contains(&json!("feature=\"default\"")));
    }
}
