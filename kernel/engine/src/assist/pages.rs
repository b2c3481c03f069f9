//! `docs/REFERENCE.md` and `docs/FROM_PYTHON.md` are what the sources and the tables of names say.
//! `OXTORCH_UPDATE=1` writes them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use crate::assist::library::in_python::in_python;
use crate::assist::library::public_names::{self, about_module, folder_of};
use crate::assist::markdown::table;
use crate::assist::runtime_index::{self, Wanted};
use crate::names::{self, Entry};

#[track_caller]
fn check(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    if std::env::var_os("OXTORCH_UPDATE").is_some() {
        std::fs::write(&path, page).expect("the page can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = written.lines().zip(page.lines()).find(|(is, should)| is != should);
    assert!(written == page, "{name} is not current ({differs:?}): OXTORCH_UPDATE=1 writes it");
}

#[test]
fn the_page_for_those_who_come_from_python_has_all_names() {
    let mut page = String::from(
        "# From Python\n\nWhat names of PyTorch, NumPy, Keras and others are called here. In a notebook, `:doc torch.cat` tells \
         the same with the documentation, and `:find cross entropy` finds names by words.\n\n`x`, `y`, `logits`, `labels` and \
         the like are tensors, `vs` is a `nn::VarStore`, `net` a network, `opt` an optimizer.\n",
    );
    let mut modules: Vec<(&str, Vec<&Entry>)> = Vec::new();
    for entry in names::all() {
        match modules.last_mut() {
            Some((module, entries)) if *module == entry.module => entries.push(entry),
            _ => modules.push((&entry.module, vec![entry])),
        }
    }
    for (module, entries) in modules {
        let row = |entry: &&Entry| {
            let written = entry.write.as_ref().or(entry.ours.as_ref()).map(|code| format!("`{code}`"));
            [format!("`{}`", entry.name()), written.unwrap_or_default(), entry.note.clone().unwrap_or_default()]
        };
        let rows: Vec<[String; 3]> = entries.iter().map(row).collect();
        let _ = write!(page, "\n## {module}\n\n{}\n", table(["In Python", "Here", "Remarks"], &rows));
    }
    check("FROM_PYTHON.md", &page);
}

#[test]
fn the_reference_has_all_that_cells_can_write() {
    let mut folders = BTreeMap::<String, Vec<[String; 3]>>::new();
    let mut add = |module: &str, path: &str, about: &str| {
        let python = in_python(path).first().map(|name| format!("`{name}`")).unwrap_or_default();
        folders.entry(folder_of(module)).or_default().push([format!("`{path}`"), about.to_owned(), python]);
    };
    for name in public_names::shortest().filter(|name| name.is_of_runtime()) {
        add(&name.item.0, &name.path, &name.about);
    }
    for (module, path, about) in public_names::members_elsewhere() {
        add(module, &path, about);
    }
    let mut page = String::from(
        "# Reference\n\nWhat cells can write beside `tch` itself, by the folders of `runtime/src`: the name, what it is, and its \
         name in Python. In a notebook, `:doc NAME` shows all that is known of a name.\n",
    );
    for (folder, mut rows) in folders {
        rows.sort();
        rows.dedup();
        let about = about_module(&format!("oxtorch::{}", folder.replace('/', "::")));
        let folder = if folder.is_empty() { "runtime/src" } else { &folder };
        let about = if about.is_empty() { String::new() } else { format!("{about}\n\n") };
        let _ = write!(page, "\n## {folder}\n\n{about}{}\n", table(["Name", "What it is", "In Python"], &rows));
    }
    check("REFERENCE.md", &page);
}

#[test]
fn the_table_of_names_names_what_is_there() {
    let is_standard = |name: &str| ["std::", "f64::", "Vec"].iter().any(|root| name.starts_with(root));
    let lost = names::all().iter().filter(|entry| {
        let ours = entry.ours.as_deref().filter(|ours| !is_standard(ours));
        ours.is_some_and(|ours| runtime_index::find(&Wanted::parse(ours)).is_none())
    });
    let lost: Vec<(&str, Option<&str>)> = lost.map(|entry| (entry.foreign.as_str(), entry.ours.as_deref())).collect();
    assert_eq!(lost, []);
}

#[test]
fn the_methods_that_are_described_are_there() {
    let members = runtime_index::members("Tensor");
    let is_there = |name: &str| members.iter().any(|(other, _)| other == name) || ["i", "set_i"].contains(&name);
    let lost: Vec<&str> =
        names::tensor_methods::all().iter().map(|method| method.name.as_str()).filter(|name| !is_there(name)).collect();
    assert_eq!(lost, Vec::<&str>::new());
}
