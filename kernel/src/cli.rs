//! The command line: what `oxtorch` can be asked for, and how it says that something went wrong.

use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, ValueEnum};
use oxtorch_data::DataError;
#[cfg(feature = "evcxr")]
use oxtorch_engine::evcxr::EvcxrEngine;
use oxtorch_engine::{Cache, NativeEngine};
use oxtorch_grader::SandboxError;
use oxtorch_jupyter::kernelspec::{self, Kernelspec, KernelspecError};
use oxtorch_setup::doctor::{self, Finding};
use oxtorch_setup::progress::{self, Whole};
use oxtorch_setup::{Progress, Runtime, SetupError};
use oxtorch_system::home::{Home, HomeError, Scratch, trust};
use oxtorch_system::programs::is_executable;
use oxtorch_system::signals::{self, Endings};
use oxtorch_system::terminal::{answer, say};
use parking_lot::Mutex;
use tokio::sync::mpsc::{self, UnboundedSender};

use crate::arguments::{
    AssignmentCommand, Cli, Command, DataCommand, EngineName, InstallArgs, NotBuilt, PlaceArgs, RunArgs,
};
use crate::assignment::{self, NoMaster};
use crate::{data, grade};

/// A cell failed, or something else did.
const FAILED: u8 = 1;
/// The command was used wrongly, or what it was given cannot be read.
const MISUSE: u8 = 2;

/// How long an interrupted set-up may take to remove what it had half done.
const TO_CLEAN_UP: Duration = Duration::from_secs(5);

/// What the program's own code takes of a stack, whatever little a shell allows for that of the first thread.
const STACK_BYTES: usize = 8 << 20;

/// Does what the command line asks for.
pub fn main() -> ExitCode {
    // A file that may not become longer is an error where it is written, and ends nothing.
    signals::ignore(libc::SIGXFSZ);
    // The first thread does nothing but to wait.
    match std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run_command) {
        Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        Err(error) => report(&anyhow::Error::new(error).context("cannot start"), FAILED),
    }
}

fn run_command() -> ExitCode {
    kernelspec::extend_search_path();
    let command = Cli::parse().command;
    mend_temporary_folder();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return report(&anyhow::Error::new(error).context("cannot start"), FAILED),
    };
    let code = runtime.block_on(async {
        match command {
            Command::Run(arguments) => run(arguments).await,
            Command::Install(arguments) => result(install(arguments).await),
            Command::Uninstall(place) => result(uninstall(&place)),
            Command::Kernel { connection_file, engine, of_other_kernels: _ } => kernel(&connection_file, engine).await,
            Command::Setup { exact } => result(set_up_and_say(exact).await),
            Command::Prebuild { folder } => result(prebuild(&folder).await),
            Command::Doctor => diagnose(),
            Command::Data(DataCommand::List { json }) => result(data::list(json)),
            Command::Data(DataCommand::Fetch { names }) => result(data::fetch(&names).await),
            Command::Grade(arguments) => result(grade::grade(*arguments).await),
            Command::NbgraderConfig => {
                answer(format_args!("{}", grade::NBGRADER_CONFIG.trim_end()));
                ExitCode::SUCCESS
            }
            Command::GradeSession => result(oxtorch_grader::session::serve().await),
            Command::Check { notebook, timeout } => result(assignment::check_homework(&notebook, timeout).await),
            Command::Assignment(AssignmentCommand::Check { master, timeout }) => {
                result(assignment::check(&master, timeout).await)
            }
            Command::Assignment(AssignmentCommand::Release { master, output }) => {
                result(assignment::write_release(&master, &output))
            }
        }
    });
    // A kernel that is told to end while it sets up must not wait for the end of that.
    oxtorch_setup::end_children();
    runtime.shutdown_background();
    code
}

/// Where temporary files belong to a folder that will not do, names another one, for this program and all that it
/// starts: in one that does not exist the compiler would fail, and what cells call; in one where others can put another
/// file in the place of what was just written, they would decide what is compiled.
fn mend_temporary_folder() {
    let named = std::env::temp_dir();
    let Err(why) = will_do_for_temporary_files(&named) else { return };
    let mut others = ["/tmp", "/var/tmp", "/dev/shm"].into_iter();
    let Some(found) = others.find(|folder| will_do_for_temporary_files(Path::new(folder)).is_ok()) else {
        return say(format_args!("there is no usable folder for temporary files (TMPDIR): {why}"));
    };
    // SAFETY: the program has started no other thread yet that could read the environment; the first one waits.
    unsafe { std::env::set_var("TMPDIR", found) };
    say(format_args!("{why}, so temporary files go to {found} (TMPDIR)"));
}

/// Whether temporary files may go to a folder, or why not.
fn will_do_for_temporary_files(folder: &Path) -> Result<(), String> {
    match trust::check_way(folder) {
        _ if folder.as_os_str().is_empty() => Err("TMPDIR is empty".to_owned()),
        _ if !folder.is_dir() => Err(format!("{} is not a folder", folder.display())),
        Err(HomeError::Untrusted { path, why }) => Err(format!("{} {why}", path.display())),
        other => other.map_err(|error| error.to_string()),
    }
}

fn result(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let misused = matches!(error.downcast_ref(), Some(KernelspecError::Name(_)))
                || matches!(error.downcast_ref(), Some(DataError::Unknown { .. }))
                || error.is::<NotBuilt>()
                || error.is::<NoMaster>();
            report(&error, if misused { MISUSE } else { FAILED })
        }
    }
}

/// Tells the user what went wrong and what to do next.
fn report(error: &anyhow::Error, code: u8) -> ExitCode {
    say(format_args!("error: {error:#}"));
    if let Some(help) = help(error) {
        say(format_args!("help: {help}"));
    }
    ExitCode::from(code)
}

fn help(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        let setup = cause.downcast_ref::<SetupError>().and_then(SetupError::help);
        let home = || cause.downcast_ref::<HomeError>().map(HomeError::help);
        let data = || cause.downcast_ref::<DataError>().map(DataError::help);
        let kernelspec = || cause.downcast_ref::<KernelspecError>().and_then(KernelspecError::help);
        let too_many_files =
            || cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.raw_os_error() == Some(libc::EMFILE));
        let sandbox = || cause.downcast_ref::<SandboxError>().map(SandboxError::help);
        let files = || too_many_files().then(|| "allow more open files: ulimit -n 1024".to_owned());
        setup
            .or_else(home)
            .or_else(data)
            .or_else(kernelspec)
            .or_else(files)
            .or_else(sandbox)
            .or_else(|| cause.is::<NotBuilt>().then(|| NotBuilt::HELP.to_owned()))
    })
}

/// What an engine needs for as long as it runs, and what is known of its start.
#[derive(Default)]
struct Started {
    /// Whether the front has read its input and asked for an engine.
    asked: AtomicBool,
    /// Removed when this is dropped.
    scratch: Mutex<Option<Scratch>>,
    /// Where the session writes, where it is to share nothing with others; it goes when this is dropped.
    apart: Option<tempfile::TempDir>,
}

impl Started {
    /// The exit code for an error of the front: before it asks for an engine it only reads what it was given.
    fn exit_code(&self) -> u8 {
        if self.asked.load(Ordering::Relaxed) { FAILED } else { MISUSE }
    }

    /// Sets up if needed.
    async fn set_up(&self, progress: Box<dyn Progress>) -> anyhow::Result<(Home, Runtime)> {
        self.asked.store(true, Ordering::Relaxed);
        let mut home = Home::from_environment()?;
        if let Some(apart) = &self.apart {
            home = home.with_own(apart.path().to_owned());
        }
        let runtime = set_up(home.clone(), oxtorch_setup::ensure, progress).await?;
        Ok((home, runtime))
    }

    /// Sets up if needed and starts the native engine.
    async fn native(&self, progress: Box<dyn Progress>) -> anyhow::Result<NativeEngine> {
        let (home, runtime) = self.set_up(progress).await?;
        let scratch = home.scratch(|line| say(format_args!("{line}")))?;
        let cache = Cache::from_environment(home.cache());
        let engine = NativeEngine::start(runtime, scratch.path().to_owned(), cache).await?;
        *self.scratch.lock() = Some(scratch);
        Ok(engine)
    }

    /// Sets up if needed and starts the evcxr engine.
    #[cfg(feature = "evcxr")]
    async fn evcxr(&self, progress: Box<dyn Progress>) -> anyhow::Result<EvcxrEngine> {
        let (home, runtime) = self.set_up(progress).await?;
        let program = std::env::current_exe().context("cannot find the path of this program")?;
        EvcxrEngine::start(&home, &runtime, program).await
    }
}

/// A way to have what somebody needs, as a runtime.
pub trait Ensure<T>: FnOnce(&Home, &dyn Progress) -> Result<T, SetupError> + Send + 'static {}

impl<T, F: FnOnce(&Home, &dyn Progress) -> Result<T, SetupError> + Send + 'static> Ensure<T> for F {}

async fn set_up<T: Send + 'static>(
    home: Home,
    ensure: impl Ensure<T>,
    progress: Box<dyn Progress>,
) -> anyhow::Result<T> {
    let work = tokio::task::spawn_blocking(move || ensure(&home, &*progress));
    Ok(work.await.context("set-up failed")??)
}

/// Sets up for a command in a terminal, which Ctrl-C ends.
pub async fn set_up_in_terminal<T: Send + 'static>(home: Home, ensure: impl Ensure<T>) -> anyhow::Result<T> {
    const INTERRUPTED: &str = "set-up was interrupted; `oxtorch setup` resumes where it stopped";
    in_terminal(set_up(home, ensure, progress::for_stderr()), INTERRUPTED).await
}

/// Does work that calls tools, until it ends or Ctrl-C ends it.
pub async fn in_terminal<T>(
    work: impl Future<Output = anyhow::Result<T>>,
    when_interrupted: &str,
) -> anyhow::Result<T> {
    let mut signals = Endings::listen().ok();
    // A signal that cannot be watched keeps its usual effect.
    let signal = async {
        match &mut signals {
            Some(signals) => signals.next().await,
            None => std::future::pending().await,
        }
    };
    let mut work = pin!(work);
    tokio::select! {
        result = &mut work => result,
        signal = signal => {
            if oxtorch_setup::end_children() {
                // What it had half done it now removes.
                let _ = tokio::time::timeout(TO_CLEAN_UP, work).await;
            }
            say(format_args!("\n{when_interrupted}"));
            std::process::exit(128 + signal.as_raw_value());
        }
    }
}

async fn run(arguments: RunArgs) -> ExitCode {
    let mut started = Started::default();
    if arguments.apart {
        // Others cannot enter it.
        match tempfile::Builder::new().prefix("oxtorch-apart-").tempdir() {
            Ok(folder) => started.apart = Some(folder),
            Err(error) => {
                return report(&anyhow::Error::new(error).context("cannot make a folder for temporary files"), FAILED);
            }
        }
    }
    let options = oxtorch_notebook::RunOptions {
        notebook: arguments.notebook,
        output: arguments.output,
        timeout: arguments.timeout,
        allow_errors: arguments.allow_errors,
        output_limit: arguments.output_limit.map(|megabytes| (megabytes as usize) << 20),
    };
    // Ahead of the first cell the terminal is set-up's own.
    let progress = progress::for_stderr();
    let result = match arguments.engine {
        EngineName::Native => oxtorch_notebook::run(options, started.native(progress)).await,
        #[cfg(feature = "evcxr")]
        EngineName::Evcxr => oxtorch_notebook::run(options, started.evcxr(progress)).await,
        #[cfg(not(feature = "evcxr"))]
        EngineName::Evcxr => Err(NotBuilt.into()),
    };
    match result {
        Ok(ran) => match arguments.report.map_or(Ok(()), |file| write_report(&ran, &file)) {
            Ok(()) if ran.failed => ExitCode::from(FAILED),
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => report(&error, FAILED),
        },
        Err(error) => report(&error, started.exit_code()),
    }
}

fn write_report(ran: &oxtorch_notebook::RunReport, file: &Path) -> anyhow::Result<()> {
    let text = format!("{:#}\n", ran.to_json());
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

async fn kernel(connection_file: &Path, engine: EngineName) -> ExitCode {
    let started = Arc::new(Started::default());
    // Without a home no cell can run, and each says why.
    let history = Home::from_environment().ok().map(|home| home.history());
    let (texts, progress) = mpsc::unbounded_channel();
    let result = match engine {
        EngineName::Native => {
            let started = started.clone();
            let start = async move {
                let engine = started.native(sent(texts)).await.map_err(with_help)?;
                Ok(engine.with_standby())
            };
            oxtorch_jupyter::serve(connection_file, history, progress, start).await
        }
        #[cfg(feature = "evcxr")]
        EngineName::Evcxr => {
            let started = started.clone();
            let start = async move { started.evcxr(sent(texts)).await.map_err(with_help) };
            oxtorch_jupyter::serve(connection_file, history, progress, start).await
        }
        #[cfg(not(feature = "evcxr"))]
        EngineName::Evcxr => Err(NotBuilt.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error, started.exit_code()),
    }
}

/// Progress as texts for a frontend.
fn sent(texts: UnboundedSender<String>) -> Box<dyn Progress> {
    Box::new(Whole::new(move |text| {
        // Nobody listens any more once the frontend is gone.
        let _ = texts.send(text);
    }))
}

/// An error whose text says what to do, for where it is all that is shown.
fn with_help(error: anyhow::Error) -> anyhow::Error {
    match help(&error) {
        Some(help) => anyhow::anyhow!("{error:#}\nhelp: {help}"),
        None => error,
    }
}

async fn install(arguments: InstallArgs) -> anyhow::Result<()> {
    let engine = arguments.place.engine;
    engine.check()?;
    let folder = kernelspec::folder(&arguments.place.location()?, arguments.place.name())?;
    let program = std::env::current_exe().context("cannot find the path of this program")?;
    let display_name = arguments.display_name.as_deref().unwrap_or_else(|| engine.display_name());
    let mut spec = Kernelspec::new(&program, display_name, kernelspec::kept_variables(&folder));
    if engine != EngineName::Native {
        let name = engine.to_possible_value().map(|value| value.get_name().to_owned());
        spec.argv.extend(["--engine".to_owned(), name.unwrap_or_default()]);
    }
    // Registered first: that is quick, and whatever it has to refuse it refuses before the long work.
    kernelspec::install(&folder, &spec)?;
    set_up_in_terminal(Home::from_environment()?, oxtorch_setup::ensure).await?;
    answer(format_args!("Registered \"{display_name}\" in {}", folder.display()));
    Ok(())
}

fn uninstall(place: &PlaceArgs) -> anyhow::Result<()> {
    let folder = kernelspec::folder(&place.location()?, place.name())?;
    kernelspec::uninstall(&folder)?;
    answer(format_args!("Removed {}", folder.display()));
    Ok(())
}

async fn set_up_and_say(exact: bool) -> anyhow::Result<()> {
    let home = Home::from_environment()?;
    let ensure = if exact { oxtorch_setup::ensure_exact } else { oxtorch_setup::ensure_whole };
    set_up_in_terminal(home.clone(), ensure).await?;
    answer(format_args!("Oxtorch is set up in {}", home.root().display()));
    Ok(())
}

/// Sets up, and puts what comes of it into a folder for a wheel.
async fn prebuild(folder: &Path) -> anyhow::Result<()> {
    let to = folder.to_owned();
    let make = move |home: &Home, progress: &dyn Progress| oxtorch_setup::prebuilt::make(home, &to, progress);
    set_up_in_terminal(Home::from_environment()?, make).await?;
    answer(format_args!("The runtime and its shim are in {}", folder.display()));
    Ok(())
}

/// Where Jupyter would find the kernel.
fn examine_kernelspecs() -> Vec<Finding> {
    let registered = kernelspec::registered(oxtorch_setup::python_prefix());
    let mut findings = Vec::new();
    if registered.is_empty() {
        findings.push(doctor::optional("kernelspec", "not registered with Jupyter; to do so: oxtorch install"));
    }
    for (folder, spec) in registered {
        let program = spec.argv.first().cloned().unwrap_or_default();
        // A mere name is looked for by Jupyter, which takes its own Python for `python`.
        let is_there = !program.contains('/') || is_executable(program.as_ref());
        findings.push(if is_there {
            doctor::good("kernelspec", format!("\"{}\" in {}", spec.display_name, folder.display()))
        } else {
            let detail = format!("{} starts {program}, which is gone", folder.display());
            doctor::bad("kernelspec", detail, "oxtorch install".to_owned())
        });
    }
    findings
}

fn diagnose() -> ExitCode {
    match Home::from_environment() {
        Ok(home) => {
            let mut findings = doctor::examine(&home);
            findings.extend(examine_kernelspecs());
            answer(format_args!("{}", doctor::table(&findings).trim_end_matches('\n')));
            if doctor::is_well(&findings) { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
        }
        Err(error) => report(&error.into(), FAILED),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn temporary_files_go_to_a_folder_that_others_cannot_change() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mode = |mode| std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(mode)).expect("is ours");
        for good in [0o700, 0o1777] {
            mode(good);
            assert_eq!(will_do_for_temporary_files(folder.path()), Ok(()), "{good:o}");
        }
        mode(0o777);
        let why = will_do_for_temporary_files(folder.path()).expect_err("everybody can write it");
        assert_eq!(why, format!("{} can be written by everybody", folder.path().display()));
        assert_eq!(will_do_for_temporary_files(Path::new("")), Err("TMPDIR is empty".to_owned()));
        let why = will_do_for_temporary_files(&folder.path().join("absent")).expect_err("is not there");
        assert!(why.ends_with("absent is not a folder"), "{why}");
    }

    #[test]
    fn an_engine_that_is_not_built_in_is_refused_with_what_to_do() {
        let refused = EngineName::Evcxr.check();
        assert_eq!(refused.is_err(), cfg!(not(feature = "evcxr")));
        assert!(help(&NotBuilt.into()).is_some_and(|help| help.contains("--features evcxr")));
        assert!(EngineName::Native.check().is_ok());
    }
}
