//! What `docs/ARCHITECTURE.md` draws is what the manifests and the code say, and what rustfmt does not see.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, TableLike};

/// Rooms that may name one of an upper row.
const MUTUAL: [(&str, &str); 2] = [("perform", "cell"), ("assist", "cell")];

/// The most files of a room.
const MOST_FILES: usize = 12;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn manifest(folder: &str) -> DocumentMut {
    read(&root().join(folder).join("Cargo.toml")).parse().expect("a manifest is TOML")
}

fn architecture() -> String {
    read(&root().join("docs/ARCHITECTURE.md"))
}

/// The cells of the rows of the table below this line, without their backticks.
fn table(page: &str, below: &str) -> Vec<Vec<String>> {
    let (_, behind) = page.split_once(below).unwrap_or_else(|| panic!("the page has no `{below}`"));
    let rows = behind.lines().skip_while(|line| !line.starts_with("| ")).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    rows.skip(2).map(cells).collect()
}

/// The packages of this workspace that a package is built from, by their folders.
fn built_from(folder: &str) -> BTreeSet<String> {
    let manifest = manifest(folder);
    let tables =
        ["dependencies", "build-dependencies"].map(|name| manifest.get(name).and_then(|it| it.as_table_like()));
    let paths = tables.into_iter().flatten().flat_map(TableLike::iter).filter_map(|(_, it)| it.get("path")?.as_str());
    let base = root().canonicalize().expect("is there");
    paths
        .map(|path| {
            let folder = base.join(folder).join(path).canonicalize().expect("is there");
            folder.strip_prefix(&base).expect("is in the workspace").display().to_string()
        })
        .collect()
}

#[test]
fn the_map_of_packages_is_that_of_the_manifests() {
    let workspace = manifest("");
    // What is excluded is a package as well, in place of one of the registry.
    let packages = |list: &str| workspace["workspace"][list].as_array().expect("a list of folders").iter();
    let real: BTreeMap<String, BTreeSet<String>> = packages("members")
        .chain(packages("exclude"))
        .map(|member| member.as_str().expect("a folder").to_owned())
        .map(|it| (it.clone(), built_from(&it)))
        .collect();
    let page = architecture();
    let drawn: BTreeMap<String, BTreeSet<String>> = table(&page, "## The map")
        .into_iter()
        .map(|row| {
            let uses = row.last().expect("a column").split(", ").filter(|it| !it.is_empty()).map(str::to_owned);
            (row[0].clone(), uses.collect())
        })
        .collect();
    assert_eq!(drawn, real);
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("can be read") {
        let path = entry.expect("can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The rooms that the code of a room names; its tests may name any.
fn named_by(room: &Path, rooms: &[String]) -> BTreeSet<String> {
    let mut files = Vec::new();
    sources(room, &mut files);
    files.extend(Some(room.with_extension("rs")).filter(|file| file.is_file()));
    let mut named = BTreeSet::new();
    for file in &files {
        let text = read(file);
        let code = text.split("\nmod tests {").next().unwrap_or_default();
        let lines: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for path in lines.split("crate::").skip(1) {
            // `crate::room::..` and `crate::room;` as well as `crate::{room::.., other}`.
            let group = path.strip_prefix('{').and_then(|group| group.split('}').next());
            let paths = group.or_else(|| path.split(',').next()).unwrap_or_default();
            for path in paths.split(',') {
                let first = path.trim().split(|char: char| !(char.is_alphanumeric() || char == '_')).next();
                named.extend(rooms.iter().filter(|room| first == Some(room)).cloned());
            }
        }
    }
    named
}

/// The files of Rust in a folder, less those below it.
fn files_in(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("can be read").map(|entry| entry.expect("can be read").path());
    entries.filter(|path| path.extension().is_some_and(|ending| ending == "rs")).count()
}

#[test]
fn a_room_names_those_below_it_alone_and_can_be_overlooked() {
    let page = architecture();
    let mut wrong = Vec::new();
    for (package, below) in
        [("engine", "has rooms"), ("jupyter", "are parted by the same rule"), ("setup", "are parted by the same rule")]
    {
        let rows = table(&page, below);
        let rooms = rows.iter().filter_map(|row| row[0].strip_prefix(package)?.strip_prefix('/'));
        let rooms: Vec<String> = rooms.map(str::to_owned).collect();
        let folder = root().join("kernel").join(package).join("src");
        let there: BTreeSet<String> = std::fs::read_dir(&folder)
            .expect("can be read")
            .map(|entry| entry.expect("can be read"))
            .filter(|entry| entry.path().is_dir() && files_in(&entry.path()) > 0 && entry.file_name() != "tests")
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        assert_eq!(rooms.iter().cloned().collect::<BTreeSet<_>>(), there, "the page names all rooms");
        for (at, room) in rooms.iter().enumerate() {
            for other in named_by(&folder.join(room), &rooms[..at]) {
                if !MUTUAL.contains(&(room.as_str(), other.as_str())) {
                    wrong.push(format!("{room} names {other}, which stands above it"));
                }
            }
            if files_in(&folder.join(room)) > MOST_FILES {
                wrong.push(format!("{package}/{room} has more than {MOST_FILES} files"));
            }
        }
        if files_in(&folder) > MOST_FILES {
            wrong.push(format!("{package} has more than {MOST_FILES} files beside its rooms"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_files_and_folders_that_pages_name_are_there() {
    let mut files = Vec::new();
    for folder in ["kernel", "runtime", "tests"] {
        sources(&root().join(folder), &mut files);
    }
    let is_there = |path: &str| match path.split_once('/') {
        Some((package, inside)) => {
            root().join(path).exists() || root().join("kernel").join(package).join("src").join(inside).exists()
        }
        None => files.iter().any(|file| file.file_name().is_some_and(|name| name == path)),
    };
    let is_path = |text: &&str| {
        let plain = text.chars().all(|char| char.is_ascii_alphanumeric() || "/_.-".contains(char));
        plain && (text.contains('/') || text.ends_with(".rs"))
    };
    for page in ["ARCHITECTURE.md", "PROTOCOL.md", "SECURITY.md"] {
        let text = read(&root().join("docs").join(page));
        let quoted = text.split('`').skip(1).step_by(2);
        let lost: Vec<&str> = quoted.filter(is_path).filter(|path| !is_there(path)).collect();
        assert_eq!(lost, Vec::<&str>::new(), "{page}");
    }
}

#[test]
fn lines_end_within_120_columns() {
    let mut files = Vec::new();
    for folder in ["kernel", "runtime", "tests"] {
        sources(&root().join(folder), &mut files);
    }
    let mut long = Vec::new();
    for file in files {
        // A string is left as it is, and so is what goes with it.
        let text = read(&file);
        let lines = text.lines().enumerate().filter(|(_, line)| line.chars().count() > 120);
        let is_free = |line: &str| line.trim_start().starts_with("//") || !(line.contains('"') || line.ends_with('\\'));
        long.extend(lines.filter(|(_, line)| is_free(line)).map(|(at, _)| format!("{}:{}", file.display(), at + 1)));
    }
    assert_eq!(long, Vec::<String>::new());
}
