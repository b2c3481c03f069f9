//! What happens when a cell is interrupted, or takes the host process down with it.
//!
//! Nothing here waits for a time to pass: a test acts when the cell has printed what it waits for.
//!
//! It is one file of more than 500 lines because each file of tests is a program of its own, which links the whole
//! engine.

mod session;

use std::io::{BufRead as _, BufReader, Read as _};
use std::time::{Duration, Instant};

use oxtorch_engine::{Cache, NativeEngine};
use oxtorch_session::Engine as _;
use oxtorch_session::Event;
use serde_json::{Value, json};
use session::{Notebook, Shown};

/// How soon a cell ends after an interrupt, where it has checkpoints.
const SOON: Duration = Duration::from_secs(1);

/// A cell's text that tells the test which process to end.
const PRINT_HOST: &str = r#"println!("host {} runs", std::process::id());"#;

/// Runs a test on a runtime with a thread for timers beside the one that waits.
fn notebook_test<F: Future<Output = ()>>(test: impl FnOnce(Notebook) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a tokio runtime").block_on(async { test(Notebook::start().await).await });
}

/// Runs a cell that never ends by itself and interrupts it once it has printed `ready`; returns how long the
/// interrupt took as well.
async fn interrupted(notebook: &mut Notebook, code: &str) -> (Shown, Duration) {
    let interrupter = notebook.engine.interrupter();
    let mut at = None;
    let shown = notebook
        .run_with(code, vec![], |shown| {
            if at.is_none() && shown.stdout.contains("ready") {
                at = Some(Instant::now());
                interrupter.interrupt();
            }
        })
        .await;
    let at = at.unwrap_or_else(|| panic!("the cell never got ready: {shown:?}"));
    (shown, at.elapsed())
}

/// Runs a cell that prints its process with [`PRINT_HOST`], and sends that process a signal once it did.
async fn signalled(notebook: &mut Notebook, code: &str, signal: i32) -> Shown {
    let mut host = None;
    let shown = notebook
        .run_with(code, vec![], |shown| {
            if host.is_none()
                && let Some(line) = shown.stdout.lines().find(|line| line.ends_with(" runs"))
            {
                let pid: i32 = line.split(' ').nth(1).and_then(|pid| pid.parse().ok()).expect("a process id");
                host = Some(pid);
                // SAFETY: `kill` takes any number; this one is a process that this session started and that runs.
                assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "the host can be signalled");
            }
        })
        .await;
    assert!(host.is_some(), "the cell has not printed its process: {shown:?}");
    shown
}

async fn expect_result(notebook: &mut Notebook, code: &str, result: &str) {
    let shown = notebook.run(code).await;
    assert_eq!(shown.text(), Some(result), "{code}\n{shown:?}");
}

/// After a lost host: an error that names the lost variables, then items that work and variables that are explained.
async fn expect_lost_host(notebook: &mut Notebook, shown: &Shown) {
    assert_eq!(shown.ending(), "HostDied", "{shown:?}");
    let told = format!("{}\n{}", shown.report().unwrap_or_default(), session::without_colors(&shown.stderr));
    assert!(told.contains("weights"), "the lost variable is named: {told}");
    expect_result(notebook, "double(21)", "42").await;
    let shown = notebook.run("weights").await;
    assert_eq!(shown.ending(), "CompileError", "{shown:?}");
    assert!(shown.report().is_some_and(|report| report.contains("weights")), "{shown:?}");
    let shown = notebook.run("let weights = vec![double(4)];\nweights").await;
    assert_eq!(shown.text(), Some("[8]"), "{shown:?}");
    expect_result(notebook, "weights[0]", "8").await;
}

async fn with_items_and_weights(notebook: &mut Notebook) {
    let shown = notebook.run("fn double(n: i32) -> i32 { n * 2 }\nlet weights = vec![1.0, 2.0];").await;
    assert_eq!(shown.ending(), "ok", "{shown:?}");
}

#[test]
fn an_interrupt_ends_a_busy_loop_within_a_second_and_keeps_variables() {
    notebook_test(async |mut notebook| {
        notebook.run("let mut kept = vec![1, 2, 3];").await;
        let code = "kept.push(4);\nprintln!(\"ready\");\nloop { std::hint::black_box(0); }";
        let (shown, took) = interrupted(&mut notebook, code).await;
        assert_eq!(shown.ending(), "KeyboardInterrupt", "{shown:?}");
        assert!(took < SOON, "the interrupt took {took:?}");
        expect_result(&mut notebook, "kept", "[1, 2, 3, 4]").await;
        notebook.end().await;
    });
}

#[test]
fn an_interrupt_reaches_loops_in_functions_of_earlier_cells() {
    notebook_test(async |mut notebook| {
        notebook.run("fn forever() { let mut n = 0u64; while n < u64::MAX { n = n.wrapping_mul(3); } }").await;
        let (shown, took) = interrupted(&mut notebook, "println!(\"ready\");\nforever()").await;
        assert_eq!(shown.ending(), "KeyboardInterrupt", "{shown:?}");
        assert!(took < SOON, "the interrupt took {took:?}");
        notebook.end().await;
    });
}

#[test]
fn an_interrupt_reaches_loops_in_closures() {
    notebook_test(async |mut notebook| {
        let code = "println!(\"ready\");\nlet step = |n: u64| { let mut n = n; for _ in 0..10 { n += 1; } n };\n\
                    let mut n = 0;\nwhile n > 0 || step(n) > 0 { n = step(n) % 1000; }";
        let (shown, took) = interrupted(&mut notebook, code).await;
        assert_eq!(shown.ending(), "KeyboardInterrupt", "{shown:?}");
        assert!(took < SOON, "the interrupt took {took:?}");
        notebook.end().await;
    });
}

#[test]
fn a_cell_that_makes_a_network_and_trains_for_ever_keeps_both_when_interrupted() {
    notebook_test(async |mut notebook| {
        let code = r#"let vs = nn::VarStore::new(Device::Cpu);
let net = nn::linear(vs.root(), 4, 2, Default::default());
let mut opt = nn::Adam::default().build(&vs, 1e-2)?;
let mut steps = 0;
loop {
    let loss = net.forward(&Tensor::ones([8, 4], (Kind::Float, Device::Cpu))).square().mean(Kind::Float);
    opt.backward_step(&loss);
    steps += 1;
    if steps == 10 { println!("ready"); }
}"#;
        let (shown, took) = interrupted(&mut notebook, code).await;
        assert_eq!(shown.ending(), "KeyboardInterrupt", "{shown:?}");
        assert!(took < SOON, "the interrupt took {took:?}");
        let code = "opt.set_lr(0.5);\n\
                    (steps >= 10, net.forward(&Tensor::ones([3, 4], (Kind::Float, Device::Cpu))).size(), vs.len())";
        expect_result(&mut notebook, code, "(true, [3, 2], 2)").await;
        notebook.end().await;
    });
}

#[test]
fn an_interrupt_while_no_cell_runs_does_nothing() {
    notebook_test(async |mut notebook| {
        notebook.run("let x = 1;").await;
        notebook.engine.interrupter().interrupt();
        let code = "let mut n = 0;\nfor _ in 0..1000 { n += x; }\nn";
        expect_result(&mut notebook, code, "1000").await;
        notebook.end().await;
    });
}

#[test]
fn a_cell_runs_well_after_one_that_was_interrupted() {
    notebook_test(async |mut notebook| {
        for _ in 0..3 {
            let (shown, _) = interrupted(&mut notebook, "println!(\"ready\");\nloop {}").await;
            assert_eq!(shown.ending(), "KeyboardInterrupt", "{shown:?}");
        }
        expect_result(&mut notebook, "let mut n = 0;\nwhile n < 10 { n += 1; }\nn", "10").await;
        notebook.end().await;
    });
}

#[test]
fn an_interrupt_ends_a_cell_that_sleeps_again_and_again() {
    notebook_test(async |mut notebook| {
        let code = "println!(\"ready\");\nloop { std::thread::sleep(std::time::Duration::from_millis(20)); }";
        let (shown, took) = interrupted(&mut notebook, code).await;
        assert_eq!(shown.ending(), "KeyboardInterrupt", "{shown:?}");
        assert!(took < SOON, "the interrupt took {took:?}");
        notebook.end().await;
    });
}

#[test]
fn an_interrupt_ends_a_cell_that_awaits_and_keeps_what_it_made() {
    notebook_test(|mut notebook| async move {
        expect_result(&mut notebook, "let mut log = vec![1];\nlog.len()", "1").await;
        let code = "log.push(2);\nlet made = String::from(\"made\");\nprintln!(\"ready\");\n\
                    tokio::time::sleep(std::time::Duration::from_secs(3600)).await;\nlog.push(3);";
        let (shown, took) = interrupted(&mut notebook, code).await;
        assert_eq!(shown.ending(), "KeyboardInterrupt", "{shown:?}");
        assert!(took < SOON, "the interrupt took {took:?}");
        expect_result(&mut notebook, "(log, made)", "([1, 2], \"made\")").await;
        // The next one awaits as before.
        expect_result(&mut notebook, "async { 5 }.await", "5").await;
        notebook.end().await;
    });
}

#[test]
fn an_interrupt_keeps_what_a_cell_made_of_a_value_that_it_moved() {
    notebook_test(|mut notebook| async move {
        let code = "let words = vec![1, 2];\nlet boxed = Box::new(words);\nlet mut steps = 0;\n\
                    loop { steps += 1; if steps == 5 { println!(\"ready\"); } }";
        let (shown, _) = interrupted(&mut notebook, code).await;
        assert_eq!(shown.ending(), "KeyboardInterrupt", "{shown:?}");
        expect_result(&mut notebook, "(boxed.len(), steps > 4)", "(2, true)").await;
        notebook.end().await;
    });
}

/// A statement that an interrupt reaches, and that ends as if there had been none: it catches the unwinding.
const OUTLASTS: &str = "std::panic::catch_unwind(|| loop {}).is_err()";

#[test]
fn an_interrupt_ends_a_cell_behind_the_statement_that_runs() {
    let cells = [
        // An interrupt that comes ahead of a statement keeps it from beginning: the cell gets ready within it.
        format!("let outlasted = {{ println!(\"ready\"); {OUTLASTS} }};\nlet next = f();\nprintln!(\"goes on\");"),
        format!("let outlasted = {{ println!(\"ready\"); {OUTLASTS} }};"),
        format!("let outlasted = true;\nprintln!(\"ready\");\ndrop({OUTLASTS});\nprintln!(\"goes on\");"),
        format!("let outlasted = true;\nprintln!(\"ready\");\n{OUTLASTS}"),
        format!("let outlasted;\nprintln!(\"ready\");\noutlasted = {OUTLASTS};\nprintln!(\"goes on\");"),
        format!(":time let outlasted = true; println!(\"ready\"); drop({OUTLASTS}); println!(\"goes on\");"),
        format!("let outlasted = true;\n%timeit -n 1 -r 1 println!(\"ready\"); {OUTLASTS}; println!(\"goes on\")"),
    ];
    notebook_test(async |mut notebook| {
        notebook.run("fn f() -> i32 { println!(\"goes on\"); 1 }").await;
        for code in cells {
            let (shown, _) = interrupted(&mut notebook, &code).await;
            assert_eq!(shown.ending(), "KeyboardInterrupt", "{code}\n{shown:?}");
            assert!(!shown.stdout.contains("goes on"), "{code}\n{shown:?}");
            assert_eq!(shown.text(), None, "{code}");
            if !code.starts_with("let outlasted;") {
                expect_result(&mut notebook, "outlasted", "true").await;
            }
        }
        notebook.end().await;
    });
}

#[test]
fn what_a_thread_that_was_interrupted_makes_of_its_cell_is_an_interrupt() {
    let cells = [
        "println!(\"ready\");\nstd::thread::scope(|scope| { scope.spawn(|| loop {}); });",
        "println!(\"ready\");\nstd::thread::spawn(|| loop {}).join().unwrap();",
        "println!(\"ready\");\nstd::thread::spawn(|| loop {}).join().map_err(|_| anyhow!(\"a worker has failed\"))?;",
    ];
    notebook_test(async |mut notebook| {
        for code in cells {
            let (shown, took) = interrupted(&mut notebook, code).await;
            assert_eq!(shown.ending(), "KeyboardInterrupt", "{code}\n{shown:?}");
            assert!(took < SOON, "the interrupt took {took:?}");
        }
        // A thread's own panic is still told as one.
        let shown = notebook.run("std::thread::scope(|scope| { scope.spawn(|| panic!(\"own\")); });").await;
        assert_eq!(shown.ending(), "Panic", "{shown:?}");
        notebook.end().await;
    });
}

#[test]
fn only_the_cell_that_compiles_for_ever_pays_for_it() {
    notebook_test(async |mut notebook| {
        let forever = "#[allow(long_running_const_eval)] const FOREVER: () = loop {};\nlet a = FOREVER;";
        notebook.engine.expect(vec![forever.to_owned(), "1 + 1".to_owned()]);
        expect_result(&mut notebook, "40 + 2", "42").await;
        let interrupter = notebook.engine.interrupter();
        let interrupt = async {
            // The cell has begun when the first poll of it is over; an interrupt that comes early counts.
            tokio::task::yield_now().await;
            interrupter.interrupt();
        };
        let (shown, ()) = tokio::join!(notebook.run(forever), interrupt);
        assert_eq!(shown.ending(), "KeyboardInterrupt", "{shown:?}");
        expect_result(&mut notebook, "1 + 1", "2").await;
    });
}

#[test]
fn a_second_interrupt_ends_a_cell_that_reaches_no_checkpoint() {
    notebook_test(async |mut notebook| {
        with_items_and_weights(&mut notebook).await;
        let interrupter = notebook.engine.interrupter();
        let mut told_at = None;
        let mut first = true;
        // One long sleep has no checkpoint. The kernel says so after some seconds; that is the event waited for.
        let code = "{ println!(\"ready\"); std::thread::sleep(std::time::Duration::from_secs(3600)); }";
        let shown = notebook
            .run_with(code, vec![], |shown| {
                if first && shown.stdout.contains("ready") {
                    first = false;
                    interrupter.interrupt();
                }
                if told_at.is_none() && shown.stderr.contains("interrupt") {
                    told_at = Some(Instant::now());
                    interrupter.interrupt();
                }
            })
            .await;
        let took =
            told_at.unwrap_or_else(|| panic!("the user is told that the cell does not react: {shown:?}")).elapsed();
        assert!(took < Duration::from_secs(5), "the second interrupt took {took:?}");
        expect_lost_host(&mut notebook, &shown).await;
        notebook.end().await;
    });
}

#[test]
fn a_host_killed_in_the_middle_of_a_cell_is_replaced() {
    notebook_test(async |mut notebook| {
        with_items_and_weights(&mut notebook).await;
        let shown = signalled(&mut notebook, &format!("{PRINT_HOST}\nloop {{}}"), libc::SIGKILL).await;
        expect_lost_host(&mut notebook, &shown).await;
        notebook.end().await;
    });
}

#[test]
fn a_host_killed_between_two_cells_is_replaced() {
    notebook_test(async |mut notebook| {
        with_items_and_weights(&mut notebook).await;
        let shown = signalled(&mut notebook, PRINT_HOST, libc::SIGKILL).await;
        // The signal may arrive before or after this cell's end; what counts is that the next one that needs
        // `weights` says what became of it, and that those after it run.
        let shown = if shown.ending() == "ok" { notebook.run("weights").await } else { shown };
        assert_ne!(shown.ending(), "ok", "{shown:?}");
        let told = format!("{}\n{}", shown.report().unwrap_or_default(), shown.notes);
        assert!(told.contains("weights"), "{told}");
        expect_result(&mut notebook, "double(4)", "8").await;
        notebook.end().await;
    });
}

#[test]
fn a_cell_that_needs_nothing_lost_runs_at_once_after_a_kill() {
    notebook_test(async |mut notebook| {
        with_items_and_weights(&mut notebook).await;
        let shown = notebook.run("println!(\"{}\", std::process::id());").await;
        let pid: i32 = shown.stdout.trim().parse().expect("the host prints its id");
        // SAFETY: `kill` takes any number; this one is a process that this session started and that runs.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGKILL) }, 0, "the host can be signalled");
        // It has ended when its parent, this process, can ask for its exit status, which is left for the kernel to
        // take.
        let pid = rustix::process::Pid::from_raw(pid).expect("a process id");
        let ended = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), ended).expect("the host is a child of this process");
        let shown = notebook.run("double(4)").await;
        assert_eq!((shown.ending(), shown.text()), ("ok", Some("8")), "{shown:?}");
        assert!(shown.notes.contains("has ended") && shown.notes.contains("weights"), "{}", shown.notes);
        notebook.end().await;
    });
}

/// A cell that ends its own process: the error says how, and the session goes on.
fn ends_the_host(code: &str, says: &str) {
    notebook_test(async |mut notebook| {
        with_items_and_weights(&mut notebook).await;
        let shown = notebook.run(code).await;
        let report = shown.report().unwrap_or_default();
        assert!(report.to_lowercase().contains(says), "the report says `{says}`: {shown:?}");
        assert!(shown.stdout.contains("before"), "what was printed before the end arrives: {shown:?}");
        expect_lost_host(&mut notebook, &shown).await;
        notebook.end().await;
    });
}

#[test]
fn process_exit_is_told_with_its_status() {
    ends_the_host("println!(\"before\");\nstd::process::exit(3)", "3");
}

#[test]
fn an_abort_is_told() {
    ends_the_host("println!(\"before\");\nstd::process::abort()", "abort");
}

#[test]
fn a_stack_overflow_is_told() {
    let code = "println!(\"before\");\n\
                fn deep(n: u64) -> u64 { let pad = [n; 64]; std::hint::black_box(&pad); deep(n + 1) + pad[0] }\n\
                deep(std::hint::black_box(0))";
    ends_the_host(code, "stack");
}

#[test]
fn a_segmentation_fault_is_told() {
    ends_the_host("println!(\"before\");\nunsafe { std::ptr::dangling_mut::<u32>().write_volatile(1) }", "sigsegv");
}

#[test]
fn what_is_no_message_to_the_kernel_is_told() {
    let write = "use std::io::Write as _;\nuse std::os::fd::FromRawFd as _;\nprintln!(\"before\");\n\
                 let is_socket = |fd: &i32| std::fs::read_link(format!(\"/proc/self/fd/{fd}\"))\n    \
                 .is_ok_and(|leads| leads.to_string_lossy().starts_with(\"socket\"));\n\
                 let fd = (0..1000).find(is_socket).unwrap();\n\
                 let mut socket = std::mem::ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(fd) });\n";
    ends_the_host(
        &format!("{write}socket.write_all(b\"no message\\n\")?;\nloop {{}}"),
        "it sent the kernel an invalid message",
    );
    // It has no end, and the kernel does not wait for one.
    let endless = format!("{write}let bytes = [b'a'; 1 << 20];\nloop {{ socket.write_all(&bytes)?; }}");
    ends_the_host(&endless, "it sent a message of more than 128 mb");
}

/// Has the host leave the group that it leads, and stop.
const LEAVES_AND_STOPS: &str = "unsafe extern \"C\" {\n    fn getpgid(pid: i32) -> i32;\n    fn setpgid(pid: i32, group: i32) -> i32;\n    \
                                fn raise(signal: i32) -> i32;\n}\n\
                                let parent = std::os::unix::process::parent_id() as i32;\n\
                                let left = unsafe { setpgid(0, getpgid(parent)) };\n\
                                println!(\"left {left}\");\nunsafe { raise(19) };";

#[test]
fn a_host_that_left_its_group_and_stopped_is_ended_when_its_time_is_over() {
    let (outputs, stderr) = run_program(&["let weights = vec![1];", LEAVES_AND_STOPS], &["--timeout", "10"], |_| {});
    let told = outputs[1].to_string();
    assert!(
        told.contains("left 0") && told.contains("Timeout") && told.contains("process was ended"),
        "{told}\n{stderr}"
    );
}

#[test]
fn a_host_that_left_its_group_and_stops_at_the_end_is_not_waited_for() {
    // The thread stops the process when the kernel asks it to end.
    let code = LEAVES_AND_STOPS.replace(
        "unsafe { raise(19) };",
        "struct Stops;\nimpl Drop for Stops { fn drop(&mut self) { unsafe { raise(19) }; } }\nlet stops = Stops;",
    );
    let (outputs, stderr) = run_program(&[&code], &[], |_| {});
    assert_eq!(printed(&outputs[0], "stdout"), "left 0\n", "{stderr}");
    assert!(stderr.contains("1 of 1 cells executed"), "{stderr}");
}

/// Runs a command that says when it is ready and ends by no interrupt, presses twice, and ends it when that is offered.
async fn end_what_outlasts_interrupts(notebook: &mut Notebook, command: &str) {
    let interrupter = notebook.engine.interrupter();
    let mut pressed = false;
    let shown = notebook
        .run_with(command, vec![], |shown| {
            if !pressed && shown.stdout.contains("ready") {
                pressed = true;
                interrupter.interrupt();
                interrupter.interrupt();
            }
            if shown.stderr.contains("Interrupt again") {
                interrupter.end();
            }
        })
        .await;
    assert_eq!(shown.ending(), "KeyboardInterrupt", "{shown:?}");
}

#[test]
fn a_shell_that_left_its_group_can_be_ended() {
    notebook_test(async |mut notebook| {
        end_what_outlasts_interrupts(
            &mut notebook,
            "!exec setsid sh -c 'trap \"\" INT; echo ready; while :; do sleep 1000; done'",
        )
        .await;
        expect_result(&mut notebook, "1 + 1", "2").await;
        notebook.end().await;
    });
}

#[test]
fn what_is_lost_between_cells_names_the_cell_before() {
    notebook_test(async |mut notebook| {
        let shown = notebook.run("let weights = vec![1];\nstd::process::id()").await;
        let pid: i32 = shown.text().and_then(|pid| pid.parse().ok()).expect("the host's process");
        notebook.run("let more = weights.len();").await;
        // SAFETY: `kill` takes any number; this one is a process that this session started and that runs.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGKILL) }, 0, "the host can be killed");
        // Its other threads end behind the first one.
        let threads = || std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
        let runs = || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
        while threads() > 1 || runs() {
            tokio::task::yield_now().await;
        }
        let shown = notebook.run("weights").await;
        assert!(shown.notes.contains("without these variables: more, weights"), "{shown:?}");
        let report = shown.report().unwrap_or_default();
        assert!(report.contains("`weights` was lost with the host process, which ended after cell [2]"), "{report}");
        notebook.end().await;
    });
}

#[test]
fn what_a_killed_cell_printed_arrives() {
    notebook_test(async |mut notebook| {
        let code = "for i in 0..1000 { println!(\"line {i}\"); }\nstd::process::exit(0)";
        let shown = notebook.run(code).await;
        assert_eq!(shown.ending(), "HostDied", "{shown:?}");
        let expected: String = (0..1000).map(|i| format!("line {i}\n")).collect();
        assert_eq!(shown.stdout, expected);
        notebook.end().await;
    });
}

#[test]
fn a_million_lines_arrive_complete_and_in_order() {
    notebook_test(async |mut notebook| {
        let shown = notebook.run("for i in 0..1_000_000 { println!(\"{i}\"); }").await;
        assert_eq!(shown.ending(), "ok");
        let mut lines = shown.stdout.lines();
        assert!((0..1_000_000).all(|i| lines.next() == Some(i.to_string().as_str())), "the lines are in order");
        assert_eq!(lines.next(), None);
        notebook.end().await;
    });
}

#[test]
fn output_that_is_not_utf8_arrives_with_replacements() {
    notebook_test(async |mut notebook| {
        let code = r#"use std::io::Write as _;
std::io::stdout().write_all(b"a\xffb\n")?;
for byte in "é🦀\n".bytes() { std::io::stdout().write_all(&[byte])?; std::io::stdout().flush()?; }"#;
        let shown = notebook.run(code).await;
        assert_eq!(shown.stdout, "a\u{fffd}b\né🦀\n", "{shown:?}");
        notebook.end().await;
    });
}

#[test]
fn output_of_a_thread_that_outlives_its_cell_reaches_a_later_one() {
    notebook_test(async |mut notebook| {
        let code = "let (go, wait) = std::sync::mpsc::channel::<()>();\n\
                    let worker = std::thread::spawn(move || { wait.recv().unwrap(); println!(\"late\"); });";
        let shown = notebook.run(code).await;
        assert_eq!(shown.ending(), "ok", "{shown:?}");
        let shown = notebook.run("go.send(())?;\nworker.join().unwrap();").await;
        assert_eq!(shown.stdout, "late\n", "{shown:?}");
        notebook.end().await;
    });
}

/// A gate, and the line of a cell's thread that waits until somebody has come through it and gone.
fn gate() -> (std::net::TcpListener, String) {
    let gate = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = gate.local_addr().expect("an address").port();
    let connects = format!("std::net::TcpStream::connect((\"127.0.0.1\", {port})).unwrap()");
    (gate, format!("let _ = std::io::Read::read(&mut {connects}, &mut [0]);"))
}

#[test]
fn what_a_thread_prints_between_two_cells_is_shown_then() {
    notebook_test(async |mut notebook| {
        let mut aside = notebook.engine.aside().expect("the engine tells what is shown between cells");
        let (gate, wait) = gate();
        // The thread begins once the cell is over. It prints more than a pipe holds, so it would stand still where
        // nobody reads.
        let code = format!(
            "let printing = std::thread::spawn(|| {{\n\
             {wait}\n\
             for i in 0..20_000 {{ println!(\"line {{i}}\"); }}\n\
             print!(\"done\");\n\
             display(&Html(\"<b>seen</b>\"));\n}});"
        );
        let shown = notebook.run(&code).await;
        assert_eq!((shown.ending(), shown.stdout.as_str()), ("ok", ""), "{shown:?}");
        drop(gate.accept().expect("the thread connects"));
        let mut text = String::new();
        let is_shown = loop {
            match aside.recv().await.expect("the engine lives") {
                Event::Stream { text: more, .. } => text.push_str(&more),
                Event::Display(display) => break display.data.contains_key("text/html"),
                other => panic!("{other:?}"),
            }
        };
        let expected: String = (0..20_000).map(|i| format!("line {i}\n")).collect();
        assert!(is_shown && text == expected + "done", "{} bytes", text.len());
        let shown = notebook.run("printing.join().unwrap();\n\"next\"").await;
        assert_eq!((shown.text(), shown.stdout.as_str()), (Some("\"next\""), ""), "{shown:?}");
        notebook.end().await;
    });
}

#[test]
fn an_interrupt_ends_the_child_that_a_cell_waits_for() {
    notebook_test(async |mut notebook| {
        notebook.run("let kept = vec![1, 2];").await;
        let code = "println!(\"ready\");\n\
                    let status = std::process::Command::new(\"sleep\").arg(\"1000\").status()?;\n\
                    ensure!(status.success(), \"sleep failed\");";
        let (shown, took) = interrupted(&mut notebook, code).await;
        assert_eq!(shown.ending(), "KeyboardInterrupt", "{shown:?}");
        assert!(took < SOON, "the interrupt took {took:?}");
        expect_result(&mut notebook, "kept", "[1, 2]").await;
        notebook.end().await;
    });
}

/// A pipe with a name, for processes that a cell starts: it ends when all that write to it have ended.
struct Writers {
    path: std::path::PathBuf,
    /// That the first of them has started, and then that the last of them has ended.
    said: std::sync::mpsc::Receiver<&'static str>,
    _folder: tempfile::TempDir,
}

impl Writers {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("writers");
        let status = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
        assert!(status.success());
        let (says, said) = std::sync::mpsc::channel();
        let read = path.clone();
        std::thread::spawn(move || {
            // Opens when the first of them does.
            let mut pipe = BufReader::new(std::fs::File::open(read).expect("can be read"));
            pipe.read_line(&mut String::new()).expect("can be read");
            let _ = says.send("started");
            pipe.read_to_end(&mut Vec::new()).expect("can be read");
            let _ = says.send("ended");
        });
        Self { path, said, _folder: folder }
    }

    /// A cell that starts a child, a grandchild and one in a session of its own, which all write there.
    fn cell(&self) -> String {
        format!(
            "let writes = || std::fs::OpenOptions::new().write(true).open({:?}).unwrap();\n\
             let sh = std::process::Command::new(\"sh\").args([\"-c\", \"sleep 1000 & echo started; wait\"]).stdout(writes()).spawn()?;\n\
             let away = std::process::Command::new(\"setsid\").args([\"sleep\", \"1000\"]).stdout(writes()).spawn()?;\n\
             1",
            self.path
        )
    }

    fn expect(&self, what: &str) {
        let said = self.said.recv_timeout(Duration::from_secs(60));
        assert_eq!(said, Ok(what), "what the cell has started");
    }
}

/// How much memory a process has, in bytes.
#[cfg(target_os = "linux")]
fn memory_of(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
    1024 * line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
}

#[cfg(target_os = "linux")]
#[test]
fn memory_of_tensors_that_were_dropped_goes_back_while_no_cell_runs() {
    const BYTES: u64 = 1 << 29;
    notebook_test(async |mut notebook| {
        let code = format!("{PRINT_HOST}\nlet big = Tensor::ones([{BYTES}], (Kind::Uint8, Device::Cpu));");
        let shown = notebook.run(&code).await;
        let host = shown.stdout.split(' ').nth(1).expect("a process id").to_owned();
        let full = memory_of(&host);
        let shown = notebook.run("drop(big);").await;
        assert_eq!(shown.ending(), "ok", "{shown:?}");
        let begin = Instant::now();
        while memory_of(&host) > full - BYTES * 9 / 10 {
            assert!(begin.elapsed() < Duration::from_secs(60), "{} of {full} bytes are left", memory_of(&host));
            std::thread::sleep(Duration::from_millis(10));
        }
        notebook.end().await;
    });
}

#[test]
fn what_cells_have_started_ends_with_the_session() {
    notebook_test(async |mut notebook| {
        let writers = Writers::new();
        let shown = notebook.run(&writers.cell()).await;
        assert_eq!(shown.ending(), "ok", "{shown:?}");
        writers.expect("started");
        notebook.end().await;
        writers.expect("ended");
    });
}

#[test]
fn what_a_lost_host_has_started_ends_with_it() {
    notebook_test(async |mut notebook| {
        let writers = Writers::new();
        let code = writers.cell().replace("setsid", "env") + ";\nstd::process::exit(1)";
        let shown = notebook.run(&code).await;
        assert_eq!(shown.ending(), "HostDied", "{shown:?}");
        writers.expect("started");
        writers.expect("ended");
        notebook.end().await;
    });
}

#[test]
fn what_cells_have_started_ends_also_where_the_program_is_killed() {
    let writers = Writers::new();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let notebook = notebook_in(&folder, &[&(writers.cell().replace("setsid", "env") + ";\nloop {}")]);
    session::runtime();
    let mut program =
        std::process::Command::new(env!("CARGO_BIN_EXE_oxtorch")).arg("run").arg(&notebook).spawn().expect("starts");
    writers.expect("started");
    program.kill().expect("it runs");
    program.wait().expect("it has ended");
    writers.expect("ended");
}

#[test]
fn what_a_variable_has_yet_to_write_is_written_at_the_end() {
    notebook_test(async |mut notebook| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("submission.csv");
        let code = format!(
            "use std::io::Write as _;\n\
             let mut file = std::io::BufWriter::new(std::fs::File::create({path:?})?);\nwriteln!(file, \"id,label\")?;"
        );
        let shown = notebook.run(&code).await;
        assert_eq!(shown.ending(), "ok", "{shown:?}");
        assert_eq!(std::fs::read_to_string(&path).expect("is there"), "");
        notebook.end().await;
        assert_eq!(std::fs::read_to_string(&path).expect("is there"), "id,label\n");
    });
}

#[test]
fn a_variable_that_never_ends_does_not_hold_up_the_end() {
    notebook_test(async |mut notebook| {
        let code = "struct Hangs;\nimpl Drop for Hangs { fn drop(&mut self) { loop { std::thread::park() } } }\n\
                    let hangs = Hangs;";
        let shown = notebook.run(code).await;
        assert_eq!(shown.ending(), "ok", "{shown:?}");
        // Returns at all.
        notebook.end().await;
    });
}

/// A notebook file of these cells.
fn notebook_in(folder: &tempfile::TempDir, cells: &[&str]) -> std::path::PathBuf {
    let cell = |(id, source): (usize, &&str)| {
        json!({"cell_type": "code", "id": format!("c{id}"), "metadata": {}, "outputs": [], "execution_count": null,
            "source": source})
    };
    let cells: Vec<Value> = cells.iter().enumerate().map(cell).collect();
    let document = json!({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5});
    let path = folder.path().join("notebook.ipynb");
    std::fs::write(&path, document.to_string()).expect("writes");
    path
}

/// Has the program run these cells in a notebook of their own, and gives what it wrote there and to its stderr. `began`
/// is called while it runs.
fn run_program(cells: &[&str], arguments: &[&str], began: impl FnOnce(&std::process::Child)) -> (Vec<Value>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let notebook = notebook_in(&folder, cells);
    session::runtime();
    let program = std::process::Command::new(env!("CARGO_BIN_EXE_oxtorch"))
        .arg("run")
        .arg(&notebook)
        .args(arguments)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("starts");
    began(&program);
    let output = program.wait_with_output().expect("it ends");
    let written: Value = serde_json::from_slice(&std::fs::read(&notebook).expect("reads")).expect("is JSON");
    let outputs = written["cells"].as_array().expect("cells").iter().map(|cell| cell["outputs"].clone()).collect();
    (outputs, session::without_colors(&String::from_utf8_lossy(&output.stderr)))
}

/// What of a cell's outputs is text of that stream.
fn printed(outputs: &Value, stream: &str) -> String {
    let outputs = outputs.as_array().into_iter().flatten();
    let texts = outputs.filter(|output| output["name"] == stream).flat_map(|output| output["text"].as_array());
    texts.flatten().filter_map(Value::as_str).collect()
}

#[test]
fn variables_are_dropped_last_to_first_and_those_that_were_not_are_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("submission.csv");
    let code = format!(
        "use std::io::Write as _;\n\
         struct Hangs;\nimpl Drop for Hangs {{ fn drop(&mut self) {{ loop {{ std::thread::park() }} }} }}\n\
         struct Panics;\nimpl Drop for Panics {{ fn drop(&mut self) {{ panic!(\"cannot be written\") }} }}\n\
         let oldest = 1;\nlet slow = Hangs;\nlet bad = Panics;\n\
         let mut file = std::io::BufWriter::new(std::fs::File::create({path:?})?);\nwriteln!(file, \"id,label\")?;"
    );
    let (outputs, stderr) = run_program(&[&code], &[], |_| {});
    assert_eq!(std::fs::read_to_string(&path).expect("is there"), "id,label\n");
    for told in [&stderr, &outputs[0].to_string()] {
        assert!(told.contains("`bad` panicked when it was dropped at the end: cannot be written"), "{told}");
        assert!(told.contains("before these variables were dropped: `slow`, `oldest`;"), "{told}");
    }
    assert_eq!(printed(&outputs[0], "stderr"), "");
}

#[test]
fn what_a_thread_prints_stays_in_order_from_cell_to_cell_in_a_run_without_a_frontend() {
    // No other run has the same cells, so the second one is not found compiled.
    let id = std::process::id();
    let thread = format!(
        "const RUN: u32 = {id};\nstatic DONE: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);\n\
         let thread = std::thread::spawn(|| {{\n\
         for i in 0..300 {{ println!(\"t{{i}}\"); std::thread::sleep(std::time::Duration::from_millis(2)); }}\n\
         DONE.store(true, std::sync::atomic::Ordering::Release);\n}});"
    );
    let waits = "while !DONE.load(std::sync::atomic::Ordering::Acquire) {}\nprintln!(\"two {RUN}\");";
    let (outputs, stderr) = run_program(&[&thread, waits], &[], |_| {});
    let text: String = outputs.iter().map(|outputs| printed(outputs, "stdout")).collect();
    let lines: String = (0..300).map(|i| format!("t{i}\n")).collect();
    assert_eq!(text, format!("{lines}two {id}\n"), "{stderr}");
    assert!(printed(&outputs[1], "stdout").ends_with(&format!("two {id}\n")));
}

#[test]
fn a_run_apart_takes_nothing_from_others_and_leaves_nothing() {
    let cells = ["fn double(n: i32) -> i32 { n * 2 }\ndouble(21)", ":cache"];
    run_program(&cells, &[], |_| {});
    let (outputs, stderr) = run_program(&cells, &["--apart"], |_| {});
    assert!(outputs[0].to_string().contains("42"), "{stderr}");
    let text = printed(&outputs[1], "stdout");
    assert!(text.starts_with("1 compiled cells") && text.contains("0 of 1 cells of this session were found"), "{text}");
    let folder = text.lines().next().and_then(|line| line.split(", in ").nth(1)).expect("it names the folder");
    let folder = std::path::Path::new(folder);
    let parent = folder.parent().expect("a folder of the run's");
    assert!(parent.starts_with(std::env::temp_dir()) && !parent.exists(), "{text}");
}

/// One long call, which no interrupt ends.
const LONG_CALL: &str = "std::thread::sleep(std::time::Duration::from_secs(3600));";

#[test]
fn a_cell_that_is_over_its_time_in_one_long_call_says_what_became_of_it() {
    // Long enough to be compiled on a machine that is busy with other tests.
    let (outputs, stderr) = run_program(&["let weights = vec![1];", LONG_CALL], &["--timeout", "10"], |_| {});
    let error = &outputs[1][0];
    assert_eq!(error["ename"], "Timeout", "{stderr}");
    let told = error.to_string();
    assert!(told.contains("10 s") && told.contains("process was ended") && told.contains("weights"), "{told}");
    assert!(!stderr.contains("nterrupt again"), "{stderr}");
    assert_eq!(printed(&outputs[1], "stderr"), "");
}

#[test]
fn one_request_to_end_a_run_ends_it_and_says_why() {
    let writers = Writers::new();
    // It says so from within the one long call.
    let command = format!("trap '' INT; echo started > '{}'; exec sleep 3600", writers.path.display());
    let cell = format!("std::process::Command::new(\"sh\").args([\"-c\", {command:?}]).status()?;");
    let (outputs, stderr) = run_program(&[&cell], &[], |program| {
        writers.expect("started");
        // SAFETY: the number is that of a child which has not been waited for.
        assert_eq!(unsafe { libc::kill(program.id().cast_signed(), libc::SIGTERM) }, 0);
    });
    let error = &outputs[0][0];
    let told = error.to_string();
    assert!(told.contains("did not end when it was interrupted") && !told.contains("somebody"), "{told}\n{stderr}");
}

#[test]
fn a_request_to_all_processes_of_a_run_ends_the_cell_and_not_the_host_under_it() {
    let writers = Writers::new();
    let cell = format!("std::fs::write({:?}, \"started\\n\")?;\nloop {{ std::hint::spin_loop() }}", writers.path);
    // As a batch system ends a job.
    let (outputs, stderr) = run_program(&[&cell], &[], |program| {
        writers.expect("started");
        let tasks = std::fs::read_dir(format!("/proc/{}/task", program.id())).expect("it runs").flatten();
        let children = tasks.map(|task| std::fs::read_to_string(task.path().join("children")).expect("is there"));
        let children = children.collect::<String>();
        let children = children.split_whitespace().map(|child| child.parse::<i32>().expect("is a number"));
        for process in children.chain([program.id().cast_signed()]) {
            // SAFETY: the numbers are those of the program, which has not been waited for, and of what it has started.
            assert_eq!(unsafe { libc::kill(process, libc::SIGTERM) }, 0);
        }
    });
    let told = outputs[0][0].to_string();
    assert!(told.contains("KeyboardInterrupt"), "{told}\n{stderr}");
}

#[test]
fn what_a_shell_leaves_running_is_shown_between_cells_and_ends_with_the_session() {
    notebook_test(async |mut notebook| {
        let mut aside = notebook.engine.aside().expect("the engine tells what is shown between cells");
        let writers = Writers::new();
        let gate = writers.path.with_file_name("gate");
        assert!(std::process::Command::new("mkfifo").arg(&gate).status().expect("mkfifo runs").success());
        let (path, gate) = (writers.path.display(), gate.display());
        let cell = format!("!(read go < {gate}; echo later; exec > {path}; echo started; exec sleep 1000) &");
        let shown = notebook.run(&cell).await;
        assert_eq!((shown.ending(), shown.stdout.as_str()), ("ok", ""), "{shown:?}");
        std::fs::write(gate.to_string(), "go\n").expect("somebody reads");
        let Some(Event::Stream { text, .. }) = aside.recv().await else { panic!("text comes between cells") };
        assert_eq!(text, "later\n");
        // It is still there behind the next shell, and the next cell.
        assert_eq!(notebook.run("!echo next").await.stdout, "next\n");
        expect_result(&mut notebook, "1 + 1", "2").await;
        writers.expect("started");
        notebook.end().await;
        writers.expect("ended");
    });
}

#[test]
fn what_a_shell_has_started_ends_also_where_the_program_is_killed() {
    let writers = Writers::new();
    let path = writers.path.display().to_string();
    let cells = [format!("!(sleep 1000 > {path}) &"), format!("!sleep 1000 | (echo started; cat) > {path}")];
    let folder = tempfile::tempdir().expect("a temporary folder");
    let notebook = notebook_in(&folder, &[&cells[0], &cells[1]]);
    session::runtime();
    let mut program =
        std::process::Command::new(env!("CARGO_BIN_EXE_oxtorch")).arg("run").arg(&notebook).spawn().expect("starts");
    writers.expect("started");
    program.kill().expect("it runs");
    program.wait().expect("it has ended");
    writers.expect("ended");
}

#[test]
fn a_shell_that_outlasts_interrupts_says_so_at_the_second_and_can_be_ended() {
    notebook_test(async |mut notebook| {
        notebook.run("let weights = vec![1];").await;
        end_what_outlasts_interrupts(&mut notebook, "!trap '' INT; echo ready; sleep 1000; sleep 1000").await;
        expect_result(&mut notebook, "weights", "[1]").await;
        notebook.end().await;
    });
}

#[test]
fn a_double_click_loses_no_variables_and_says_what_another_one_does() {
    notebook_test(async |mut notebook| {
        notebook.run("let weights = vec![1];").await;
        let interrupter = notebook.engine.interrupter();
        let gate = tempfile::tempdir().expect("a temporary folder");
        let path = gate.path().join("gate");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
        // One long call, which ends when the user was told: who waits for a pipe waits on behind a signal.
        let code = format!("let _ = {{ println!(\"ready\"); std::fs::read({path:?}) }};");
        let (mut pressed, mut opened) = (false, false);
        let shown = notebook
            .run_with(&code, vec![], |shown| {
                if !pressed && shown.stdout.contains("ready") {
                    pressed = true;
                    (0..3).for_each(|_| interrupter.interrupt());
                }
                if !opened && shown.stderr.contains("Interrupt again") {
                    opened = true;
                    let path = path.clone();
                    std::thread::spawn(move || std::fs::write(path, "go"));
                }
            })
            .await;
        assert_eq!(shown.ending(), "KeyboardInterrupt", "{shown:?}");
        expect_result(&mut notebook, "weights", "[1]").await;
        notebook.end().await;
    });
}

#[test]
fn an_interrupt_that_comes_while_the_host_starts_does_not_end_it() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a tokio runtime").block_on(async {
        let scratch = session::home().scratch(|_| ()).expect("a folder for the session's cells");
        let cache = Cache::from_environment(session::home().cache());
        let engine = NativeEngine::start(session::runtime(), scratch.path().to_owned(), cache).await;
        let engine = engine.expect("the engine starts with a fresh host");
        let host = engine.host_pid().expect("it runs").cast_signed();
        // SAFETY: `kill` takes any number; this one is a process that this session started and that runs.
        assert_eq!(unsafe { libc::kill(host, libc::SIGINT) }, 0, "the host can be signalled");
        let mut notebook = Notebook::on(engine);
        let shown = notebook.run("std::process::id()").await;
        assert_eq!((shown.text(), shown.notes.as_str()), (Some(host.to_string().as_str()), ""), "{shown:?}");
        notebook.end().await;
    });
}

#[test]
fn a_thread_that_reads_stdin_between_cells_is_told_that_no_cell_runs() {
    notebook_test(async |mut notebook| {
        let mut aside = notebook.engine.aside().expect("the engine tells what is shown between cells");
        let ((begin, wait), (end, tell)) = (gate(), gate());
        let code = format!(
            "let reading = std::thread::spawn(|| {{\n\
             {wait}\n\
             let failed = (0..3).map(|_| std::io::stdin().read_line(&mut String::new()).is_err());\n\
             let failed = failed.filter(|failed| *failed).count();\n\
             {tell}\n\
             failed\n}});"
        );
        let shown = notebook.run(&code).await;
        assert_eq!(shown.ending(), "ok", "{shown:?}");
        drop(begin.accept().expect("the thread connects"));
        let Some(Event::Note(note)) = aside.recv().await else { panic!("a note comes between cells") };
        assert_eq!(note, "stdin cannot be read: nobody can be asked for input while no cell runs");
        drop(end.accept().expect("the thread has read"));
        let shown = notebook.run("reading.join().unwrap()").await;
        assert_eq!((shown.text(), shown.notes.as_str(), shown.stderr.as_str()), (Some("3"), "", ""), "{shown:?}");
        notebook.end().await;
    });
}

#[test]
fn a_cell_of_1500_lets_compiles_and_keeps_what_it_made() {
    notebook_test(async |mut notebook| {
        notebook.run("fn f(n: i64) -> i64 { assert!(n < 1500, \"too far\"); n }").await;
        let lets: String = (0..=1500).map(|n| format!("let v{n} = f({n});\n")).collect();
        let shown = notebook.run(&lets).await;
        assert_eq!(shown.ending(), "Panic", "{shown:?}");
        expect_result(&mut notebook, "v0 + v1499", "1499").await;
        notebook.end().await;
    });
}

#[test]
fn what_an_edited_cell_no_longer_holds_is_gone() {
    notebook_test(async |mut notebook| {
        let net =
            "struct Net { w: f64 }\nimpl Net { fn forward(&self) -> f64 { self.w } fn step(&self) -> f64 { 1.0 } }";
        assert_eq!(notebook.run_as("net", net).await.ending(), "ok");
        expect_result(&mut notebook, "Net { w: 2.0 }.forward()", "2.0").await;
        // A new cell adds to what the type can do, and an edited one has its impls replaced.
        notebook.run_as("more", "impl Net { fn more(&self) -> f64 { self.w * 10.0 } }").await;
        let edited = "trait Module { fn forward(&self) -> f64; }\nstruct Net { w: f64 }\n\
                      impl Module for Net { fn forward(&self) -> f64 { self.w * 100.0 } }";
        notebook.run_as("net", edited).await;
        expect_result(&mut notebook, "Net { w: 2.0 }.forward() + Net { w: 2.0 }.more()", "220.0").await;
        let shown = notebook.run("Net { w: 2.0 }.step()").await;
        assert!(shown.report().is_some_and(|report| report.contains("no method named `step`")), "{shown:?}");

        // A derive in place of an impl, and the other way round.
        let own = "struct A;\nimpl std::fmt::Debug for A {\n    \
                   fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result { write!(f, \"own\") }\n}\nA";
        for (code, value) in
            [("#[derive(Debug)] struct A;\nA", "A"), (own, "own"), ("#[derive(Debug)] struct A;\nA", "A")]
        {
            let shown = notebook.run_as("a", code).await;
            assert_eq!(shown.text(), Some(value), "{shown:?}");
        }
        notebook.end().await;
    });
}

#[test]
fn a_cell_that_waits_with_the_same_text_leaves_its_number_to_the_one_that_runs() {
    notebook_test(async |mut notebook| {
        let code =
            "std::thread::sleep(std::time::Duration::from_millis(500));\nlet empty: Vec<i32> = vec![];\nempty[3]";
        notebook.engine.expect(vec![code.to_owned()]);
        let shown = notebook.run(code).await;
        let report = shown.report().unwrap_or_default();
        assert!(report.contains("cell [1]:3:"), "{report}");
        notebook.end().await;
    });
}

/// Has a shell run the program on a notebook of these cells behind a line of its own, and gives what the program wrote
/// there and to its stderr.
fn run_behind(line: &str, cells: &[&str]) -> (Vec<Value>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let notebook = notebook_in(&folder, cells);
    session::runtime();
    let output = std::process::Command::new("bash")
        .args(["-c", &format!("cd \"$1\" && {line}; exec \"$2\" run \"$3\" --allow-errors"), "-"])
        .arg(folder.path())
        .arg(env!("CARGO_BIN_EXE_oxtorch"))
        .arg(&notebook)
        .output()
        .expect("bash runs");
    let written: Value = serde_json::from_slice(&std::fs::read(&notebook).expect("reads")).expect("is JSON");
    let outputs = written["cells"].as_array().expect("cells").iter().map(|cell| cell["outputs"].clone()).collect();
    (outputs, session::without_colors(&String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_poor_environment_runs_cells_all_the_same() {
    for line in [
        // Compilers that nobody needs where all is built.
        "mkdir empty; ln -s $(command -v sh) empty/; PATH=$PWD/empty",
        "ulimit -n 40",
        "ulimit -s 64",
        "ulimit -c 0",
        "trap '' CHLD",
        "export TMPDIR=",
        // Oxtorch's own libraries come first.
        "echo no library > liboxtorch.so; export LD_LIBRARY_PATH=$PWD",
    ] {
        let (outputs, stderr) = run_behind(line, &["let x = 20;", "fn double(n: i32) -> i32 { n * 2 }\ndouble(x) + 2"]);
        assert!(outputs[1].to_string().contains("42"), "{line}: {stderr}");
    }
}

#[test]
fn a_poor_environment_is_named_where_no_cell_can_run() {
    let (outputs, stderr) = run_behind("echo no library > libstdc++.so.6; export LD_LIBRARY_PATH=$PWD", &["1 + 1"]);
    let told = outputs[0].to_string();
    assert!(told.contains("could not start: ") && told.contains("libstdc++.so.6: file too short"), "{told}\n{stderr}");
    assert!(stderr.contains("LD_LIBRARY_PATH is set"), "{stderr}");
    // What may not be written is an error where it is written.
    let (_, stderr) = run_behind("ulimit -n 18", &["1 + 1"]);
    assert!(stderr.contains("Too many open files") && stderr.contains("ulimit -n 1024"), "{stderr}");
}

#[test]
fn cells_run_where_the_working_folder_is_gone_and_say_where() {
    let (outputs, stderr) =
        run_behind("mkdir gone && cd gone && rmdir ../gone", &["std::env::current_dir()?", "1 + 1"]);
    let told = outputs[0].to_string();
    assert!(told.contains("the folder that cells work in is gone"), "{told}\n{stderr}");
    assert_eq!(outputs[0][1]["data"]["text/plain"], json!(["\"/\""]), "{told}");
    assert!(outputs[1].to_string().contains('2') && !outputs[1].to_string().contains("gone"), "{stderr}");
}

#[test]
fn a_cell_that_has_opened_all_files_can_be_followed_by_one_that_closes_them() {
    let opens = "let x = 1;\nlet mut files = Vec::new();\n\
                 while let Ok(file) = std::fs::File::open(\"/dev/null\") { files.push(file); }";
    let closes = "let count = files.len();\ndrop(files);\ncount > 50 && std::fs::File::open(\"/dev/null\").is_ok()";
    let (outputs, stderr) = run_behind("ulimit -n 100", &[opens, "x + 1", closes, "x + 2"]);
    for (cell, shows) in [(1, "\"2\""), (2, "\"true\""), (3, "\"3\"")] {
        assert!(outputs[cell].to_string().contains(shows), "{}\n{stderr}", outputs[cell]);
    }
}

#[test]
fn a_session_whose_compiled_cells_are_gone_says_so() {
    let removes = "std::fs::remove_dir_all(std::env::var(\"OXTORCH_CACHE\")?)?;";
    let (outputs, stderr) = run_program(&["let x = 1;", removes, "x + 1"], &["--apart", "--allow-errors"], |_| {});
    assert_eq!(outputs[2][0]["ename"], "CellsGone", "{stderr}");
    assert!(stderr.contains("restart the kernel"), "{stderr}");
}

#[test]
fn operations_use_fewer_threads_beside_busy_processes() {
    notebook_test(|mut notebook| async move {
        let shown = notebook
            .run(
                r#"
use oxtorch::device::num_threads;
use std::process::Command;
let all = num_threads();
let busy = Command::new("sh").args(["-c", "ulimit -t 100; while :; do :; done"]).spawn();
let mut busy: Vec<_> = std::iter::once(busy)
    .chain((1..all).map(|_| Command::new("sh").args(["-c", "ulimit -t 100; while :; do :; done"]).spawn()))
    .collect::<std::io::Result<_>>()?;
while num_threads() > 1 {
    std::thread::sleep(std::time::Duration::from_millis(10));
}
all
"#,
            )
            .await;
        let all: usize = shown.text().and_then(|all| all.parse().ok()).unwrap_or_else(|| panic!("{shown:?}"));
        if all == 1 {
            println!("skipped: operations have one thread here at any time");
            return;
        }
        let shown = notebook.run(":vars").await;
        let expected = format!("Operations on the CPU use 1 of {all} threads");
        assert!(shown.text().is_some_and(|text| text.contains(&expected)), "{shown:?}");

        let shown = notebook.run("oxtorch::device::set_num_threads(all);\n:vars").await;
        let text = shown.text().unwrap_or_else(|| panic!("{shown:?}"));
        assert!(!text.contains("Operations"), "a number that is set stays: {text}");
        notebook.run("for other in &mut busy { other.kill()?; other.wait()?; }").await;
        notebook.end().await;
    });
}
