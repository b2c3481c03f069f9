//! Runs the portable scenarios in `tests/cells` on both engines, and expects the same of them: results, what is printed
//! to stdout, and how each cell ends.
//!
//! Where they differ, `tests/differential.toml` says in which cells and why; that is checked as well, so that the list
//! stays true. `cargo test --release --features evcxr --test differential`.

#[cfg(feature = "evcxr")]
#[allow(dead_code, reason = "the other engine stands in for what is written down in a scenario")]
mod scenario;
#[cfg(feature = "evcxr")]
mod session;
#[cfg(feature = "evcxr")]
mod std_sources;

#[cfg(not(feature = "evcxr"))]
fn main() {
    println!("differential: skipped, for want of the second engine (--features evcxr)");
}

#[cfg(feature = "evcxr")]
fn main() -> std::process::ExitCode {
    oxtorch_engine::evcxr::hook();
    engines::main()
}

#[cfg(feature = "evcxr")]
mod engines {
    use std::collections::BTreeMap;
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::{Command, ExitCode};
    use std::sync::{Arc, Mutex};

    use libtest_mimic::{Arguments, Failed, Trial};
    use oxtorch_engine::evcxr::EvcxrEngine;
    use oxtorch_protocol::Display;
    use oxtorch_session::Engine as _;
    use toml_edit::{DocumentMut, Table};

    use crate::scenario::{self, Scenario};
    use crate::session::{Notebook, Shown, home, plain, runtime};
    use crate::std_sources;

    /// The cells in which the engines differ.
    const DIFFERENCES: &str = include_str!("differential.toml");

    pub fn main() -> ExitCode {
        let mut arguments = Arguments::from_args();
        let sources = std_sources::find(Path::new(env!("CARGO_TARGET_TMPDIR")));
        let sources = match sources {
            Ok(sources) => sources,
            Err(missing) => {
                eprintln!("differential: skipped, because there is {missing}");
                let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
                return if in_ci { ExitCode::FAILURE } else { ExitCode::SUCCESS };
            }
        };
        if std::env::var_os(std_sources::VARIABLE).is_none() {
            // A variable is safely set only for a new process.
            let program = std::env::current_exe().expect("this program has a path");
            let mut command = Command::new(program);
            let error = command.args(std::env::args_os().skip(1)).env(std_sources::VARIABLE, sources).exec();
            eprintln!("differential: cannot start again: {error}");
            return ExitCode::FAILURE;
        }
        arguments.test_threads.get_or_insert(std::thread::available_parallelism().map_or(1, Into::into).min(4));

        let differences = Arc::new(Differences::read());
        let pool = Arc::new(Pool::default());
        let mut trials = Vec::new();
        let mut names = Vec::new();
        for path in scenario::files() {
            let name = path.file_stem().expect("a listed file has a name").to_string_lossy().into_owned();
            let portable = read(&path).is_ok_and(|scenario| scenario.portable);
            if portable || differences.also.contains(&name) {
                let (differences, pool) = (Arc::clone(&differences), Arc::clone(&pool));
                names.push(name.clone());
                trials.push(Trial::test(name, move || run(&path, &differences, &pool)));
            }
        }
        let for_interrupt = Arc::clone(&pool);
        trials.push(Trial::test("an_interrupt_ends_the_cell", move || an_interrupt_ends_the_cell(&for_interrupt)));
        let listed = Arc::clone(&differences);
        trials.push(Trial::test("every_listed_difference_is_of_a_scenario_that_runs", move || listed.check(&names)));
        let conclusion = libtest_mimic::run(&arguments, trials);
        pool.end();
        conclusion.exit_code()
    }

    fn read(path: &Path) -> Result<Scenario, Failed> {
        let text = std::fs::read_to_string(path)?;
        Ok(Scenario::parse(&text).map_err(|error| format!("{}:{error}", path.display()))?)
    }

    fn run(path: &Path, differences: &Differences, pool: &Pool) -> Result<(), Failed> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let scenario = read(path)?;
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let found = tokio.block_on(async {
            let mut native = Notebook::start().await;
            let mut evcxr = pool.take().await;
            let mut found: BTreeMap<usize, String> = BTreeMap::new();
            let mut lost = false;
            for (index, cell) in scenario.cells.iter().enumerate() {
                let expected = native.run_with(&cell.code, cell.expected.answers.clone(), |_| {}).await;
                let shown = evcxr.run_with(&cell.code, cell.expected.answers.clone(), |_| {}).await;
                lost |= shown.ending() == "HostDied";
                if let Some(difference) = difference(&expected, &shown) {
                    found.insert(index + 1, format!("{}\n{difference}", cell.code));
                }
            }
            native.end().await;
            pool.give_back(evcxr, lost).await;
            found
        });
        let by_chance = differences.of(&name, true);
        let cells: Vec<usize> = found.keys().copied().filter(|cell| !by_chance.contains(cell)).collect();
        let listed = differences.of(&name, false);
        if cells == listed {
            return Ok(());
        }
        let shown = found.iter().map(|(number, difference)| format!("cell [{number}]: {difference}\n"));
        Err(format!(
            "{name} differs in the cells {cells:?}, listed are {listed:?} (tests/differential.toml)\n{}",
            shown.collect::<String>()
        )
        .into())
    }

    /// What a user sees to be different.
    fn difference(native: &Shown, evcxr: &Shown) -> Option<String> {
        let ending = |shown: &Shown| match &shown.error {
            Some(error) => format!("{}: {}", error.kind, error.evalue),
            None => "ok".to_owned(),
        };
        let mut complaints = String::new();
        let mut complain = |place: &str, native: String, evcxr: String| {
            complaints.push_str(&format!("  {place}: native {native:?}\n  {place}: evcxr  {evcxr:?}\n"));
        };
        if native.ending() != evcxr.ending() {
            complain("ending", ending(native), ending(evcxr));
        }
        let text = |shown: &Shown| shown.text().unwrap_or_default().trim_end().to_owned();
        if text(native) != text(evcxr) {
            complain("result", text(native), text(evcxr));
        }
        if native.stdout.trim_end() != evcxr.stdout.trim_end() {
            complain("stdout", native.stdout.clone(), evcxr.stdout.clone());
        }
        let displays = |shown: &Shown| {
            let of = |display| format!("{:?}: {}", Vec::from_iter(display_types(display)), plain(display));
            format!("{} cleared, {:?}", shown.cleared, Vec::from_iter(shown.displays.iter().map(of)))
        };
        if displays(native) != displays(evcxr) {
            complain("displays", displays(native), displays(evcxr));
        }
        (!complaints.is_empty()).then_some(complaints)
    }

    fn display_types(display: &Display) -> impl Iterator<Item = &String> {
        display.data.keys()
    }

    fn an_interrupt_ends_the_cell(pool: &Pool) -> Result<(), Failed> {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        tokio.block_on(async {
            let mut evcxr = pool.take().await;
            evcxr.run("fn three() -> i32 { 3 }\nlet kept = 4;").await;
            let interrupter = evcxr.engine.interrupter();
            let code = "println!(\"ready\");\nloop { std::hint::black_box(0); }";
            let shown = evcxr
                .run_with(code, vec![], |shown| {
                    if shown.stdout.contains("ready") {
                        interrupter.interrupt();
                    }
                })
                .await;
            assert_eq!(shown.ending(), "KeyboardInterrupt", "{shown:?}");
            assert!(
                shown.report().is_some_and(|report| report.contains("these variables are lost: kept")),
                "{shown:?}"
            );
            let shown = evcxr.run("three()").await;
            assert_eq!(shown.text(), Some("3"), "{shown:?}");
            pool.give_back(evcxr, false).await;
        });
        Ok(())
    }

    /// `differential.toml`.
    struct Differences {
        /// Scenarios that are not portable, since they use the runtime, and run all the same.
        also: Vec<String>,
        /// Reasons for which a cell differs in one run and not in another.
        by_chance: Vec<String>,
        reasons: Table,
        scenarios: Table,
    }

    impl Differences {
        fn read() -> Self {
            let list: DocumentMut = DIFFERENCES.parse().expect("differential.toml is TOML");
            let names = |name: &str| {
                let names = list[name].as_array().unwrap_or_else(|| panic!("`{name}` is a list")).iter();
                names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
            };
            let table = |name: &str| list[name].as_table().unwrap_or_else(|| panic!("`{name}` is a table")).clone();
            Self {
                also: names("also"),
                by_chance: names("by_chance"),
                reasons: table("reasons"),
                scenarios: table("scenarios"),
            }
        }

        /// The cells of a scenario that are listed, in order: those that differ by chance, or those that always do.
        fn of(&self, name: &str, by_chance: bool) -> Vec<usize> {
            let listed = self.scenarios.get(name).and_then(|cells| cells.as_table_like());
            let cells = listed.into_iter().flat_map(|listed| listed.iter());
            let cells = cells.filter(|(reason, _)| self.by_chance.iter().any(|name| name == reason) == by_chance);
            let cells = cells.flat_map(|(_, cells)| cells.as_array().into_iter().flatten());
            let mut cells: Vec<usize> = cells.filter_map(|cell| usize::try_from(cell.as_integer()?).ok()).collect();
            cells.sort_unstable();
            cells
        }

        fn check(&self, names: &[String]) -> Result<(), Failed> {
            let mut complaints = Vec::new();
            let listed = self.scenarios.iter().map(|(name, _)| name).chain(self.also.iter().map(String::as_str));
            for name in listed.filter(|name| !names.iter().any(|run| run == name)) {
                complaints.push(format!("{name} is no scenario, or not a portable one"));
            }
            for (name, cells) in &self.scenarios {
                for (reason, _) in cells.as_table_like().into_iter().flat_map(|cells| cells.iter()) {
                    if !self.reasons.contains_key(reason) {
                        complaints.push(format!("{name}: the reason {reason} is not given"));
                    }
                }
            }
            if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n").into()) }
        }
    }

    /// Sessions of evcxr that go from one scenario to the next: one takes seconds to start.
    #[derive(Default)]
    struct Pool(Mutex<Vec<Notebook<EvcxrEngine>>>);

    impl Pool {
        async fn take(&self) -> Notebook<EvcxrEngine> {
            let free = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).pop();
            if let Some(notebook) = free {
                return notebook;
            }
            let engine = EvcxrEngine::start(&home(), &runtime(), env!("CARGO_BIN_EXE_oxtorch").into()).await;
            Notebook::on(engine.expect("evcxr starts"))
        }

        /// Clears a session for the next scenario; one whose process has ended is not used again.
        async fn give_back(&self, mut notebook: Notebook<EvcxrEngine>, lost: bool) {
            if lost || notebook.run(":clear").await.error.is_some() {
                return notebook.end().await;
            }
            self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(notebook);
        }

        fn end(&self) {
            let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a tokio runtime");
            let notebooks = std::mem::take(&mut *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
            notebooks.into_iter().for_each(|notebook| tokio.block_on(notebook.end()));
        }
    }
}
