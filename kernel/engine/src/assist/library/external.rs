//! Sources of crates of the registry, which cargo has fetched to build the runtime.

use std::path::{Path, PathBuf};

use oxtorch_setup::sources;

use crate::assist::runtime_index::{File, Found, Wanted, in_file};
use crate::assist::signature::{Signature, doc};
use crate::source::nesting::parsed;

/// Pages of all crates.
const PAGES: &str = "https://docs.rs";

/// Modules of a crate, as of one called `root`, and what is written there.
pub(in crate::assist) fn modules(name: &str, root: &str) -> Vec<(String, String)> {
    let mut paths = Vec::new();
    if let Some(folder) = folder(name) {
        collect(&folder, &folder, &mut paths);
    }
    let module = |relative: &Path| {
        let path = relative.with_extension("").to_string_lossy().replace('/', "::");
        let path = path.trim_end_matches("::mod");
        if path == "lib" { root.to_owned() } else { format!("{root}::{path}") }
    };
    paths.sort();
    let read =
        paths.iter().filter_map(|(relative, path)| Some((module(relative), std::fs::read_to_string(path).ok()?)));
    read.collect()
}

/// A crate, or an item of one, that the runtime passes on to cells.
pub(in crate::assist) fn find(path: &[String]) -> Option<Found> {
    let (krate, rest) = path.split_first()?;
    let place = path.join("::");
    let page = format!("{PAGES}/{krate}");
    let modules = modules(krate, krate);
    let Some(name) = rest.last() else {
        let root = modules.iter().find(|(module, _)| module == krate);
        let doc = root.and_then(|(_, text)| parsed(text, |file: syn::File| doc(&file.attrs))).unwrap_or_default();
        // A page on a whole crate begins with a paragraph on what it is for.
        let doc = doc.split("\n\n").find(|paragraph| !paragraph.trim_start().starts_with(['[', '<', '!', '#']));
        let doc = format!("{}\n\n{page}", doc.unwrap_or_default());
        return Some(Found::new(Signature { text: format!("crate {krate}"), doc }, place));
    };
    let wanted = Wanted::parse(name);
    let files = modules.into_iter().filter(|(_, text)| text.contains(name.as_str()));
    let found = files.filter_map(|(module, text)| in_file(&File { place: module.clone(), module, text }, &wanted));
    let best = found.min_by_key(|(rank, _)| *rank).filter(|(rank, _)| *rank == 0).map(|(_, found)| found.signature);
    let signature = best.unwrap_or_else(|| Signature { text: format!("use {place}"), doc: page });
    Some(Found::new(signature, place))
}

fn folder(name: &str) -> Option<PathBuf> {
    let version = sources::crate_version(name)?;
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(dirs::home_dir()?.join(".cargo")))?;
    let registries = std::fs::read_dir(cargo.join("registry/src")).ok()?;
    let folders = registries.flatten().map(|registry| registry.path().join(format!("{name}-{version}/src")));
    folders.into_iter().find(|folder| folder.is_dir())
}

fn collect(root: &Path, folder: &Path, paths: &mut Vec<(PathBuf, PathBuf)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push((path.strip_prefix(root).unwrap_or(&path).to_owned(), path));
        }
    }
}
