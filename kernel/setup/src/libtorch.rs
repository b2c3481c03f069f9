//! Finds libtorch, or provides it: the first source that has the right version is taken.

mod archive;
pub mod gpu;
pub mod python;

use std::fs;
use std::path::{Path, PathBuf};

use oxtorch_system::child::{ask, command};
use oxtorch_system::home::{Home, HomeError, free_space};
use oxtorch_system::programs::find_program;

use crate::contents::{self, Look};
use crate::error::{SetupError, Unusable};
use crate::progress::{Part, Progress};

/// The version that the `tch` crate goes with.
pub(crate) const VERSION: &str = "2.13.0";

/// The kind of thing that libtorch is in the home.
pub(super) const KIND: &str = "libtorch";

/// A libtorch to build and run against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Libtorch {
    /// The folder with `include` and `lib`.
    pub root: PathBuf,
    /// Tells it from others, including one that takes its place in the same folder.
    pub identity: String,
    /// Which source it came from, for people.
    pub origin: &'static str,
    /// Its version, without what a build adds to that (`+cpu`).
    pub version: String,
}

impl Libtorch {
    /// The folder of its shared libraries.
    pub fn libraries(&self) -> PathBuf {
        self.root.join("lib")
    }

    /// Whether it is the version that the `tch` crate goes with.
    pub(crate) fn is_exact(&self) -> bool {
        self.version == VERSION
    }

    /// The version of C++ that its headers ask for.
    pub(crate) fn standard(&self) -> u32 {
        const ASKS: &str = "#error C++";
        let text = fs::read_to_string(header(&self.root)).unwrap_or_default()
            + &fs::read_to_string(self.root.join(ALL_HEADERS)).unwrap_or_default();
        let asked = text.lines().find_map(|line| {
            let digits = line.trim().strip_prefix(ASKS)?;
            digits[..digits.find(|c: char| !c.is_ascii_digit())?].parse().ok()
        });
        asked.unwrap_or(17)
    }

    /// Its main shared library.
    pub(crate) fn main_library(&self) -> PathBuf {
        main_library(&self.root)
    }
}

fn main_library(root: &Path) -> PathBuf {
    root.join("lib").join(format!("{}torch_cpu{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX))
}

fn header(root: &Path) -> PathBuf {
    root.join("include/torch/csrc/api/include/torch/torch.h")
}

/// The header that says which version of C++ it takes.
const ALL_HEADERS: &str = "include/torch/csrc/api/include/torch/all.h";

/// What an earlier set-up may have left, best first.
const LEFT: [(&str, &str, bool); 4] = [
    ("wheel-cuda", "torch", true),
    ("archive-cuda", "libtorch", true),
    ("wheel-cpu", "torch", false),
    ("archive-cpu", "libtorch", false),
];

fn place(home: &Home, variant: &str) -> PathBuf {
    home.place(KIND, &format!("{VERSION}-{variant}"))
}

/// How a line of what was tried begins where it is about what an earlier set-up left.
pub(crate) const LEFT_BEHIND: &str = "what an earlier set-up left";

/// Says whether a libtorch of another version can be used.
pub(crate) type Fits<'a> = dyn FnMut(&Libtorch) -> Result<(), Unusable> + 'a;

/// The libtorch that is there without any download: `LIBTORCH`, the active Python's, or what an earlier set-up left.
///
/// The active Python's comes first if it is the exact version, and last if it is a near one, as that may lack
/// something. One that cannot be used adds a line to `tried`.
pub(crate) fn find(
    home: &Home,
    look: Look,
    tried: &mut Vec<(String, String)>,
    fits: &mut Fits<'_>,
) -> Result<Option<Libtorch>, SetupError> {
    if let Some(folder) = std::env::var_os("LIBTORCH").filter(|folder| !folder.is_empty()).map(PathBuf::from) {
        let found = check(&folder, "LIBTORCH").map_err(Unusable::from).and_then(|libtorch| {
            if !libtorch.is_exact() {
                fits(&libtorch)?;
            }
            Ok(Some(libtorch))
        });
        return found.or_else(|error| Err(SetupError::BadLibtorch { folder, why: error.reason()? }));
    }
    let mut near = None;
    match python::find().as_deref().and_then(python::torch_folder) {
        Some(folder) => match check(&folder, "the active Python") {
            Ok(libtorch) if libtorch.is_exact() => return Ok(Some(libtorch)),
            Ok(libtorch) => near = Some(libtorch),
            Err(why) => tried.push((pythons_torch(&folder), why)),
        },
        None => tried.push(("the active Python".to_owned(), "it has no torch".to_owned())),
    }
    let gpu = gpu::wanted();
    let mut left = LEFT.iter().filter(|(_, _, cuda)| *cuda || !gpu);
    let left = left.find_map(|(variant, folder, _)| {
        let libtorch = check_exact(&place(home, variant).join(folder), "an earlier set-up").ok()?;
        match contents::damage(&libtorch.libraries(), look) {
            None => Some(libtorch),
            Some(why) => {
                tried.push((LEFT_BEHIND.to_owned(), why));
                None
            }
        }
    });
    if left.is_some() {
        return Ok(left);
    }
    if let Some(libtorch) = near {
        match fits(&libtorch) {
            Ok(()) => return Ok(Some(libtorch)),
            Err(error) => tried.push((pythons_torch(&libtorch.root), error.reason()?)),
        }
    }
    Ok(None)
}

/// How a line of what was tried begins where it is about the torch of the active Python.
pub(crate) const PYTHONS_TORCH: &str = "the active Python's torch";

fn pythons_torch(folder: &Path) -> String {
    format!("{PYTHONS_TORCH} in {}", folder.display())
}

/// The libtorch that is there, or one that is provided now.
pub(crate) fn ensure(
    home: &Home,
    look: Look,
    fits: &mut Fits<'_>,
    progress: &dyn Progress,
) -> Result<Libtorch, SetupError> {
    let mut tried = Vec::new();
    match find(home, look, &mut tried, fits)? {
        Some(libtorch) => Ok(libtorch),
        None => provide(home, tried, progress),
    }
}

/// Gets a libtorch, after what was `tried`.
pub(crate) fn provide(
    home: &Home,
    mut tried: Vec<(String, String)>,
    progress: &dyn Progress,
) -> Result<Libtorch, SetupError> {
    let gpu = gpu::wanted();
    let refused = tried.iter().find(|(source, _)| source.starts_with(PYTHONS_TORCH));
    let why = refused.map(|(source, why)| format!(" ({source} {why})")).unwrap_or_default();
    progress.part(Part::Libtorch, Some(python::download(gpu)));
    progress.step(&format!("Getting libtorch {VERSION} {}{why}", if gpu { "with CUDA" } else { "for the CPU" }));

    match python::find() {
        Some(python) => match from_pypi(home, &python, gpu, progress) {
            Ok(libtorch) => return Ok(libtorch),
            Err(error) => tried.push((format!("PyPI, with {} -m pip", python.display()), error.reason()?)),
        },
        None => tried.push(("PyPI".to_owned(), "there is no python3 on the search path".to_owned())),
    }
    match from_archive(home, gpu, progress) {
        Ok(libtorch) => return Ok(libtorch),
        Err(error) => tried.push(("the archive from the PyTorch site".to_owned(), error.reason()?)),
    }
    Err(SetupError::NoLibtorch { tried })
}

fn from_pypi(home: &Home, python: &Path, gpu: bool, progress: &dyn Progress) -> Result<Libtorch, Unusable> {
    require_space(home, python::needed_space(gpu))?;
    let work = home.unfinished()?;
    let (target, temporary) = (work.path().join("site"), work.path().join("tmp"));
    fs::create_dir(&temporary).map_err(HomeError::at("create", &temporary))?;
    python::install_torch(python, &target, &temporary, gpu, progress)?;
    check_exact(&target.join("torch"), "PyPI").map_err(|why| format!("what pip installed cannot be used: {why}"))?;
    Ok(settle(home, &target, "wheel", gpu, "torch", "PyPI")?)
}

fn from_archive(home: &Home, gpu: bool, progress: &dyn Progress) -> Result<Libtorch, Unusable> {
    require_space(home, archive::needed_space(gpu))?;
    let work = home.unfinished()?;
    let target = work.path().join("archive");
    archive::install(home, archive::SITE, &target, gpu, progress)?;
    let site = "the PyTorch site";
    check_exact(&target.join("libtorch"), site).map_err(|why| format!("what it holds cannot be used: {why}"))?;
    Ok(settle(home, &target, "archive", gpu, "libtorch", site)?)
}

/// Moves a libtorch that was checked to its place.
fn settle(
    home: &Home,
    from: &Path,
    kind: &str,
    gpu: bool,
    folder: &str,
    origin: &'static str,
) -> Result<Libtorch, SetupError> {
    let place = place(home, &format!("{kind}-{}", if gpu { "cuda" } else { "cpu" }));
    let libraries = from.join(folder).join("lib");
    contents::put_down(&libraries).map_err(HomeError::at("list the files of", &libraries))?;
    home.finish(from, &place)?;
    let root = place.join(folder);
    check_exact(&root, origin).map_err(|why| SetupError::BadLibtorch { folder: root, why })
}

fn require_space(home: &Home, needed: u64) -> Result<(), SetupError> {
    match free_space(home.root()) {
        Some(free) if free < needed => Err(crate::disk_full("libtorch", home.root(), needed)),
        _ => Ok(()),
    }
}

/// Whether a folder holds a libtorch, whole and loadable, of the right version or of one that is worth a trial; else
/// why not.
pub(crate) fn check(root: &Path, origin: &'static str) -> Result<Libtorch, String> {
    let root = root.canonicalize().map_err(|error| format!("cannot be opened ({error})"))?;
    let library = main_library(&root);
    let length = library.metadata().map_err(|_| format!("has no {}", below(&library, &root)))?.len();
    if !header(&root).is_file() {
        return Err("has no C++ headers (include/torch)".to_owned());
    }
    let full = version(&root).ok_or("does not say its version (no build-version, no version.py)")?;
    let version = full.split('+').next().unwrap_or_default().to_owned();
    if is_far(&version) {
        return Err(format!("is version {full}, too far from {VERSION}"));
    }
    if version != VERSION && has_old_strings(&root) {
        return Err(format!("is version {full}, built with the C++ ABI from before C++11"));
    }
    if let Some(missing) = missing_libraries(&library) {
        return Err(format!("needs {missing}, which cannot be found"));
    }
    let identity = format!("{}\n{full}\n{length}", root.display());
    Ok(Libtorch { root, identity, origin, version })
}

/// The same for the right version alone.
fn check_exact(root: &Path, origin: &'static str) -> Result<Libtorch, String> {
    let libtorch = check(root, origin)?;
    if libtorch.is_exact() { Ok(libtorch) } else { Err(format!("is version {}, not {VERSION}", libtorch.version)) }
}

/// Whether the versions are so far from each other that there is no use in trying.
fn is_far(version: &str) -> bool {
    let major = |version: &str| version.split('.').next().map(str::to_owned);
    major(version) != major(VERSION)
}

/// Whether it was built with the GNU library's old `std::string`, as the wheels of long ago were: a function that takes
/// one is called otherwise then.
fn has_old_strings(root: &Path) -> bool {
    const OLD: &[u8] = b"_ZN3c106detail14torchCheckFailEPKcS2_jRKSs";
    let library = root.join("lib").join(format!("{}c10{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX));
    fs::read(library).is_ok_and(|bytes| bytes.windows(OLD.len()).any(|window| window == OLD))
}

fn below(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

/// The version that an archive (`build-version`) or a wheel (`version.py`) says it is.
fn version(root: &Path) -> Option<String> {
    if let Ok(text) = fs::read_to_string(root.join("build-version")) {
        return Some(text.trim().to_owned());
    }
    let text = fs::read_to_string(root.join("version.py")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("__version__"))?;
    line.split(['\'', '"']).nth(1).map(str::to_owned)
}

/// The libraries that the dynamic linker would not find. Where it cannot be asked, none.
fn missing_libraries(library: &Path) -> Option<String> {
    let answer = ask(command(find_program(["ldd"])?).arg(library)).ok()?.stdout;
    let missing: Vec<&str> =
        answer.lines().filter_map(|line| line.trim().split_once(" => not found")).map(|(name, _)| name).collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versions_of_the_same_series_are_tried() {
        assert!(is_far("1.13.1") && is_far("3.0.0") && is_far(""));
        assert!(!is_far("2.11.0+cu130") && !is_far("2.15.0a0"));
    }
}
