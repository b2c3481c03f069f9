//! A set of crates that is built for cells, and the shared library that holds them.
//!
//! rustc links a crate into each library that uses it unless a shared library has it already, and refuses a program in
//! which two libraries hold the same crate. So the crates of a set are linked once, into a library of their own, less
//! those that the runtime holds or an earlier set; cells link to that.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oxtorch_setup::Runtime;
use oxtorch_setup::build::library_name;
use oxtorch_setup::metadata::package_name;
use oxtorch_system::child::{Stop, command, run_until, with_path};
use oxtorch_system::home::{Home, HomeError, keep_others_from_writing, key, link, trust};
use serde::{Deserialize, Serialize};

use crate::compile::deps::OFFERED;
use crate::compile::deps::exports::{ARCHIVE, EMPTY, exporting, functions_below};
use crate::compile::deps::failure::{Failure, untrusted};
use crate::compile::deps::reactor::{Reactor, TOKIO};
use crate::compile::deps::spec::Spec;
use crate::compile::deps::workspace::{Built, BuiltCrate, Resolved, Workspace, code_beside};
use crate::compile::rustc::{give_crate, look_in};

/// Where sets are kept, by their names.
const SETS: &str = "deps";
/// Where it is kept what requests gave.
const REQUESTS: &str = "deps/requests";
/// Describes the set that a request gave last.
const RECORD: &str = "set.json";
const LOCK: &str = "Cargo.lock";
/// Another one where the same crates are linked in another way than before.
const FORM: &str = "with C functions and a reactor";
/// Has the linker refuse what a library would be refused for when it is loaded; on macOS it does so by itself.
const NOTHING_UNDEFINED: &str = if cfg!(target_os = "linux") { "-Clink-arg=-Wl,-z,defs" } else { "" };

/// A set of built crates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// Its name, and that of the crate that holds it: a hash of all that is in it.
    pub name: String,
    /// The shared library; none where the runtime, or an earlier set, holds everything.
    pub library: Option<PathBuf>,
    /// The folder of its crates.
    pub folder: PathBuf,
    /// Folders of native libraries.
    pub native: Vec<PathBuf>,
    /// What was asked for.
    pub direct: Vec<Direct>,
    /// Every crate that it reaches, whoever holds it.
    pub crates: Vec<Held>,
    /// What the user should know of it.
    pub notes: Vec<String>,
    /// Whether it has a copy of its own of a crate that cells have, in the same version but with other features.
    pub parts_from_runtime: bool,
    /// What drives the tasks of the tokio that it holds.
    reactor: Option<Reactor>,
}

/// A crate that code can name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Direct {
    /// The name to use it by.
    pub identifier: String,
    /// Its own name.
    pub krate: String,
    /// Which of the crates it is.
    pub stem: String,
    /// The file.
    pub file: PathBuf,
    /// Whether it is the very crate that the runtime was built from.
    pub is_runtimes: bool,
}

/// A crate of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The package that it comes from.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The name of its file, with cargo's hash of version, features and flags.
    pub stem: String,
    /// A hash of the contents; none for one that the runtime holds.
    pub contents: Option<String>,
    /// The file: metadata, whose code is in a library, or a macro.
    pub file: PathBuf,
    is_macro: bool,
}

impl Direct {
    fn of(held: &Held, identifier: &str, krate: &str, is_runtimes: bool) -> Self {
        let (identifier, krate) = (identifier.to_owned(), krate.to_owned());
        Self { identifier, krate, stem: held.stem.clone(), file: held.file.clone(), is_runtimes }
    }
}

impl Held {
    /// The name of the crate itself: `libserde_json-0123` is that of `serde_json`.
    pub fn krate(&self) -> &str {
        let name = self.stem.strip_prefix("lib").unwrap_or(&self.stem);
        name.rsplit_once('-').map_or(name, |(name, _)| name)
    }
}

impl Set {
    /// Whether another set has a crate under the same name with other contents.
    pub fn clashes(&self, other: &Set) -> Option<&Held> {
        self.crates.iter().find(|held| {
            other.crates.iter().any(|earlier| earlier.stem == held.stem && earlier.contents != held.contents)
        })
    }

    /// The crate that has this name in code.
    pub fn direct(&self, identifier: &str) -> Option<&Direct> {
        self.direct.iter().find(|direct| direct.identifier == identifier)
    }

    /// Whether every file is where it was.
    fn is_whole(&self) -> bool {
        self.named_files().all(|file| file.is_file())
    }

    /// The files that rustc is told of by name.
    fn named_files(&self) -> impl Iterator<Item = &PathBuf> {
        self.library.iter().chain(self.direct.iter().map(|direct| &direct.file))
    }

    /// An error where others than the user and root can change something of it: the compiler reads it all, and hosts
    /// load it.
    fn check_trust(&self) -> Result<(), HomeError> {
        let crates = self.crates.iter().map(|held| &held.file);
        let files: BTreeSet<&Path> = self.named_files().chain(crates).map(PathBuf::as_path).collect();
        let folders: BTreeSet<&Path> = files.iter().filter_map(|file| file.parent()).chain([&*self.folder]).collect();
        let native: BTreeSet<&Path> = self.native.iter().map(PathBuf::as_path).collect();
        folders.union(&native).try_for_each(|folder| trust::check(folder))?;
        files.iter().try_for_each(|file| trust::check_here(file))?;
        let libraries = native.iter().flat_map(fs::read_dir).flatten().flatten();
        libraries.map(|library| library.path()).try_for_each(|library| trust::check_here(&library))
    }
}

/// What is kept in the place of a request: the set that it gave last, with its lock.
fn kept(place: &Path) -> Result<Option<(Set, String)>, Failure> {
    let read = |name: &str| {
        let path = place.join(name);
        // It says what is loaded, and from where.
        trust::check(&path).map_err(untrusted)?;
        Ok::<_, Failure>(fs::read_to_string(&path).ok())
    };
    let (Some(record), Some(lock)) = (read(RECORD)?, read(LOCK)?) else { return Ok(None) };
    let Some(set) = serde_json::from_str(&record).ok().filter(Set::is_whole) else { return Ok(None) };
    set.check_trust().map_err(untrusted)?;
    Ok(Some((set, lock)))
}

/// What a session asks for.
#[derive(Debug, Clone)]
pub struct Request {
    /// What it has to go with.
    pub runtime: Runtime,
    /// The crates.
    pub specs: Vec<Spec>,
    /// The sets that are in use already.
    pub base: Vec<Arc<Set>>,
    /// The versions that an earlier set settled on.
    pub lock: Option<String>,
    /// A folder for work in progress.
    pub scratch: PathBuf,
}

impl Request {
    fn home(&self) -> Home {
        self.runtime.recipe.sessions()
    }

    /// Where what this gives is kept.
    fn place(&self) -> PathBuf {
        let specs: Vec<String> = self.specs.iter().map(Spec::to_string).collect();
        let base = self.base.iter().map(|set| set.name.as_bytes());
        let parts = [self.runtime.key.as_bytes()].into_iter().chain(base);
        self.home().place(REQUESTS, &key(parts.chain(specs.iter().map(String::as_bytes))))
    }

    /// What this gave earlier, with its lock, if the sources cannot have changed since.
    ///
    /// # Errors
    ///
    /// Where others than the user and root can change it.
    pub fn cached(&self) -> Result<Option<(Set, String)>, Failure> {
        if self.specs.iter().any(|spec| spec.is_path) { Ok(None) } else { kept(&self.place()) }
    }

    /// Builds the set; blocks for as long as that takes.
    pub fn build(&self, stop: &Stop, tell: &(dyn Fn(String) + Sync)) -> Result<(Set, String), Failure> {
        let folder = tempfile::Builder::new()
            .prefix("deps-")
            .tempdir_in(&self.scratch)
            .map_err(Failure::io(format!("create a folder in {}", self.scratch.display())))?;
        let workspace = Workspace { recipe: &self.runtime.recipe, folder: folder.path(), stop };
        let place = self.place();
        let kept = fs::read_to_string(place.join(LOCK)).ok();
        workspace.lay_out(&self.specs, kept.as_deref().or(self.lock.as_deref()))?;
        let resolved = workspace.resolve(&self.specs, tell)?;
        let built = workspace.build(&resolved, tell)?;
        let lock = workspace.lock()?;

        let set = self.describe(&resolved, &built)?;
        if !set.is_whole() {
            self.gather(&set, &built, stop)?;
        }
        set.check_trust().map_err(untrusted)?;
        let record = serde_json::to_vec_pretty(&set).map_err(|error| Failure::plain(error.to_string()))?;
        let home = self.home();
        let written =
            home.write(&place.join(LOCK), lock.as_bytes()).and_then(|()| home.write(&place.join(RECORD), &record));
        written.map_err(|error| Failure::plain(error.to_string()))?;
        Ok((set, lock))
    }

    /// What a build gives, and where its parts will be.
    fn describe(&self, resolved: &Resolved, built: &Built) -> Result<Set, Failure> {
        let mut crates: Vec<Held> = Vec::new();
        for artifact in &built.artifacts {
            let stem = artifact.file.file_stem().unwrap_or_default();
            let mut held = Held {
                package: package_name(&artifact.id).to_owned(),
                version: resolved.versions.get(&artifact.id).cloned().unwrap_or_default(),
                stem: stem.to_string_lossy().into_owned(),
                contents: None,
                file: artifact.file.clone(),
                is_macro: artifact.is_macro,
            };
            match self.in_runtime(&held) {
                Some(file) => held.file = file,
                None => {
                    let code = artifact.code();
                    let read = fs::read(&code).map_err(Failure::io(format!("read {}", code.display())))?;
                    held.contents = Some(key([&*read]));
                }
            }
            crates.push(held);
        }
        let name = self.name(&crates, resolved);
        let folder = self.home().place(SETS, &name);
        let mut holds_code = false;
        for held in crates.iter_mut().filter(|held| held.contents.is_some()) {
            held.file = match self.in_base(held) {
                Some(file) => file,
                None => {
                    holds_code |= !held.is_macro;
                    folder.join(held.file.file_name().unwrap_or_default())
                }
            };
        }
        let mut direct = Vec::new();
        for wanted in &resolved.wanted {
            let artifact = built.artifacts.iter().position(|artifact| artifact.id == wanted.id);
            let Some(held) = artifact.and_then(|at| crates.get(at)) else {
                return Err(Failure::plain(format!("cargo has built no library of `{}`", wanted.identifier)));
            };
            direct.push(Direct::of(held, &wanted.identifier, &wanted.krate, self.is_runtimes(held)));
        }
        // What the crates take and give is of their tokio, whoever wrote that down.
        let is_tokio = |(held, _): &(&Held, &BuiltCrate)| {
            held.package == TOKIO && !self.is_runtimes(held) && held.version.starts_with("1.")
        };
        let mut reactor = None;
        if let Some((held, artifact)) = crates.iter().zip(&built.artifacts).find(is_tokio) {
            if !direct.iter().any(|direct: &Direct| direct.identifier == TOKIO) {
                direct.push(Direct::of(held, TOKIO, TOKIO, false));
            }
            let has =
                |feature| resolved.features.get(&artifact.id).is_some_and(|all| all.iter().any(|it| it == feature));
            if held.file.starts_with(&folder) && has("rt") {
                reactor = Some(if has("rt-multi-thread") { Reactor::Threads } else { Reactor::OneThread });
            }
        }
        let library = holds_code.then(|| folder.join(library_name(&name)));
        let (notes, parts_from_runtime) = self.second_copies(&crates, resolved);
        let native = built.native.clone();
        Ok(Set { name, library, folder, native, direct, crates, notes, parts_from_runtime, reactor })
    }

    /// A name that another set with the same contents has as well, and no other.
    fn name(&self, crates: &[Held], resolved: &Resolved) -> String {
        let mut parts = vec![self.runtime.key.clone(), FORM.to_owned()];
        parts.extend(self.base.iter().map(|set| set.name.clone()));
        parts.extend(crates.iter().map(|held| format!("{} {:?}", held.stem, held.contents)));
        parts.extend(resolved.wanted.iter().map(|wanted| format!("{} {}", wanted.identifier, wanted.id)));
        // The order in which cargo was done says nothing.
        parts.sort();
        format!("deps_{}", key(parts.iter().map(String::as_bytes)))
    }

    /// The file of a crate that the runtime has.
    fn in_runtime(&self, held: &Held) -> Option<PathBuf> {
        let name = held.file.file_name()?;
        self.runtime.dependencies.iter().map(|folder| folder.join(name)).find(|file| file.is_file())
    }

    /// The file of a crate that an earlier set has.
    fn in_base(&self, held: &Held) -> Option<PathBuf> {
        let mut earlier = self.base.iter().flat_map(|set| &set.crates);
        earlier.find(|earlier| earlier.stem == held.stem).map(|earlier| earlier.file.clone())
    }

    fn is_runtimes(&self, held: &Held) -> bool {
        self.runtime.dependencies.iter().any(|folder| held.file.starts_with(folder))
    }

    /// Says which crates that cells have from the start are there a second time, and whether one is in the same
    /// version.
    fn second_copies(&self, crates: &[Held], resolved: &Resolved) -> (Vec<String>, bool) {
        let (mut notes, mut same_version) = (Vec::new(), false);
        for held in crates.iter().filter(|held| OFFERED.contains(&held.package.as_str())) {
            if self.is_runtimes(held) {
                continue;
            }
            let (package, version) = (&held.package, &held.version);
            let mut runtimes = resolved.runtime.iter().filter(|id| package_name(id) == package);
            let how = match runtimes.next().and_then(|id| resolved.versions.get(id)) {
                Some(own) if own == version => {
                    // Crates of the network have to share theirs, so they stay together.
                    same_version |= package != TOKIO;
                    "with other features".to_owned()
                }
                Some(own) => format!("which is {own}"),
                None => continue,
            };
            let other = format!(
                "this `{package}` ({version}) is not the one that cells have from the start, {how}: \
                 values of one do not fit the other"
            );
            let from_now = if package == TOKIO { ", and `tokio` is this one from now on" } else { "" };
            notes.push(other + from_now);
        }
        (notes, same_version)
    }

    /// Brings the crates together and links the library.
    fn gather(&self, set: &Set, built: &Built, stop: &Stop) -> Result<(), Failure> {
        let place = set.folder.parent().unwrap_or(&set.folder);
        let failed = || Failure::io(format!("write the crates to {}", place.display()));
        self.home().prepare(place).map_err(|error| Failure::plain(error.to_string()))?;
        let folder = |prefix| tempfile::Builder::new().prefix(prefix).tempdir_in(&self.scratch).map_err(failed());
        // The code is read once, for the library.
        let (work, code) = (folder("set-")?, folder("code-")?);
        for (held, artifact) in set.crates.iter().zip(&built.artifacts) {
            if !held.file.starts_with(&set.folder) {
                continue;
            }
            let take = |file: &Path, into: &Path| {
                let to = into.join(file.file_name().unwrap_or_default());
                // What a registry has is fixed by its version; all else cargo may write anew in place.
                let is_fixed = artifact.id.starts_with("registry+");
                if is_fixed { link(file, &to) } else { fs::copy(file, &to).map(drop) }
            };
            take(&artifact.file, work.path()).map_err(failed())?;
            if !held.is_macro {
                take(&artifact.code(), code.path()).map_err(failed())?;
            }
        }
        if set.library.is_some() {
            self.link(set, work.path(), code.path(), stop)?;
        }
        keep_others_from_writing(work.path()).map_err(failed())?;
        match fs::rename(work.path(), &set.folder) {
            // Another session may have made the same at the same time.
            Err(_) if set.is_whole() => Ok(()),
            result => result.map_err(failed()),
        }
    }

    /// Links the library in the folder of work in progress, of what lies in that of the code.
    fn link(&self, set: &Set, work: &Path, code: &Path, stop: &Stop) -> Result<(), Failure> {
        let mut source = "extern crate oxtorch;\n".to_owned();
        let mut rustc = command(&self.runtime.rustc);
        rustc.current_dir(work).arg("lib.rs");
        rustc.args(["--edition", "2024", "--crate-type", "dylib", "--crate-name", &set.name]);
        rustc.args(["-C", "prefer-dynamic", "-C", "opt-level=3", "-C", "embed-bitcode=no"]);
        if let Some(linker) = &self.runtime.recipe.linker {
            rustc.arg("-C").arg(with_path("linker=", linker));
        }
        give_crate(&mut rustc, "oxtorch", &self.runtime.library);
        rustc.arg("-o").arg(library_name(&set.name));
        rustc.arg("-C").arg(format!("link-arg=-Wl,-soname,{}", library_name(&set.name)));
        look_in(&mut rustc, "dependency", work);
        look_in(&mut rustc, "dependency", code);
        look_in(&mut rustc, "native", work);
        self.runtime.dependencies.iter().for_each(|folder| look_in(&mut rustc, "dependency", folder));
        self.runtime.native.iter().for_each(|folder| look_in(&mut rustc, "native", folder));
        for earlier in &self.base {
            look_in(&mut rustc, "dependency", &earlier.folder);
            earlier.native.iter().for_each(|folder| look_in(&mut rustc, "native", folder));
            if let Some(library) = &earlier.library {
                source.push_str(&format!("extern crate {} as _;\n", earlier.name));
                give_crate(&mut rustc, &earlier.name, library);
            }
        }
        set.native.iter().for_each(|folder| look_in(&mut rustc, "native", folder));
        for folder in self.base.iter().map(|earlier| &earlier.folder).chain(&set.native) {
            rustc.arg("-C").arg(with_path("link-arg=-Wl,-rpath,", folder));
        }
        let is_code = |stem: &str| set.crates.iter().any(|held| held.stem == stem && !held.is_macro);
        for (number, direct) in set.direct.iter().filter(|direct| is_code(&direct.stem)).enumerate() {
            let there = direct.file.strip_prefix(&set.folder).map(|name| code_beside(&code.join(name)));
            source.push_str(&format!("extern crate crate_{number};\n"));
            if let Some(reactor) = set.reactor
                && direct.krate == TOKIO
            {
                source.push_str(&reactor.source(&format!("crate_{number}")));
            }
            give_crate(&mut rustc, &format!("crate_{number}"), &there.unwrap_or(direct.file.clone()));
        }
        let unwritten = || Failure::io(format!("write to {}", work.display()));
        rustc.arg("@linking");
        let mut link_with = |functions: &str, linking: &str| {
            fs::write(work.join("lib.rs"), format!("{source}{functions}")).map_err(unwritten())?;
            fs::write(work.join("linking"), linking).map_err(unwritten())?;
            let run = run_until(&mut rustc, stop, |_| ());
            run.map_err(Failure::io(format!("run {}", self.runtime.rustc.display())))
        };
        let names =
            functions_below(code, "rlib").map_err(Failure::io(format!("read the crates in {}", code.display())))?;
        if !names.is_empty() {
            fs::write(work.join(ARCHIVE), EMPTY).map_err(unwritten())?;
            if link_with(&exporting(&names), NOTHING_UNDEFINED)?.status.success() {
                return Ok(());
            }
            // Some of them need what is not there, and nothing that is used calls them.
        }
        let output = link_with("", "")?;
        if output.status.success() {
            return Ok(());
        }
        Err(Failure::new("the crates could not be linked", output.tail(25)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_set_that_others_can_change_in_any_part_is_not_used() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [place, made, native] = ["requests/key", "deps_1", "native"].map(|name| folder.path().join(name));
        for folder in [&place, &made, &native] {
            fs::create_dir_all(folder).expect("creates");
        }
        let [library, krate, link] = [made.join("libdeps_1.so"), made.join("liba-1.rmeta"), native.join("libz.so")];
        let held = Held {
            package: "a".into(),
            version: "1.0.0".into(),
            stem: "liba-1".into(),
            contents: Some("1".into()),
            file: krate.clone(),
            is_macro: false,
        };
        let set = Set {
            name: "deps_1".into(),
            library: Some(library.clone()),
            folder: made.clone(),
            native: vec![native.clone()],
            direct: vec![],
            crates: vec![held],
            notes: vec![],
            parts_from_runtime: false,
            reactor: None,
        };
        assert_eq!(kept(&place), Ok(None), "nothing is there yet");
        let (record, lock) = (place.join(RECORD), place.join(LOCK));
        for (path, contents) in [(&record, serde_json::to_vec(&set).expect("is JSON")), (&lock, b"lock".to_vec())] {
            fs::write(path, contents).expect("writes");
        }
        for file in [&library, &krate, &link] {
            fs::write(file, "").expect("writes");
        }
        assert_eq!(kept(&place), Ok(Some((set, "lock".to_owned()))));
        for open in [record, lock, place.clone(), library, krate, made, link, native] {
            let before = open.metadata().expect("is there").permissions();
            fs::set_permissions(&open, Permissions::from_mode(before.mode() | 0o002)).expect("is ours");
            let refused = kept(&place).expect_err("everybody can write it");
            let Failure::Refused { message, notes } = refused else { panic!("{refused:?}") };
            assert!(message.contains(&*open.to_string_lossy()) && notes[0].contains("chmod"), "{message} {notes:?}");
            fs::set_permissions(&open, before).expect("is ours");
        }
    }
}
