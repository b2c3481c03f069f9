//! The names that every cell has in scope, and that lose to an item of the user's.

use std::sync::LazyLock;

use crate::plan::is_in;
use crate::source::identifiers::Names;
use crate::source::nesting::parsed;
use crate::source::parse::{Item, leaves};

struct Prelude {
    /// Functions and constants.
    values: Names,
    /// Anything else: types, traits, modules, macros.
    others: Names,
}

/// Whether the item takes its name from something that earlier cells may have used.
pub fn has(item: &Item) -> bool {
    let names = if item.kind.is_value() { &PRELUDE.values } else { &PRELUDE.others };
    is_in(&item.names, names)
}

/// Whether every cell has the name in scope.
pub fn is_name_of_every_cell(name: &str) -> bool {
    PRELUDE.values.contains(name) || PRELUDE.others.contains(name)
}

static PRELUDE: LazyLock<Prelude> = LazyLock::new(|| {
    let mut prelude = Prelude { values: Names::from(["drop".to_owned()]), others: OF_RUST.map(str::to_owned).into() };
    for (name, code) in exports_of_runtime() {
        // What stands in the root of the runtime is a module or a crate.
        let in_root = code.strip_prefix("use crate::").is_some_and(|rest| !rest.contains("::"));
        if !in_root && name.starts_with(char::is_lowercase) {
            prelude.values.insert(name.clone());
        }
        prelude.others.insert(name.clone());
    }
    prelude
});

/// The names that the runtime's own prelude brings, each with a declaration of it alone.
pub fn exports_of_runtime() -> &'static [(String, String)] {
    static EXPORTS: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
        let text = oxtorch_setup::source("runtime/src/prelude.rs").unwrap_or_default();
        let exports = parsed(&text, |file: syn::File| {
            let uses = file.items.iter().filter_map(|item| match item {
                syn::Item::Use(it) => Some(leaves(it)),
                _ => None,
            });
            uses.flatten().filter_map(|leaf| Some((leaf.name?, leaf.code))).collect()
        });
        exports.unwrap_or_default()
    });
    &EXPORTS
}

/// What Rust's own prelude has in scope, less its one function, `drop`. Macros are those whose names begin with a small
/// letter.
pub const OF_RUST: [&str; 48] = [
    "AsMut",
    "AsRef",
    "Box",
    "Clone",
    "Copy",
    "Default",
    "DoubleEndedIterator",
    "Drop",
    "Eq",
    "Err",
    "ExactSizeIterator",
    "Extend",
    "Fn",
    "FnMut",
    "FnOnce",
    "From",
    "FromIterator",
    "Future",
    "Into",
    "IntoFuture",
    "IntoIterator",
    "Iterator",
    "None",
    "Ok",
    "Option",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Result",
    "Some",
    "String",
    "ToOwned",
    "ToString",
    "TryFrom",
    "TryInto",
    "Vec",
    "assert",
    "assert_eq",
    "assert_ne",
    "dbg",
    "eprintln",
    "format",
    "matches",
    "panic",
    "print",
    "println",
    "vec",
    "write",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::fragment::CellText;
    use crate::source::macro_items::ItemMacros;
    use crate::source::parse::parse;

    #[test]
    fn a_function_takes_no_name_from_a_module() {
        let takes = |code: &str| {
            let cell = parse(&CellText::new(1, code), &ItemMacros::default()).expect("the test's cell parses");
            has(&cell.items[0])
        };
        assert!(takes("fn digits() {}") && takes("struct Dataset;") && takes("mod train {}") && takes("struct Vec;"));
        assert!(!takes("fn train() {}") && !takes("fn mine() {}") && !takes("struct Net;"));
    }

    #[test]
    fn the_prelude_names_what_cells_use() {
        let names = exports_of_runtime();
        for name in ["Tensor", "nn", "digits", "display", "bail"] {
            assert!(names.iter().any(|(other, _)| other == name), "{name}");
        }
    }
}
