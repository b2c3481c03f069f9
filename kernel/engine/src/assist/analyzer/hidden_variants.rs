//! Most of what `tch` has of a tensor's methods are variants: of 4,200 methods, 3,000 give an error in place of a
//! panic, write into a given tensor, or are libtorch's own. The server sees them as private: it still knows what they
//! return, and does not list them each time, which takes it three times as long.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::assist::runtime_index::is_variant;

/// The files of `tch` in a project that have such methods, and what the server shall see of them.
pub(super) fn files(project: &Value) -> Vec<(PathBuf, String)> {
    let crates = project["crates"].as_array().map(Vec::as_slice).unwrap_or_default();
    // The crate that cells have by that name stands before it.
    let named = crates.iter().filter(|it| it["display_name"] == "tch").filter_map(|it| it["root_module"].as_str());
    let folders = named.filter_map(|root| Some(Path::new(root).parent()?.join("wrappers")));
    let files = folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    files
        .filter_map(|file| {
            let text = std::fs::read_to_string(file.path()).ok()?;
            let quiet = with_private_variants(&text);
            (quiet != text).then(|| (file.path(), quiet))
        })
        .collect()
}

/// The same text, byte for byte in its place, but for `pub`.
fn with_private_variants(text: &str) -> String {
    let mut quiet = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let declared = line.trim_start();
        let name = declared.strip_prefix("pub fn ").map(|rest| rest.split(['(', '<']).next().unwrap_or(rest));
        match name {
            Some(name) if is_variant(name) => {
                quiet.push_str(&line[..line.len() - declared.len()]);
                quiet.push_str("   ");
                quiet.push_str(&declared["pub".len()..]);
            }
            _ => quiet.push_str(line),
        }
    }
    quiet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_variants_become_private_and_nothing_moves() {
        let text =
            "impl Tensor {\n    pub fn f_abs(&self) {}\n    pub fn abs(&self) {}\n    pub fn abs_out(&self) {}\n}\n";
        let quiet =
            "impl Tensor {\n        fn f_abs(&self) {}\n    pub fn abs(&self) {}\n        fn abs_out(&self) {}\n}\n";
        assert_eq!(with_private_variants(text), quiet);
    }
}
