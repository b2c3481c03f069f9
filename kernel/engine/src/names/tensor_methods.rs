//! Methods of tensors: a sentence with the shapes, and an example, for those that courses use most. The wrappers of
//! `tch`, which are generated, say nothing of themselves.

use std::sync::LazyLock;

use toml_edit::{DocumentMut, Item};

/// A method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// `gather`.
    pub name: String,
    /// What it does, with shapes, as markdown.
    pub about: String,
    /// Code that runs in a cell of its own, or behind other examples.
    pub example: String,
}

const TABLE: &str = include_str!("tensor_methods.toml");

/// All that are described, in the table's order.
pub fn all() -> &'static [Method] {
    static METHODS: LazyLock<Vec<Method>> = LazyLock::new(|| {
        let table: DocumentMut = TABLE.parse().unwrap_or_default();
        let method = |(name, item): (&str, &Item)| {
            let text = |key: &str| Some(item.get(key)?.as_str()?.trim().to_owned());
            Some(Method { name: name.to_owned(), about: text("about")?, example: text("example")? })
        };
        table.iter().filter_map(method).collect()
    });
    &METHODS
}

/// What is said of a method, by its path `Tensor::gather`.
pub fn find(path: &str) -> Option<&'static Method> {
    let name = path.strip_prefix("Tensor::").or_else(|| path.strip_prefix("IndexOp::"))?;
    all().iter().find(|method| method.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_whole() {
        let sections = TABLE.lines().filter(|line| line.starts_with('[')).count();
        assert_eq!(all().len(), sections);
        assert!(find("Tensor::gather").is_some_and(|method| method.example.contains("gather(")));
        assert_eq!(find("Tensor::no_such_method"), None);
    }
}
