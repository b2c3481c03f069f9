//! The host process: takes cells from the kernel over the control socket, loads and runs them on one thread.
//!
//! Invariants: a loaded library is never unloaded, so types, vtables and statics of cells live as long as the process;
//! cells run one at a time, on the cell thread, which alone touches the store. A cell that fails leaves the modes of
//! libtorch as it found them, but for what a guard in a variable asks for. No message comes from another process than
//! the one that the kernel has started.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::thread::JoinHandleExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use oxtorch_protocol::{
    CONTROL_FD, Cost, Done, FromHost, LIBRARY_PATH, Outcome, Ready, Run, Surroundings, ToHost, USERS_LIBRARY_PATH,
    read_message,
};
use tch::gradients;

use crate::cell;
use crate::device::threads::choice;
use crate::widgets;

pub(crate) mod channel;
pub mod checkpoint;
pub mod evcxr;
mod flush;
pub mod input;
pub mod modes;

use modes::Modes;

/// Deep recursion is common in Rust written by people who know Python; address space costs nothing until it is used.
const CELL_STACK_BYTES: usize = 256 << 20;

/// How long the variables may take to be dropped at the end. What a file still lacks is written at once; a destructor
/// may wait for a thread that never ends.
const LAST_DROPS: Duration = Duration::from_millis(1500);

/// How long no cell runs before memory goes back to the system: the next one may want what the last one had.
const REST: Duration = Duration::from_secs(1);

/// Work for the cell thread.
enum Job {
    Run(Run),
    Forget(Vec<String>),
    Surroundings(Surroundings),
    /// Drop the variables and end the process.
    End,
}

/// Gives cells, and what they start, the user's own folders of libraries. The dynamic linker has read the others, and
/// looks there as long as this process runs.
fn give_back_library_path() {
    // SAFETY: this is the only thread, but for those of libraries, which wait for work and read no environment.
    unsafe {
        match std::env::var_os(USERS_LIBRARY_PATH) {
            Some(users) => std::env::set_var(LIBRARY_PATH, users),
            None => std::env::remove_var(LIBRARY_PATH),
        }
        std::env::remove_var(USERS_LIBRARY_PATH);
    }
}

/// Runs until the kernel says so or is gone.
pub fn main() {
    give_back_library_path();
    let (socket, reading) = match control_socket() {
        Ok(sockets) => sockets,
        Err(error) => {
            eprintln!("oxtorch-host is started by the oxtorch kernel, with its control socket as stdin: {error}");
            std::process::exit(2);
        }
    };
    end_system_calls_on_sigint();
    leave_sigterm_to_the_kernel();
    let (jobs, queue) = mpsc::channel();
    let (answers, answered) = mpsc::channel();
    let (shows, shown) = mpsc::channel();
    let started = channel::connect(socket, &reading, answered, shown).and_then(|()| flush::start());
    let cells = started.and_then(|()| {
        thread::Builder::new().name("cell".into()).stack_size(CELL_STACK_BYTES).spawn(move || run_cells(queue))
    });
    let cells = match cells {
        Ok(cells) => cells,
        Err(error) => {
            eprintln!("cannot start the threads that run cells: {error}");
            std::process::exit(2);
        }
    };
    let end_system_call = || {
        // SAFETY: the thread has not been joined, so its handle is valid; the signal does nothing but to end a system
        // call.
        unsafe { libc::pthread_kill(cells.as_pthread_t(), libc::SIGINT) };
    };

    let mut messages = BufReader::new(reading);
    // An error is a kernel that went away in the middle of a message: the same end.
    while let Ok(Some(message)) = read_message::<ToHost>(&mut messages) {
        let sent = match message {
            ToHost::Run(run) => {
                checkpoint::begin(run.id);
                jobs.send(Job::Run(run)).is_ok()
            }
            ToHost::Interrupt { id } => {
                checkpoint::interrupt(id);
                end_system_call();
                true
            }
            ToHost::Forget { names } => jobs.send(Job::Forget(names)).is_ok(),
            ToHost::Surroundings(surroundings) => jobs.send(Job::Surroundings(surroundings)).is_ok(),
            ToHost::Shown => shows.send(()).is_ok(),
            ToHost::Input { value } => answers.send(value).is_ok(),
            ToHost::Shutdown => {
                // A cell that still runs ends, and what it has kept is dropped with the rest.
                checkpoint::interrupt_running();
                end_system_call();
                thread::spawn(|| {
                    thread::sleep(LAST_DROPS);
                    tell(cell::not_dropped());
                    end();
                });
                jobs.send(Job::End).is_ok()
            }
        };
        if !sent {
            break;
        }
    }
    // The kernel is gone, while a cell may still run: nobody is left to see it run, nor what it has started.
    end_with_all_that_was_started()
}

/// Tells the user what no cell can tell any more.
fn tell(notes: impl IntoIterator<Item = String>) {
    for text in notes {
        channel::send(&FromHost::Note { text });
    }
}

/// Ends the process. Destructors of the user's statics and of libtorch could hang, and nobody is left to see them run.
fn end() -> ! {
    // SAFETY: ends the process without running anything.
    unsafe { libc::_exit(0) }
}

/// Ends the process and those that cells have started, with what those have started in turn.
fn end_with_all_that_was_started() -> ! {
    // SAFETY: asks the system for numbers; then sends a signal to the process group that the kernel has made for this
    // process alone, and to no other.
    unsafe {
        if libc::getpgrp() == libc::getpid() {
            libc::kill(0, libc::SIGKILL);
        }
    }
    end()
}

/// Two handles on the control socket; the user's code finds an empty stdin in its place.
fn control_socket() -> io::Result<(UnixStream, UnixStream)> {
    // SAFETY: descriptor 0 is open in every process that the kernel starts, and nothing has used it yet.
    let stdin = ManuallyDrop::new(unsafe { UnixStream::from_raw_fd(CONTROL_FD) });
    // Fails for anything but a socket.
    stdin.local_addr()?;
    let sockets = (stdin.try_clone()?, stdin.try_clone()?);
    // The kernel's end works without blocking, this one with.
    sockets.0.set_nonblocking(false)?;
    let nothing = File::open("/dev/null")?;
    // SAFETY: both are open descriptors, and nobody relies on what 0 was.
    if unsafe { libc::dup2(nothing.as_raw_fd(), CONTROL_FD) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(sockets)
}

/// SIGINT comes with each interrupt, so that a blocking system call of the user's returns with EINTR. It is for the
/// thread that runs cells and those that the user has made: this one only reads, and those that it makes have it
/// blocked too.
fn end_system_calls_on_sigint() {
    // Without SA_RESTART.
    do_nothing_on(libc::SIGINT, 0);
    sigint(libc::SIG_BLOCK);
}

/// Leaves SIGTERM to the kernel, which hears it as well where a batch system ends all processes of a job, and ends this
/// one when it has told the running cell. What cells start ends by it as ever: a handler does not outlive an `exec`.
fn leave_sigterm_to_the_kernel() {
    do_nothing_on(libc::SIGTERM, libc::SA_RESTART);
}

fn do_nothing_on(signal: libc::c_int, flags: libc::c_int) {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: the handler does nothing, and the zeroed action is valid: an empty mask.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as *const () as usize;
        action.sa_flags = flags;
        libc::sigaction(signal, &action, std::ptr::null_mut());
    }
}

/// Lets SIGINT through to this thread, or blocks it.
fn sigint(how: libc::c_int) {
    let mut signals = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the set is initialised before it is used.
    unsafe {
        libc::sigemptyset(signals.as_mut_ptr());
        libc::sigaddset(signals.as_mut_ptr(), libc::SIGINT);
        libc::pthread_sigmask(how, signals.as_ptr(), std::ptr::null_mut());
    }
}

fn run_cells(queue: Receiver<Job>) {
    sigint(libc::SIG_UNBLOCK);
    checkpoint::run_cells_here();
    cell::install_hook();
    cell::note_broadcasts();
    let notes: Vec<String> = crate::device::load_cuda().into_iter().chain(crate::device::threads::settle()).collect();
    let note = (!notes.is_empty()).then(|| notes.join("; "));
    // A request for a device that is not there stands in the note; the cell that calls `device()` gets the error.
    let device = crate::tensor::device_name(crate::device::try_device().unwrap_or(tch::Device::Cpu));
    channel::send(&FromHost::Ready(Ready { pid: std::process::id(), device, note }));
    crate::font::register();
    // The first tensor initialises libtorch's dispatcher and allocator; do it while the user still types.
    let _ = tch::Tensor::from_slice(&[0.0_f32]);

    let mut libraries = HashMap::new();
    let mut spare = Spare::default();
    spare.fill();
    while let Some(job) = next_job(&queue) {
        match job {
            Job::Forget(names) => cell::forget_all(&names),
            Job::Surroundings(surroundings) => surround(surroundings),
            Job::Run(run) => {
                cell::begin();
                choice::begin_cell();
                let before = Spent::until_now();
                let done = run_cell(&mut libraries, &mut spare, &run);
                choice::end_cell();
                let cost = before.cost();
                if channel::is_fork() {
                    end_fork(&done.outcome);
                }
                if !flush::flush() && cell::keeps_stdout() {
                    flush::flush_all();
                }
                let dir = std::env::current_dir().ok();
                channel::send(&FromHost::Done(Box::new(Done {
                    run: run.id,
                    cost,
                    dir,
                    threads: choice::reason(),
                    ..done
                })));
            }
            Job::End => {
                cell::drop_all(|text| tell(Some(text)));
                flush::flush();
                end();
            }
        }
    }
}

/// The next job, unless the kernel is gone.
fn next_job(queue: &Receiver<Job>) -> Option<Job> {
    match queue.recv_timeout(REST) {
        Err(RecvTimeoutError::Timeout) => {
            give_memory_back();
            queue.recv().ok()
        }
        job => job.ok(),
    }
}

/// The allocator keeps what was freed for the next call, and looks only then whether it has it for long: without one,
/// tensors that were dropped would take memory from other programs.
fn give_memory_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it may be called at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// A fork that a cell has made has come to the end of the cell. The store, the socket and the next cells are the
/// host's.
fn end_fork(outcome: &Outcome) -> ! {
    let status = match outcome {
        Outcome::Ok => 0,
        Outcome::Panicked { message, .. } | Outcome::Failed { message, .. } | Outcome::NotLoaded { message } => {
            eprintln!("a fork of the process failed: {message}");
            1
        }
        Outcome::Interrupted => 1,
    };
    flush::flush_all();
    // SAFETY: ends the process without running anything.
    unsafe { libc::_exit(status) }
}

/// Goes to the folder, and sets the variables, that the user has asked for.
fn surround(Surroundings { dir, env }: Surroundings) {
    // The kernel has looked: the folder was there a moment ago, and nobody can be told now.
    let _ = dir.map(std::env::set_current_dir);
    for (name, value) in env {
        // SAFETY: no cell runs. Rust code in other threads of the user's reads the environment under the lock of the
        // standard library, and libtorch's threads read theirs when they start.
        unsafe {
            match value {
                Some(value) => std::env::set_var(name, value),
                None => std::env::remove_var(name),
            }
        }
    }
}

/// What the process has used up to a moment.
struct Spent {
    wall: Instant,
    user: Duration,
    system: Duration,
}

impl Spent {
    fn until_now() -> Self {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: `usage` is writable and of the right type; zeroes are valid for it should the call fail.
        let usage = unsafe {
            libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
            usage.assume_init()
        };
        Self { wall: Instant::now(), user: duration(usage.ru_utime), system: duration(usage.ru_stime) }
    }

    /// What has been used since.
    fn cost(&self) -> Cost {
        let now = Self::until_now();
        Cost {
            wall: now.wall.duration_since(self.wall),
            user: now.user.saturating_sub(self.user),
            system: now.system.saturating_sub(self.system),
        }
    }
}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_secs(time.tv_sec.unsigned_abs())
        + Duration::from_micros(u64::from(time.tv_usec.unsigned_abs() as u32))
}

fn run_cell(libraries: &mut HashMap<PathBuf, Library>, spare: &mut Spare, run: &Run) -> Done {
    cell::forget_all(&run.forget);
    if let Some(request) = &run.comm {
        let done = in_modes(|| widgets::answer(request));
        return Done { comms: widgets::last_words(), ..done };
    }
    let Some(library) = &run.library else { return cell::end() };
    let library = match load(libraries, library, spare) {
        Ok(library) => library,
        Err(error) => return not_loaded(error),
    };
    let Some(symbol) = &run.symbol else { return cell::end() };
    if run.once
        && let Some(path) = &run.library
    {
        // What is not there any more is not read either.
        let _ = std::fs::remove_file(path);
    }
    // SAFETY: the kernel has written a function of this name and type into the library.
    match unsafe { library.get::<fn()>(symbol.as_bytes()) } {
        Ok(function) => {
            cell::lay_key(run.test.clone());
            let done = in_modes(*function);
            cell::lay_key(None);
            done
        }
        Err(error) => not_loaded(error),
    }
}

/// Runs the user's code.
fn in_modes(code: impl FnOnce()) -> Done {
    let (modes, held_guard) = (Modes::now(), gradients::is_held());
    if let Err(payload) = catch_unwind(AssertUnwindSafe(code)) {
        cell::record_panic(payload);
    }
    let done = cell::end();
    if done.outcome != Outcome::Ok {
        modes.put_back();
    }
    gradients::settle(held_guard);
    done
}

/// Open files that are let go of while a cell is loaded: where a cell has opened all that the process may, the one that
/// closes them is to run.
#[derive(Default)]
struct Spare(Vec<File>);

impl Spare {
    /// A library, and two that it needs.
    const FILES: usize = 3;

    fn fill(&mut self) {
        while self.0.len() < Self::FILES
            && let Ok(file) = File::open("/dev/null")
        {
            self.0.push(file);
        }
    }
}

fn not_loaded(error: libloading::Error) -> Done {
    let outcome = Outcome::NotLoaded { message: error.to_string() };
    Done { outcome, ..cell::end() }
}

fn load<'a>(
    libraries: &'a mut HashMap<PathBuf, Library>,
    path: &Path,
    spare: &mut Spare,
) -> Result<&'a Library, libloading::Error> {
    if !libraries.contains_key(path) {
        spare.0.clear();
        // SAFETY: cells are compiled by the kernel against this very runtime; their initialisers are Rust's own.
        let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
        spare.fill();
        let library = library?;
        libraries.insert(path.to_owned(), library);
    }
    Ok(&libraries[path])
}
