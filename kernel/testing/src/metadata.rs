//! Parts of an answer, as cargo writes them.

use serde_json::{Value, json};

/// What `cargo metadata` writes, with these packages and nodes.
pub fn metadata(packages: &[Value], nodes: &[Value]) -> Value {
    json!({
        "packages": packages, "workspace_members": [], "resolve": {"nodes": nodes, "root": null},
        "workspace_root": "/", "target_directory": "/target", "version": 1,
    })
}

/// A package with a library of that type, whose id is its name.
pub fn package(name: &str, crate_type: &str) -> Value {
    json!({
        "id": name, "name": name, "version": "1.0.0", "manifest_path": format!("/{name}/Cargo.toml"),
        "dependencies": [], "features": {},
        "targets": [{
            "name": name, "src_path": format!("/{name}/src/lib.rs"), "edition": "2021", "crate_types": [crate_type],
            "kind": [crate_type],
        }],
    })
}

/// What a package depends on, and for what: `None` is for running.
pub fn node(id: &str, needs: &[(&str, Option<&str>)]) -> Value {
    let deps = needs.iter().map(|(name, kind)| json!({"name": name, "pkg": name, "dep_kinds": [{"kind": kind}]}));
    json!({"id": id, "dependencies": [], "features": ["default"], "deps": deps.collect::<Vec<_>>()})
}
