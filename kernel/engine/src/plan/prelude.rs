//! The names that every cell has in scope, and that lose to an item of the user's.

use std::sync::LazyLock;

use crate::plan::is_in;
use crate::source::identifiers::Names;
use crate::source::nesting::parsed;
use crate::source::parse::{Item, ItemKind, UseLeaf, leaves};

struct Prelude {
    /// Functions and constants.
    values: Names,
    /// Anything else: types, traits, modules, macros.
    others: Names,
}

/// Whether the item takes its name from something that earlier cells may have used.
pub fn has(item: &Item) -> bool {
    let is_value = matches!(item.kind, ItemKind::Other | ItemKind::Const | ItemKind::ConstFunction | ItemKind::Static);
    let names = if is_value { &PRELUDE.values } else { &PRELUDE.others };
    is_in(&item.names, names)
}

/// Whether Rust's own prelude has the name.
pub fn is_of_rust(name: &str) -> bool {
    OF_RUST.contains(&name)
}

static PRELUDE: LazyLock<Prelude> = LazyLock::new(|| {
    let mut prelude = Prelude { values: Names::new(), others: OF_RUST.map(str::to_owned).into() };
    let runtime = oxtorch_setup::source("runtime/src/prelude.rs").unwrap_or_default();
    parsed(&runtime, |file: syn::File| fill(&mut prelude, &file));
    prelude.values.insert("drop".to_owned());
    prelude
});

/// Adds what a file's `use` declarations name.
fn fill(prelude: &mut Prelude, file: &syn::File) {
    for item in &file.items {
        let syn::Item::Use(it) = item else { continue };
        for UseLeaf { name, code, .. } in leaves(it) {
            let Some(name) = name else { continue };
            // What stands in the root of the runtime is a module or a crate.
            let in_root = code.strip_prefix("use crate::").is_some_and(|rest| !rest.contains("::"));
            if !in_root && name.starts_with(char::is_lowercase) {
                prelude.values.insert(name.clone());
            }
            prelude.others.insert(name);
        }
    }
}

/// What Rust's own prelude has in scope.
const OF_RUST: [&str; 48] = [
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
}
