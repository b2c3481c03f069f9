//! The host process: takes cells from the kernel over the control socket, loads and runs them on one thread.
//!
//! Invariants: a loaded library is never unloaded, so types, vtables and statics of cells live as long as the process;
//! cells run one at a time, on the cell thread, which alone touches the store.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use oxtorch_protocol::{CONTROL_FD, Cost, Done, FromHost, Outcome, Ready, Run, Surroundings, ToHost, read_message};

use crate::{cell, channel as control, checkpoint};

/// Deep recursion is common in Rust written by people who know Python; address space costs nothing until it is used.
const CELL_STACK_BYTES: usize = 256 << 20;

/// How soon text that does not end in a newline, such as `print!("\r{i}")`, is on its way.
const FLUSH_INTERVAL: Duration = Duration::from_millis(25);

static CELL_RUNS: AtomicBool = AtomicBool::new(false);

/// Work for the cell thread.
enum Job {
    Run(Run),
    Forget(Vec<String>),
    Surroundings(Surroundings),
}

/// Runs until the kernel says so or is gone.
pub fn main() {
    let (socket, reading) = match control_socket() {
        Ok(sockets) => sockets,
        Err(error) => {
            eprintln!("oxtorch-host is started by the oxtorch kernel, with its control socket as stdin: {error}");
            std::process::exit(2);
        }
    };
    end_system_calls_on_sigint();
    let (jobs, queue) = channel();
    let (answers, answered) = channel();
    let (shows, shown) = channel();
    control::connect(socket, answered, shown);
    let cells = thread::Builder::new().name("cell".into()).stack_size(CELL_STACK_BYTES).spawn(move || run_cells(queue));
    if let Err(error) = cells {
        eprintln!("cannot start the thread that runs cells: {error}");
        std::process::exit(2);
    }
    thread::spawn(flush_while_a_cell_runs);

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
                true
            }
            ToHost::Forget { names } => jobs.send(Job::Forget(names)).is_ok(),
            ToHost::Surroundings(surroundings) => jobs.send(Job::Surroundings(surroundings)).is_ok(),
            ToHost::Shown => shows.send(()).is_ok(),
            ToHost::Input { value } => answers.send(value).is_ok(),
            ToHost::Shutdown => break,
        };
        if !sent {
            break;
        }
    }
    // The kernel is gone or wants us gone, while a cell may still run. Destructors of the user's statics and of
    // libtorch could hang, and nobody is left to see them run.
    // SAFETY: ends the process without running anything.
    unsafe { libc::_exit(0) }
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

/// The kernel sends SIGINT with each interrupt, so that a blocking system call of the user's returns with EINTR.
fn end_system_calls_on_sigint() {
    extern "C" fn on_sigint(_: libc::c_int) {}
    // SAFETY: the handler does nothing, and the zeroed action is valid: no flags (so no SA_RESTART), an empty mask.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_sigint as *const () as usize;
        libc::sigaction(libc::SIGINT, &action, std::ptr::null_mut());
    }
}

fn flush() {
    let _ = io::stdout().flush();
    // SAFETY: flushes what C and C++ code (libtorch) has printed; valid at any time.
    unsafe { libc::fflush(std::ptr::null_mut()) };
}

fn flush_while_a_cell_runs() {
    loop {
        thread::park_timeout(FLUSH_INTERVAL);
        if CELL_RUNS.load(Ordering::Relaxed) {
            let _ = io::stdout().flush();
        }
    }
}

fn run_cells(queue: Receiver<Job>) {
    cell::install_hook();
    let notes: Vec<String> = crate::device::load_cuda().into_iter().chain(crate::device::threads::settle()).collect();
    let note = (!notes.is_empty()).then(|| notes.join("; "));
    // A request for a device that is not there stands in the note; the cell that calls `device()` gets the error.
    let device = crate::tensor::device_name(crate::device::try_device().unwrap_or(tch::Device::Cpu));
    control::send(&FromHost::Ready(Ready { pid: std::process::id(), device, note }));
    crate::font::register();
    // The first tensor initialises libtorch's dispatcher and allocator; do it while the user still types.
    let _ = tch::Tensor::from_slice(&[0.0_f32]);

    let mut libraries = HashMap::new();
    for job in queue {
        match job {
            Job::Forget(names) => cell::forget_all(&names),
            Job::Surroundings(surroundings) => surround(surroundings),
            Job::Run(run) => {
                cell::begin();
                CELL_RUNS.store(true, Ordering::Relaxed);
                let before = Spent::until_now();
                let done = run_cell(&mut libraries, &run);
                let cost = before.cost();
                CELL_RUNS.store(false, Ordering::Relaxed);
                flush();
                control::send(&FromHost::Done(Done { cost, dir: std::env::current_dir().ok(), ..done }));
            }
        }
    }
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

fn run_cell(libraries: &mut HashMap<PathBuf, Library>, run: &Run) -> Done {
    let library = match load(libraries, &run.library) {
        Ok(library) => library,
        Err(error) => return not_loaded(error),
    };
    if let Some(symbol) = &run.symbol {
        // SAFETY: the kernel has written a function of this name and type into the library.
        let function = match unsafe { library.get::<fn()>(symbol.as_bytes()) } {
            Ok(function) => function,
            Err(error) => return not_loaded(error),
        };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(*function)) {
            cell::record_panic(payload);
        }
    }
    cell::end()
}

fn not_loaded(error: libloading::Error) -> Done {
    let outcome = Outcome::NotLoaded { message: error.to_string() };
    Done { outcome, ..cell::end() }
}

fn load<'a>(libraries: &'a mut HashMap<PathBuf, Library>, path: &Path) -> Result<&'a Library, libloading::Error> {
    if !libraries.contains_key(path) {
        // SAFETY: cells are compiled by the kernel against this very runtime; their initialisers are Rust's own.
        let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }?;
        libraries.insert(path.to_owned(), library);
    }
    Ok(&libraries[path])
}
