//! Compiles the C++ side of `tch` to one shared library, once for each libtorch.
//!
//! It is one library because cells call into it directly and it keeps the last error in a thread local: a second copy
//! would lose errors.

use std::path::{Path, PathBuf};

use super::child::{Output, command, run};
use super::error::SetupError;
use super::libtorch::Libtorch;
use super::progress::Progress;
use super::sources::key;
use super::toolchain::Compiler;
use crate::home::Home;

/// The files of torch-sys that make the shim. The third one there is for Python extensions.
const FILES: [&str; 2] = ["torch_api", "torch_api_generated"];

/// The wrappers only forward, so more optimisation than this costs time and gains none.
const FLAGS: [&str; 6] = ["-std=c++17", "-O1", "-fPIC", "-w", "-DGLOG_USE_GLOG_EXPORT", "-D_GLIBCXX_USE_CXX11_ABI=1"];

/// What the shim takes on disk, with what the compiler needs meanwhile.
const NEEDED_SPACE: u64 = 30_000_000;

/// Where the shim for these stands, whether it is there or not.
pub(crate) fn place(home: &Home, torch_sys: &str, libtorch: &Libtorch, compiler: &Compiler) -> PathBuf {
    let compiler = format!("{}\n{}", compiler.path.display(), compiler.version);
    let flags = FLAGS.join(" ");
    home.place("shim", &key([torch_sys, &libtorch.identity, &compiler, &flags].map(str::as_bytes)))
}

/// The shim's file in its place.
pub(crate) fn library(place: &Path) -> PathBuf {
    place.join(format!("{}tch{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX))
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
    progress.step("Compiling the C++ shim between Rust and libtorch");
    let work = home.unfinished()?;
    let sources = torch_sys.join("libtch");
    let objects: Vec<PathBuf> = FILES.iter().map(|file| work.path().join(format!("{file}.o"))).collect();

    // The larger file takes most of the time: the smaller one compiles beside it.
    let compiled: Vec<Result<Output, SetupError>> = std::thread::scope(|scope| {
        let compilers: Vec<_> = FILES
            .iter()
            .zip(&objects)
            .map(|(file, object)| {
                let mut command = tool(compiler, work.path());
                command.args(FLAGS);
                for include in [
                    libtorch.root.join("include"),
                    libtorch.root.join("include/torch/csrc/api/include"),
                    sources.clone(),
                ] {
                    command.arg("-I").arg(include);
                }
                command.arg("-c").arg(sources.join(format!("{file}.cpp"))).arg("-o").arg(object);
                scope.spawn(move || run(&mut command, |_| ()).map_err(SetupError::tool(&compiler.path)))
            })
            .collect();
        compilers.into_iter().map(|compiler| compiler.join().expect("running a tool does not panic")).collect()
    });
    for output in compiled {
        succeeded(home, &output?)?;
    }

    let finished = work.path().join("shim");
    std::fs::create_dir(&finished).map_err(|source| crate::home::HomeError::Io {
        action: "create",
        path: finished.clone(),
        source,
    })?;
    let mut link = tool(compiler, work.path());
    if cfg!(target_os = "macos") {
        // The reading of streams is called back on the Rust side.
        link.args(["-dynamiclib", "-undefined", "dynamic_lookup", "-install_name", "@rpath/libtch.dylib"]);
    } else {
        // The same on Linux: those symbols come with the runtime, so nothing may ask for them at load time.
        link.args(["-shared", "-Wl,-z,lazy"]);
    }
    link.arg("-o").arg(library(&finished)).args(&objects);
    link.arg("-L").arg(libtorch.libraries()).args(["-ltorch_cpu", "-lc10"]);
    link.args(["-Xlinker", "-rpath", "-Xlinker"]).arg(libtorch.libraries());
    succeeded(home, &run(&mut link, |_| ()).map_err(SetupError::tool(&compiler.path))?)?;
    home.finish(&finished, place)?;
    Ok(())
}

/// The compiler, with its temporary files in the folder of this work.
fn tool(compiler: &Compiler, work: &Path) -> std::process::Command {
    let mut tool = command(&compiler.path);
    tool.env("TMPDIR", work);
    for leaks in ["CPATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "CXXFLAGS", "CFLAGS", "LDFLAGS"] {
        tool.env_remove(leaks);
    }
    tool
}

fn succeeded(home: &Home, output: &Output) -> Result<(), SetupError> {
    if output.status.success() {
        Ok(())
    } else if output.is_disk_full() {
        Err(super::disk_full("compiling the C++ shim", home.root(), NEEDED_SPACE))
    } else {
        Err(SetupError::Shim { log: output.tail(30) })
    }
}
