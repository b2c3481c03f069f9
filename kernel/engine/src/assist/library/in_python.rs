//! What other libraries call our names.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::assist::library::public_names::{self, Target};
use crate::names;

/// More names than this say nothing more.
const MOST: usize = 5;

/// The names of other libraries for what a path of ours leads to.
pub(in crate::assist) fn in_python(path: &str) -> &'static [&'static str] {
    static NAMES: LazyLock<HashMap<String, Vec<&'static str>>> = LazyLock::new(|| {
        let mut names = HashMap::<String, Vec<&'static str>>::new();
        for entry in names::all() {
            if let Some(ours) = &entry.ours {
                names.entry(place(ours)).or_default().push(&entry.foreign);
            }
        }
        names
    });
    let names = NAMES.get(&place(path)).map(Vec::as_slice).unwrap_or_default();
    &names[..names.len().min(MOST)]
}

/// The same for all paths to one item.
fn place(path: &str) -> String {
    match public_names::find(path) {
        Some(Target::Item { module, name }) => format!("{module} {name}"),
        _ => path.to_owned(),
    }
}
