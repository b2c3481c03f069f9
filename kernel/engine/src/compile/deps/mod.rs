//! `:dep`: crates that a notebook asks for.
//!
//! `spec` reads what is asked for, `workspace` has cargo resolve and build it beside the runtime, `set` puts the result
//! into a library that cells link, and keeps it for the next session; `failure` says what went wrong. What a session
//! has asked for so far is here.
//!
//! All that a session asks for is resolved together, so that its crates share what they build on. Where that would
//! change a crate that is in use, or part the user's crates from those of the runtime (a feature of one crate can mean
//! another build of `tch`), what is new stands apart, with copies of its own of what differs. What the user has named
//! is never there twice: that is refused.

mod exports;
pub(crate) mod failure;
pub(crate) mod reactor;
pub(crate) mod set;
pub(crate) mod spec;
pub(crate) mod workspace;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use oxtorch_setup::Runtime;
use oxtorch_system::child::Stop;

pub use crate::compile::deps::failure::Failure;
use crate::compile::deps::set::{Direct, Request, Set};
use crate::compile::deps::spec::Spec;
use crate::source::identifiers::Names;
use crate::source::source_map::CrateSource;
use crate::source::words::in_name;

/// What to do about a crate that cannot change any more.
const RESTART: &str = "put all `:dep` lines into one cell at the top, restart the kernel, and run the notebook again";

/// The crates that a session has asked for.
#[derive(Debug, Clone, Default)]
pub struct Dependencies {
    /// What is resolved together, by name.
    together: Vec<Spec>,
    /// What stands apart from that.
    apart: Vec<Spec>,
    /// The versions that were settled on.
    lock: Option<String>,
    /// What was built, the earlier ones first.
    sets: Vec<Arc<Set>>,
    /// Whether a cell has used a crate.
    used: bool,
    links: Arc<Links>,
}

/// What rustc is told of the crates.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// Names in code, and the crates that they stand for.
    pub externs: Vec<(String, PathBuf)>,
    /// Where crates, and the libraries that hold them, lie.
    pub folders: Vec<PathBuf>,
    /// Where native libraries lie.
    pub native: Vec<PathBuf>,
}

/// The crates that every cell has by name without asking.
pub const OFFERED: [&str; 7] = ["tch", "anyhow", "rand", "ndarray", "image", "plotters", "tokio"];

/// Where and for what crates are built.
#[derive(Debug, Clone)]
pub struct Site {
    /// What they have to go with.
    pub runtime: Runtime,
    /// A folder for work in progress.
    pub scratch: PathBuf,
    /// What a path is relative to.
    pub folder: PathBuf,
}

/// Takes lines that tell how far the work is.
pub type Tell = Arc<dyn Fn(String) + Send + Sync>;

impl Dependencies {
    /// Adds what the lines of a cell ask for. Returns notes for the user. Dropping the future ends the work.
    pub async fn add(&mut self, lines: &[String], site: &Site, tell: Tell) -> Result<Vec<String>, Failure> {
        let mut new: Vec<Spec> = Vec::new();
        for line in lines {
            let spec = Spec::parse(line, &site.folder).map_err(Failure::plain)?;
            new.retain(|other| other.identifier() != spec.identifier());
            new.push(spec);
        }
        // Only a folder of the user's can have changed since.
        let is_known = |spec: &Spec| self.together.contains(spec) || self.apart.contains(spec);
        new.retain(|spec| spec.is_path || !is_known(spec));
        let (again, new): (Vec<Spec>, Vec<Spec>) = new.into_iter().partition(|spec| self.apart.contains(spec));
        let mut apart = Vec::new();
        let mut notes = Vec::new();
        if !new.is_empty() {
            let together = with(&self.together, &new);
            let is_fixed = self.used || !self.apart.is_empty();
            let base = if is_fixed { self.sets.clone() } else { Vec::new() };
            let (set, lock) = obtain(self.request(together.clone(), base, site), &tell).await?;
            let changes = is_fixed && self.change(&set).is_some();
            let parts = set.parts_from_runtime && together.len() > 1;
            if !changes && !parts {
                if !is_fixed {
                    self.sets.clear();
                }
                self.together = together;
                notes.extend(self.adopt(set, lock));
            } else {
                apart = new;
            }
        }
        for spec in apart.into_iter().chain(again) {
            notes.extend(self.add_apart(spec, site, &tell).await?);
        }
        Ok(notes)
    }

    async fn add_apart(&mut self, spec: Spec, site: &Site, tell: &Tell) -> Result<Vec<String>, Failure> {
        let (set, lock) = obtain(self.request(vec![spec.clone()], self.sets.clone(), site), tell).await?;
        if let Some(failure) = self.change(&set).or_else(|| self.second_copy(&set)) {
            return Err(failure);
        }
        self.apart.retain(|other| other.identifier() != spec.identifier());
        self.apart.push(spec);
        Ok(self.adopt(set, lock))
    }

    fn request(&self, specs: Vec<Spec>, base: Vec<Arc<Set>>, site: &Site) -> Request {
        let Site { runtime, scratch, .. } = site.clone();
        Request { runtime, specs, base, lock: self.lock.clone(), scratch }
    }

    /// Why a set does not go with what is in use: it has another crate under a name that is taken, or other code.
    fn change(&self, set: &Set) -> Option<Failure> {
        if let Some(held) = self.sets.iter().find_map(|earlier| set.clashes(earlier)) {
            let package = &held.package;
            return Some(Failure::new(
                format!("`{package}` is in use, and its code has changed since"),
                "restart the kernel and run the notebook again to use the new code",
            ));
        }
        let changed = set
            .direct
            .iter()
            .find(|direct| self.direct(&direct.identifier).is_some_and(|earlier| earlier.stem != direct.stem));
        changed.map(|direct| {
            let name = &direct.identifier;
            Failure::new(format!("`{name}` is in use, and this cell would need a different build of it"), RESTART)
        })
    }

    /// Why a set does not go with what the user has named: it brings a copy of its own of such a crate.
    fn second_copy(&self, set: &Set) -> Option<Failure> {
        let named = self.sets.iter().flat_map(|earlier| {
            earlier.crates.iter().filter(|held| earlier.direct.iter().any(|direct| direct.stem == held.stem))
        });
        let copied = named.into_iter().find(|named| {
            set.crates
                .iter()
                .any(|held| held.package == named.package && held.version == named.version && held.stem != named.stem)
        });
        copied.map(|held| {
            let (package, version) = (&held.package, &held.version);
            Failure::new(
                format!("`{package}` {version} is in use, and this cell needs it with other features"),
                RESTART,
            )
        })
    }

    /// Makes a set usable; returns its notes, less those that were told already.
    fn adopt(&mut self, set: Set, lock: String) -> Vec<String> {
        self.lock = Some(lock);
        let is_told = |note: &&String| self.sets.iter().any(|earlier| earlier.notes.contains(note));
        let notes = set.notes.iter().filter(|note| !is_told(note)).cloned().collect();
        let is_known = |direct: &Direct| self.direct(&direct.identifier).is_some_and(|earlier| earlier == direct);
        if set.library.is_some() || !set.direct.iter().all(is_known) {
            self.sets.push(Arc::new(set));
        }
        self.links = Arc::new(self.links());
        notes
    }

    /// The crate that a name in code stands for: the latest.
    fn direct(&self, identifier: &str) -> Option<&Direct> {
        self.sets.iter().rev().find_map(|set| set.direct(identifier))
    }

    fn links(&self) -> Links {
        let mut links = Links::default();
        let all = || self.sets.iter().rev().flat_map(|set| &set.direct);
        // rustc writes types with the crate's own name, whatever it is called here.
        let names = all().map(|direct| (&direct.identifier, direct));
        for (name, direct) in names.chain(all().map(|direct| (&direct.krate, direct))) {
            if direct.is_runtimes && OFFERED.contains(&name.as_str()) {
                // Cells have it by that name: `tch` with our indices.
                continue;
            }
            if !links.externs.iter().any(|(other, _)| other == name) {
                links.externs.push((name.clone(), direct.file.clone()));
            }
        }
        for set in &self.sets {
            if let Some(library) = &set.library {
                links.externs.push((set.name.clone(), library.clone()));
            }
            links.folders.push(set.folder.clone());
            links.native.extend(set.native.iter().filter(|folder| folder.is_dir()).cloned());
        }
        links
    }

    /// The crates that were asked for and what was settled on, a line each.
    pub fn list(&self) -> String {
        let version = |spec: &Spec| {
            let mut held = self.sets.iter().rev().flat_map(|set| &set.crates);
            held.find(|held| held.package == spec.package).map(|held| format!("  # {}", held.version))
        };
        let specs = self.together.iter().chain(&self.apart);
        let lines: Vec<String> = specs.map(|spec| format!("{spec}{}", version(spec).unwrap_or_default())).collect();
        if lines.is_empty() { "no crate has been added; `:dep NAME` adds one".to_owned() } else { lines.join("\n") }
    }

    /// What rustc is told of the crates, for every cell.
    pub fn links_for_rustc(&self) -> &Links {
        &self.links
    }

    /// Links the crates to a cell that mentions one of them. `taken` are names of the user's own. Returns crates that
    /// the cell names though nobody has asked for them: a variable may be of a type of such a crate.
    ///
    /// It stands behind the user's text; and as it names the sets, whose names say what is in them, the same cell with
    /// other crates is another crate.
    pub fn attach(&self, source: &mut CrateSource, taken: &Names) -> Vec<(String, PathBuf)> {
        let is_anothers = |name: &str| self.direct(name).is_some_and(|direct| !direct.is_runtimes);
        let names: BTreeSet<&str> = self.links.externs.iter().map(|(name, _)| name.as_str()).collect();
        let unnamed = self.unnamed_in(&source.text);
        let mut words = source.text.split(|char| !in_name(char));
        if unnamed.is_empty() && (names.is_empty() || !words.any(|word| names.contains(word))) {
            return unnamed;
        }
        source.glue("\n");
        for set in &self.sets {
            let name = &set.name;
            source.glue(&if set.library.is_some() {
                format!("extern crate {name} as _; ")
            } else {
                format!("/* {name} */ ")
            });
        }
        // A name that the prelude offers as well would be ambiguous.
        for name in OFFERED.iter().filter(|name| !taken.contains(**name)) {
            if is_anothers(name) {
                source.glue(&format!("#[allow(unused_imports)] use ::{name}; "));
            }
        }
        source.glue("\n");
        unnamed
    }

    /// The crates below those asked for that the text names by an absolute path, as we write types.
    fn unnamed_in(&self, text: &str) -> Vec<(String, PathBuf)> {
        let mut unnamed: Vec<(String, PathBuf)> = Vec::new();
        let crates = || self.sets.iter().flat_map(|set| &set.crates);
        for held in crates() {
            let name = held.krate();
            let is_named =
                OFFERED.contains(&name) || self.links.externs.iter().chain(&unnamed).any(|(other, _)| other == name);
            // Of two crates of one name we cannot say which is meant.
            let is_only = crates().all(|other| other.krate() != name || other.stem == held.stem);
            let is_mentioned = || {
                text.match_indices(name).any(|(at, _)| {
                    let after = text[at + name.len()..].trim_start();
                    after.starts_with("::") && text[..at].trim_end().ends_with("::")
                })
            };
            if !is_named && is_only && is_mentioned() {
                unnamed.push((name.to_owned(), held.file.clone()));
            }
        }
        unnamed
    }

    /// Takes note of the source of a cell that is about to run.
    pub fn remember_use(&mut self, source: &str) {
        self.used |= self.sets.iter().any(|set| source.contains(&set.name));
    }
}

/// The crates asked for earlier, less those that are asked for anew, and these.
fn with(earlier: &[Spec], new: &[Spec]) -> Vec<Spec> {
    let is_replaced = |spec: &&Spec| new.iter().any(|new| new.identifier() == spec.identifier());
    let mut specs: Vec<Spec> = earlier.iter().filter(|spec| !is_replaced(spec)).chain(new).cloned().collect();
    specs.sort_by(|a, b| a.name.cmp(&b.name));
    specs
}

/// What a request gave earlier, or gives now.
async fn obtain(request: Request, tell: &Tell) -> Result<(Set, String), Failure> {
    if let Some(cached) = request.cached()? {
        return Ok(cached);
    }
    let stop = Arc::new(Stop::default());
    let _stop_when_dropped = StopOnDrop(Arc::clone(&stop));
    let tell = Arc::clone(tell);
    let build = tokio::task::spawn_blocking(move || request.build(&stop, &*tell));
    build.await.unwrap_or_else(|error| Err(Failure::plain(format!("the build of the crates ended early: {error}"))))
}

struct StopOnDrop(Arc<Stop>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A session with one set: `mine`, another `rand` than the runtime's, and `below`, which `mine` builds on.
    fn session() -> Dependencies {
        let direct = |name: &str| {
            serde_json::json!({"identifier": name, "krate": name, "stem": format!("lib{name}-01"),
                "file": format!("/x/lib{name}-01.rmeta"), "is_runtimes": false})
        };
        let held = |name: &str| {
            serde_json::json!({"package": name, "version": "1.0.0", "stem": format!("lib{name}-01"), "contents": "0",
                "file": format!("/x/lib{name}-01.rmeta"), "is_macro": false})
        };
        let set = serde_json::json!({"name": "deps_01", "library": "/x/libdeps_01.so", "folder": "/x", "native": [],
            "direct": [direct("mine"), direct("rand")], "crates": [held("mine"), held("rand"), held("below")],
            "notes": ["a note"], "parts_from_runtime": false});
        let mut session = Dependencies::default();
        let notes = session.adopt(serde_json::from_value(set).expect("is a set"), String::new());
        assert_eq!(notes, ["a note"]);
        session
    }

    fn attached(text: &str, taken: &[&str]) -> (String, Vec<String>) {
        let mut source = CrateSource::default();
        source.glue(text);
        let taken = taken.iter().map(|name| name.to_string()).collect();
        let externs = session().attach(&mut source, &taken);
        (source.text[text.len()..].to_owned(), externs.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn a_cell_links_the_crates_that_it_mentions() {
        assert_eq!(attached("let x = miner::f();", &[]), (String::new(), vec![]));
        let (glue, externs) = attached("let x = mine::f();", &["rand"]);
        assert_eq!((glue.trim(), externs), ("extern crate deps_01 as _;", vec![]));
        // The prelude has this name too.
        let (glue, _) = attached("use mine::f;", &[]);
        assert!(glue.contains("use ::rand;"), "{glue}");
    }

    #[test]
    fn a_type_of_a_crate_below_is_named_where_a_variable_has_it() {
        let (glue, externs) = attached("let x: :: below :: Type = take();", &[]);
        assert!(glue.contains("extern crate deps_01 as _;"), "{glue}");
        assert_eq!(externs, ["below"]);
        assert_eq!(attached("below::Type", &[]), (String::new(), vec![]));
    }

    #[test]
    fn a_crate_is_in_use_once_a_cell_has_linked_it() {
        let mut session = session();
        session.remember_use("let x = 1;");
        assert!(!session.used);
        session.remember_use("extern crate deps_01 as _;");
        assert!(session.used);
    }

    #[test]
    fn what_is_asked_for_anew_takes_the_place_of_the_old() {
        let spec = |text: &str| Spec::parse(text, Path::new("/")).expect("is a dependency");
        let specs = with(&[spec("b"), spec("my-a = \"1\"")], &[spec("my_a = \"2\""), spec("c")]);
        let texts: Vec<String> = specs.iter().map(Spec::to_string).collect();
        assert_eq!(texts, [r#"b = { version = "*" }"#, r#"c = { version = "*" }"#, r#"my_a = { version = "2" }"#]);
    }
}
