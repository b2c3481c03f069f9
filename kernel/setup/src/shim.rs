//! Compiles the C++ side of `tch` to one shared library, once for each libtorch.
//!
//! It is one library because cells call into it directly and it keeps the last error in a thread local: a second copy
//! would lose errors.

mod arguments;
pub mod other_versions;
mod wrappers;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use oxtorch_system::child::{Output, command};
use oxtorch_system::home::{Home, HomeError, key};

use crate::contents::{self, Look};
use crate::error::SetupError;
use crate::libtorch::Libtorch;
use crate::progress::{Part, Progress};
use crate::run_tool;
use crate::tools::toolchain::Compiler;

/// The files of torch-sys that make the shim. The third one there is for Python extensions.
const FILES: [&str; 2] = ["torch_api", "torch_api_generated"];

/// The wrappers only forward, so more optimisation than this costs time and gains none.
const FLAGS: [&str; 5] = ["-O1", "-fPIC", "-w", "-DGLOG_USE_GLOG_EXPORT", "-D_GLIBCXX_USE_CXX11_ABI=1"];

/// What the shim takes on disk, with what the compiler needs meanwhile.
const NEEDED_SPACE: u64 = 30_000_000;

/// The flags that go with a libtorch.
fn flags(libtorch: &Libtorch) -> Vec<String> {
    std::iter::once(format!("-std=c++{}", libtorch.standard())).chain(FLAGS.map(str::to_owned)).collect()
}

/// Where the shim for these stands, whether it is there or not.
pub(crate) fn place(home: &Home, torch_sys: &str, libtorch: &Libtorch, compiler: &Compiler) -> PathBuf {
    let compiler = format!("{}\n{}", compiler.path.display(), compiler.version);
    let flags = flags(libtorch).join(" ");
    let parts = [torch_sys, &libtorch.identity, &compiler, &flags];
    let near = if libtorch.is_exact() { &[][..] } else { &other_versions::METHOD[..] };
    let method = arguments::METHOD.iter().chain(near);
    home.place("shim", &key(parts.iter().chain(method).map(|part| part.as_bytes())))
}

/// The shim's file in its place.
pub(crate) fn library(place: &Path) -> PathBuf {
    place.join(format!("{}tch{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX))
}

/// Whether the shim is in its place as it was made.
pub(crate) fn is_whole(place: &Path, look: Look) -> bool {
    library(place).is_file() && contents::damage(place, look).is_none()
}

/// Compiles the shim from the unpacked torch-sys crate.
pub(crate) fn compile(
    home: &Home,
    place: &Path,
    torch_sys: &Path,
    libtorch: &Libtorch,
    compiler: &Compiler,
    progress: &dyn Progress,
) -> Result<(), SetupError> {
    progress.part(Part::Shim, None);
    progress.step("Compiling the C++ shim between Rust and libtorch");
    let attempt = Attempt::new(home, torch_sys, libtorch, compiler)?;
    for output in attempt.compile(&attempt.sources()?)? {
        attempt.succeeded(&output)?;
    }
    home.finish(&attempt.link()?, place)?;
    Ok(())
}

/// A compile of the shim, in a folder that goes when it ends.
pub(super) struct Attempt<'a> {
    home: &'a Home,
    /// The sources of the shim.
    libtch: PathBuf,
    libtorch: &'a Libtorch,
    compiler: &'a Compiler,
    work: tempfile::TempDir,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(
        home: &'a Home,
        torch_sys: &Path,
        libtorch: &'a Libtorch,
        compiler: &'a Compiler,
    ) -> Result<Self, SetupError> {
        Ok(Self { home, libtch: torch_sys.join("libtch"), libtorch, compiler, work: home.unfinished()? })
    }

    /// Where it happens.
    pub(super) fn folder(&self) -> &Path {
        self.work.path()
    }

    /// The sources, which report the arguments of what fails.
    pub(super) fn sources(&self) -> Result<Vec<PathBuf>, SetupError> {
        self.home.write(&self.header(), arguments::HEADER.as_bytes())?;
        let sources = FILES.iter().map(|file| {
            let (from, to) = (self.libtch.join(format!("{file}.cpp")), self.folder().join(format!("{file}.cpp")));
            let source = std::fs::read_to_string(&from).map_err(HomeError::at("read", &from))?;
            self.home.write(&to, arguments::report_arguments(&source).as_bytes())?;
            Ok(to)
        });
        sources.collect()
    }

    /// Where the header lies that the compiler reads ahead of them.
    fn header(&self) -> PathBuf {
        self.folder().join("arguments.h")
    }

    fn object(&self, file: &OsStr) -> PathBuf {
        self.folder().join(file).with_extension("o")
    }

    /// Compiles sources, each to the object that is named like it. The larger one takes most of the time: the smaller
    /// one compiles beside it.
    pub(super) fn compile(&self, sources: &[PathBuf]) -> Result<Vec<Output>, SetupError> {
        std::thread::scope(|scope| {
            let compilers: Vec<_> = sources
                .iter()
                .map(|source| {
                    let mut command = self.tool();
                    // All errors, and in English, for those who read them.
                    command.args(flags(self.libtorch)).arg("-fmax-errors=0").arg("-include").arg(self.header());
                    for include in [
                        self.libtorch.root.join("include"),
                        self.libtorch.root.join("include/torch/csrc/api/include"),
                        self.libtch.clone(),
                    ] {
                        command.arg("-I").arg(include);
                    }
                    let object = self.object(source.file_name().unwrap_or_default());
                    command.arg("-c").arg(source).arg("-o").arg(object);
                    scope.spawn(move || run_tool(&mut command, |_| ()))
                })
                .collect();
            compilers.into_iter().map(|compiler| compiler.join().expect("running a tool does not panic")).collect()
        })
    }

    /// Links the objects; gives the folder with the shim.
    pub(super) fn link(&self) -> Result<PathBuf, SetupError> {
        let finished = self.folder().join("shim");
        std::fs::create_dir(&finished).map_err(HomeError::at("create", &finished))?;
        let mut link = self.tool();
        if cfg!(target_os = "macos") {
            // The reading of streams is called back on the Rust side.
            link.args(["-dynamiclib", "-undefined", "dynamic_lookup", "-install_name", "@rpath/libtch.dylib"]);
        } else {
            // The same on Linux: those symbols come with the runtime, so nothing may ask for them at load time.
            link.args(["-shared", "-Wl,-z,lazy"]);
        }
        link.arg("-o").arg(library(&finished)).args(FILES.map(|file| self.object(OsStr::new(file))));
        link.arg("-L").arg(self.libtorch.libraries()).args(["-ltorch_cpu", "-lc10"]);
        self.succeeded(&run_tool(&mut link, |_| ())?)?;
        contents::put_down(&finished).map_err(HomeError::at("list the files of", &finished))?;
        Ok(finished)
    }

    /// The compiler, with its temporary files in the folder of this work.
    pub(super) fn tool(&self) -> std::process::Command {
        let mut tool = command(&self.compiler.path);
        tool.env("TMPDIR", self.folder()).env("LC_ALL", "C");
        for leaks in ["CPATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "CXXFLAGS", "CFLAGS", "LDFLAGS"] {
            tool.env_remove(leaks);
        }
        tool
    }

    /// Expects that a call of the compiler ended well.
    pub(super) fn succeeded(&self, output: &Output) -> Result<(), SetupError> {
        if output.status.success() {
            Ok(())
        } else if output.is_disk_full() {
            Err(crate::disk_full("compiling the C++ shim", self.home.root(), NEEDED_SPACE))
        } else {
            Err(SetupError::Shim { log: output.tail(30) })
        }
    }
}
