//! Registers Oxtorch with Jupyter: the kernelspec, a folder with `kernel.json` and logos in a place that Jupyter reads.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::{fs, io};

use oxtorch_system::home::trust;
use oxtorch_system::programs::is_executable;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use thiserror::Error;

/// The folder name under which the kernelspec stands unless the user asks for another one.
pub const DEFAULT_NAME: &str = "oxtorch";
/// What frontends call the kernel unless the user asks for something else.
pub const DEFAULT_DISPLAY_NAME: &str = "Rust (Oxtorch)";

const LOGOS: [(&str, &[u8]); 3] = [
    ("logo-svg.svg", include_bytes!("kernelspec/logo-svg.svg")),
    ("logo-32x32.png", include_bytes!("kernelspec/logo-32x32.png")),
    ("logo-64x64.png", include_bytes!("kernelspec/logo-64x64.png")),
];

/// Variables that are written into the kernelspec where they are set, so that Jupyter's kernels find the same home and
/// the same toolchain: who starts Jupyter for others, as JupyterHub does, starts it without what a user's shell has
/// set.
const KEPT_VARIABLES: [&str; 6] = ["OXTORCH_HOME", CACHE, "LIBTORCH", "RUST_SRC_PATH", "RUSTUP_HOME", "CARGO_HOME"];
/// Where one user's sessions write: it has no place in a kernelspec that others have too.
const CACHE: &str = "OXTORCH_CACHE";
/// The same for one that names no place.
const KEPT_SWITCH: &str = trust::VARIABLE;
/// The variable for the folders of the programs below, which are searched behind those of `PATH`.
const SEARCH_PATH: &str = "OXTORCH_PATH";
/// What set-up and the compiler start.
const PROGRAMS: [&str; 8] = ["rustup", "rustc", "cargo", "cc", "c++", "g++", "clang++", "ld"];

/// Where a kernelspec goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// The user's own Jupyter folder, for all their Pythons.
    User,
    /// A Python environment, by its prefix.
    SysPrefix(PathBuf),
    /// `share/jupyter` below a folder.
    Prefix(PathBuf),
}

/// A failure to register or to unregister.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KernelspecError {
    /// Jupyter would not accept the name.
    #[error("`{0}` is not a kernelspec name: use letters, digits, `.`, `_` and `-`, with a letter or digit first")]
    Name(String),
    /// There is no active Python.
    #[error("there is no active Python environment to install into (no VIRTUAL_ENV or CONDA_PREFIX, no python3)")]
    NoPython,
    /// There is no home directory.
    #[error("there is no home directory, so Jupyter has no folder for this user")]
    NoHome,
    /// The place is taken by another kernel.
    #[error("{} belongs to another kernel", .0.display())]
    Foreign(PathBuf),
    /// There is nothing to unregister.
    #[error("no kernelspec `{name}` in {}", folder.display())]
    NotThere {
        /// The name that was asked for.
        name: String,
        /// The folder that holds kernelspecs.
        folder: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl KernelspecError {
    /// What the user can do about it.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Name(_) => format!("for example: oxtorch install --name {DEFAULT_NAME}"),
            Self::NoPython => {
                "activate the environment first, or install for your user: oxtorch install --user".to_owned()
            }
            Self::NoHome => "name a folder: oxtorch install --prefix DIR".to_owned(),
            Self::Foreign(_) => "choose another name with --name".to_owned(),
            Self::NotThere { .. } => "`oxtorch doctor` lists the kernelspecs that are registered".to_owned(),
            Self::Io { .. } => "choose another place with --user, --sys-prefix or --prefix DIR".to_owned(),
        })
    }

    fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// The contents of `kernel.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kernelspec {
    /// The command that starts the kernel.
    pub argv: Vec<String>,
    /// What frontends show.
    pub display_name: String,
    /// The kernel's language.
    pub language: String,
    /// How a frontend interrupts: by `message`, since a signal does not reach a kernel on another machine.
    #[serde(default)]
    pub interrupt_mode: String,
    /// What frontends need to know besides.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// Variables for the kernel's process.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub env: Map<String, Value>,
}

impl Kernelspec {
    /// The kernelspec that starts `program`.
    pub fn new(program: &Path, display_name: &str, env: Map<String, Value>) -> Self {
        let argv = [&program.display().to_string(), "kernel", "--connection-file", "{connection_file}"];
        Self {
            argv: argv.map(str::to_owned).into(),
            display_name: display_name.to_owned(),
            language: "rust".to_owned(),
            interrupt_mode: "message".to_owned(),
            metadata: Map::from_iter([("debugger".to_owned(), json!(false))]),
            env,
        }
    }

    fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join("kernel.json")).ok()?).ok()
    }

    /// Whether it starts Oxtorch and not another kernel: by its path, or as a Python's package.
    fn is_ours(&self) -> bool {
        let argv: Vec<&str> = self.argv.iter().map(String::as_str).collect();
        match argv.as_slice() {
            [_, "-m", "oxtorch", "kernel", ..] => true,
            [program, "kernel", ..] => Path::new(program).file_stem().is_some_and(|program| program == "oxtorch"),
            _ => false,
        }
    }
}

/// The folder of the kernelspec of this name in a place. Checks the name.
pub fn folder(location: &Location, name: &str) -> Result<PathBuf, KernelspecError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(allowed) {
        return Err(KernelspecError::Name(name.to_owned()));
    }
    Ok(kernels(location)?.join(name))
}

/// The folder that holds a place's kernelspecs.
fn kernels(location: &Location) -> Result<PathBuf, KernelspecError> {
    let data = match location {
        Location::User => user_data().ok_or(KernelspecError::NoHome)?,
        Location::SysPrefix(prefix) => prefix.join("share/jupyter"),
        Location::Prefix(folder) => {
            std::path::absolute(folder).map_err(KernelspecError::at("find", folder))?.join("share/jupyter")
        }
    };
    Ok(data.join("kernels"))
}

/// Jupyter's data folder of this user.
fn user_data() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("JUPYTER_DATA_DIR").filter(|folder| !folder.is_empty()) {
        return Some(folder.into());
    }
    if cfg!(target_os = "macos") {
        Some(dirs::home_dir()?.join("Library/Jupyter"))
    } else {
        Some(dirs::data_dir()?.join("jupyter"))
    }
}

/// The variables of this process that a kernelspec in a folder keeps.
pub fn kept_variables(folder: &Path) -> Map<String, Value> {
    let own = [user_data(), dirs::home_dir()];
    let set = kept_paths(folder, own.iter().flatten()).filter_map(|name| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
        let path = std::path::absolute(value).ok()?;
        Some((name.to_owned(), json!(path)))
    });
    let mut set: Map<String, Value> = set.collect();
    if let Some(value) = std::env::var_os(KEPT_SWITCH).filter(|value| !value.is_empty()) {
        set.insert(KEPT_SWITCH.to_owned(), json!(value.to_string_lossy()));
    }
    if !set.contains_key("OXTORCH_HOME")
        && let Some(data) = std::env::var_os("XDG_DATA_HOME").filter(|data| !data.is_empty())
    {
        // The home's usual place depends on it.
        set.insert("OXTORCH_HOME".to_owned(), json!(Path::new(&data).join("oxtorch")));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute() && PROGRAMS.iter().any(|program| is_executable(&folder.join(program))));
    if let Some(folders) = std::env::join_paths(folders).ok().filter(|folders| !folders.is_empty()) {
        set.insert(SEARCH_PATH.to_owned(), json!(folders.to_string_lossy()));
    }
    set
}

/// The names of those that name places, for a kernelspec in a folder; `own` are folders that this user alone uses.
fn kept_paths<'a>(folder: &Path, mut own: impl Iterator<Item = &'a PathBuf>) -> impl Iterator<Item = &'static str> {
    let is_own = own.any(|own| own.parent().is_some() && folder.starts_with(own));
    KEPT_VARIABLES.into_iter().filter(move |name| is_own || *name != CACHE)
}

/// Adds folders to those that programs are searched in, behind them: those that the kernelspec names, and this
/// program's own. Frontends start kernels without the user's search path, and cells call `!oxtorch` as well.
pub fn extend_search_path() {
    let named = std::env::var_os(SEARCH_PATH).unwrap_or_default();
    let own = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    let more = std::env::split_paths(&named).chain(own);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let Some(extended) = extended(&path, more) else { return };
    // SAFETY: this is called first of all, by the one thread that does anything: nobody reads the environment.
    unsafe { std::env::set_var("PATH", extended) };
}

/// A search path with more folders behind its own, each once.
fn extended(path: &OsStr, more: impl IntoIterator<Item = PathBuf>) -> Option<OsString> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in std::env::split_paths(path).chain(more) {
        if !folder.as_os_str().is_empty() && !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    std::env::join_paths(folders).ok()
}

/// Writes a kernelspec into its folder. One of Oxtorch's own is replaced.
pub fn install(folder: &Path, spec: &Kernelspec) -> Result<(), KernelspecError> {
    if folder.exists() && !Kernelspec::read(folder).is_some_and(|spec| spec.is_ours()) {
        return Err(KernelspecError::Foreign(folder.to_owned()));
    }
    let kernels = folder.parent().unwrap_or(folder);
    fs::create_dir_all(kernels).map_err(KernelspecError::at("create", kernels))?;
    // Written beside its place and renamed: Jupyter reads these folders at any time.
    let written = tempfile::Builder::new()
        .prefix(".oxtorch-")
        .tempdir_in(kernels)
        .map_err(KernelspecError::at("create a folder in", kernels))?;
    let new = written.path().join("new");
    fs::create_dir(&new).map_err(KernelspecError::at("create", &new))?;
    let json = serde_json::to_vec_pretty(spec).map_err(|error| KernelspecError::at("write", &new)(error.into()))?;
    for (name, contents) in [("kernel.json", json.as_slice())].into_iter().chain(LOGOS) {
        fs::write(new.join(name), contents).map_err(KernelspecError::at("write", &folder.join(name)))?;
    }
    if folder.exists() {
        fs::rename(folder, written.path().join("old")).map_err(KernelspecError::at("replace", folder))?;
    }
    fs::rename(&new, folder).map_err(KernelspecError::at("create", folder))
}

/// Removes a kernelspec of Oxtorch's.
pub fn uninstall(folder: &Path) -> Result<(), KernelspecError> {
    if !folder.exists() {
        return Err(KernelspecError::NotThere {
            name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            folder: folder.parent().unwrap_or(folder).to_owned(),
        });
    }
    if !Kernelspec::read(folder).is_some_and(|spec| spec.is_ours()) {
        return Err(KernelspecError::Foreign(folder.to_owned()));
    }
    fs::remove_dir_all(folder).map_err(KernelspecError::at("remove", folder))
}

/// The folders of Oxtorch's kernelspecs that Jupyter would find; `prefix` is that of the active Python environment.
pub fn registered(prefix: Option<PathBuf>) -> Vec<(PathBuf, Kernelspec)> {
    let own = std::iter::once(Location::User)
        .chain(prefix.map(Location::SysPrefix))
        .filter_map(|location| kernels(&location).ok());
    let system = ["/usr/local/share/jupyter/kernels", "/usr/share/jupyter/kernels"].map(PathBuf::from);
    let mut folders: Vec<PathBuf> = own.chain(system).collect();
    folders.dedup();
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let specs = entries.filter_map(|entry| Some((entry.path(), Kernelspec::read(&entry.path())?)));
    specs.filter(|(_, spec)| spec.is_ours()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Kernelspec {
        Kernelspec::new(Path::new("/opt/bin/oxtorch"), DEFAULT_DISPLAY_NAME, Map::new())
    }

    #[test]
    fn kernel_json_is_what_jupyter_asks_for() {
        let json = serde_json::to_value(spec()).expect("is JSON");
        assert_eq!(
            json,
            json!({
                "argv": ["/opt/bin/oxtorch", "kernel", "--connection-file", "{connection_file}"],
                "display_name": "Rust (Oxtorch)",
                "language": "rust",
                "interrupt_mode": "message",
                "metadata": {"debugger": false},
            })
        );
    }

    #[test]
    fn the_wheels_kernelspec_differs_in_how_the_program_is_started() {
        let json = include_str!("kernelspec/kernel.json");
        let wheels: Kernelspec = serde_json::from_str(json).expect("is one");
        assert!(wheels.is_ours());
        let start = ["python", "-m", "oxtorch"].map(str::to_owned);
        let argv = start.into_iter().chain(spec().argv.into_iter().skip(1)).collect();
        assert_eq!(wheels, Kernelspec { argv, ..spec() });
    }

    #[test]
    fn a_kernelspec_that_others_have_too_says_nothing_of_the_folder_of_one_users_cells() {
        let own = [PathBuf::from("/home/ada"), PathBuf::from("/")];
        for (folder, is_own) in [
            ("/home/ada/.local/share/jupyter/kernels/oxtorch", true),
            ("/usr/local/share/jupyter/kernels/oxtorch", false),
            ("/home/adam/share/jupyter/kernels/oxtorch", false),
        ] {
            let names: Vec<_> = kept_paths(Path::new(folder), own.iter()).collect();
            assert_eq!(names.contains(&CACHE), is_own, "{folder}");
            assert!(names.contains(&"OXTORCH_HOME"), "{folder}");
        }
    }

    #[test]
    fn folders_are_searched_behind_those_of_the_path() {
        let extended = |path: &str, more: &str| extended(path.as_ref(), std::env::split_paths(more));
        assert_eq!(
            extended("/usr/bin:/bin", "/opt/rust/bin:/usr/bin").as_deref(),
            Some("/usr/bin:/bin:/opt/rust/bin".as_ref())
        );
        assert_eq!(extended("", "/opt/rust/bin").as_deref(), Some("/opt/rust/bin".as_ref()));
    }

    #[test]
    fn it_is_installed_whole_and_replaced_and_removed() {
        let prefix = tempfile::tempdir().expect("a temporary folder");
        let place = folder(&Location::Prefix(prefix.path().into()), "oxtorch").expect("is a name");
        assert_eq!(place, prefix.path().join("share/jupyter/kernels/oxtorch"));
        for display_name in ["One", "Two"] {
            install(&place, &Kernelspec { display_name: display_name.into(), ..spec() }).expect("installs");
            assert_eq!(Kernelspec::read(&place).expect("is there").display_name, display_name);
        }
        let mut names: Vec<_> =
            fs::read_dir(&place).expect("is there").flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        assert_eq!(names, ["kernel.json", "logo-32x32.png", "logo-64x64.png", "logo-svg.svg"]);
        assert_eq!(fs::read_dir(place.parent().expect("has one")).expect("is there").count(), 1);
        uninstall(&place).expect("removes");
        assert!(!place.exists());
    }

    #[test]
    fn what_is_not_there_cannot_be_removed_and_the_message_says_where_it_was_sought() {
        let prefix = tempfile::tempdir().expect("a temporary folder");
        let place = folder(&Location::Prefix(prefix.path().into()), "mine").expect("is a name");
        let error = uninstall(&place).expect_err("nothing is there").to_string();
        assert!(error.starts_with("no kernelspec `mine` in ") && error.ends_with("share/jupyter/kernels"), "{error}");
    }

    #[test]
    fn another_kernels_folder_is_left_alone() {
        let prefix = tempfile::tempdir().expect("a temporary folder");
        let place = folder(&Location::Prefix(prefix.path().into()), "python3").expect("is a name");
        fs::create_dir_all(&place).expect("creates");
        let other = r#"{"argv": ["python", "-m", "ipykernel"], "display_name": "Python 3", "language": "python"}"#;
        fs::write(place.join("kernel.json"), other).expect("writes");
        assert!(matches!(install(&place, &spec()), Err(KernelspecError::Foreign(_))));
        assert!(matches!(uninstall(&place), Err(KernelspecError::Foreign(_))));
        assert_eq!(fs::read_to_string(place.join("kernel.json")).expect("is there"), other);
    }

    #[test]
    fn names_that_leave_the_folder_or_that_jupyter_refuses_are_refused() {
        let location = Location::Prefix("/nowhere".into());
        for name in ["", ".", "..", "../x", "a/b", "-x", "a b", "\u{e9}"] {
            assert!(matches!(folder(&location, name), Err(KernelspecError::Name(_))), "{name:?}");
        }
        for name in ["oxtorch", "oxtorch-0.1", "Ox_torch"] {
            assert!(folder(&location, name).is_ok(), "{name:?}");
        }
    }
}
