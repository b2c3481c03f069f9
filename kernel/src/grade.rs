//! `oxtorch grade`: marks what a class has handed in.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use oxtorch_grader::submissions::Pattern;
use oxtorch_grader::{Bounds, Cluster, Limits, Options, Sandbox, Share};
use oxtorch_grading::rules::{Deadline, Rules};
use oxtorch_grading::{Graded, report};
use oxtorch_system::home::Home;
use oxtorch_system::terminal::{answer, say};

use crate::arguments::seconds;
use crate::assignment;
use crate::cli::{in_terminal, set_up_in_terminal};

/// nbgrader's settings for Rust, as the Python package has them.
pub const NBGRADER_CONFIG: &str = include_str!("../../python/oxtorch/nbgrader_config.py");

/// What stands below the options.
pub const HELP: &str = "\
Examples:
  oxtorch grade master.ipynb submitted -o graded              nbgrader's submitted/<student>/<assignment>/
  oxtorch grade master.ipynb moodle.zip -o graded --name '{student}_*'
  oxtorch grade master.ipynb submitted -o graded --deadline 2026-11-30T23:59 -j 4
  oxtorch grade master.ipynb submitted -o graded --resume     what is graded and has not changed stays

Each student gets a folder in OUT/students with the executed notebook, feedback.html and Gradescope's results.json;
OUT itself gets grades.csv and report.html. Tests and given cells come from the master, whatever a submission has in
their place.

Exit status: 0 when everything was graded, whatever the marks are; 1 when something kept it from that; 2 when the
notebook cannot be a master.";

/// What is said where Ctrl-C ends it.
const INTERRUPTED: &str = "interrupted; the same command with --resume goes on";

/// The arguments of `oxtorch grade`.
#[derive(Debug, Args)]
pub struct GradeArgs {
    /// The master notebook, with its solution and all tests
    #[arg(required_unless_present = "manual")]
    master: Option<PathBuf>,
    /// What was handed in: a folder with a folder for each student, a folder of notebooks, an archive, or a notebook
    #[arg(required_unless_present = "manual")]
    submissions: Vec<PathBuf>,
    /// The folder of the results
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// How many notebooks run at the same time [default: as many as there are processors, and 1 in each task of Slurm]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// How many threads the operations of one notebook use
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// End a cell that runs longer than this
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "60")]
    cell_timeout: Duration,
    /// End a notebook that runs longer than this; tests that it has not reached give nothing
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "600")]
    timeout: Duration,
    /// The most memory that a notebook may take, in megabytes
    #[arg(long, value_name = "MB", default_value = "4096", value_parser = clap::value_parser!(u64).range(512..))]
    memory: u64,
    /// The most that a notebook may write into its folder, in megabytes
    #[arg(long, value_name = "MB", default_value = "1024", value_parser = clap::value_parser!(u64).range(16..))]
    disk: u64,
    /// The most processes and threads of a notebook
    #[arg(long, value_name = "N", default_value = "256", value_parser = clap::value_parser!(u64).range(64..))]
    processes: u64,
    /// Keep at most so much of what one cell prints and shows, in megabytes; a cell that shows more is ended
    #[arg(long, value_name = "MB", default_value = "4", value_parser = clap::value_parser!(u16).range(1..=64))]
    output_limit: u16,
    /// Let notebooks reach the network
    #[arg(long)]
    network: bool,
    /// How notebooks are kept from everything else: bwrap; landlock, where that is not there; or none, for notebooks
    /// that you have read
    #[arg(long, value_name = "KIND", default_value = "bwrap")]
    sandbox: Sandbox,
    /// When it had to be handed in, such as 2026-11-30T23:59, or with an offset, 2026-11-30T23:59+08:00
    #[arg(long, value_name = "TIME")]
    deadline: Option<Deadline>,
    /// A file with the course's rules on what is late; without it a day costs 10 %, three days 30 %, and more 50 %
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Where the student stands in the name of a file, such as '{student}_*'
    #[arg(long, value_name = "PATTERN", default_value = "{student}")]
    name: Pattern,
    /// A folder of files that cells read, which stands beside each notebook and cannot be changed there [default: the
    /// folder data beside the master, if there is one]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Grade only this student; may be given several times
    #[arg(long, value_name = "STUDENT")]
    only: Vec<String>,
    /// Take over what an earlier run has left in OUT, where nothing has changed since
    #[arg(long)]
    resume: bool,
    /// Take points and comments from this table, which is manual.csv of an earlier run with what somebody has filled in
    #[arg(long, value_name = "FILE", conflicts_with_all = ["master", "resume", "only"])]
    manual: Option<PathBuf>,
    /// Have Slurm grade the class as a job array, with the same limits; OUT has to be on a disk that all nodes share
    #[arg(long, conflicts_with = "manual")]
    slurm: bool,
    /// The most tasks of that array
    #[arg(long, value_name = "N", default_value = "8", value_parser = clap::value_parser!(u16).range(1..=1000))]
    slurm_tasks: u16,
    /// An option for sbatch, such as --slurm-option=--partition=teaching; may be given several times
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    slurm_option: Vec<String>,
    /// Grade a part of the class alone, such as 0/4
    #[arg(long, hide = true)]
    share: Option<Share>,
    /// Write the marks of the class here as well
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

/// Grades a class.
pub async fn grade(arguments: GradeArgs) -> anyhow::Result<()> {
    if let Some(table) = &arguments.manual {
        let (filled, class) = oxtorch_grader::fill_in(&arguments.output, table)?;
        let answers = if filled == 1 { "answer" } else { "answers" };
        answer(format_args!("took the points of {filled} {answers}"));
        return finish(&class, &arguments.output, arguments.csv.as_deref());
    }
    // The command line has one, or the table that takes its place.
    let path = arguments.master.clone().unwrap_or_default();
    let master = assignment::read(&path)?;
    let rules = rules(&arguments)?;
    let beside = std::path::absolute(&path)?.with_file_name("data");
    let beside = Some(beside).filter(|folder| folder.is_dir());
    let mut options = Options {
        master: path,
        submissions: arguments.submissions,
        output: arguments.output,
        // The login node has other processors than those that do the work.
        jobs: arguments.jobs.map_or_else(|| if arguments.slurm { 1 } else { processors() }, usize::from),
        share: arguments.share,
        sandbox: arguments.sandbox,
        limits: Limits {
            bounds: Bounds {
                memory: arguments.memory << 20,
                disk: arguments.disk << 20,
                processes: arguments.processes,
                network: arguments.network,
            },
            cell_timeout: arguments.cell_timeout,
            timeout: arguments.timeout,
            output_limit: usize::from(arguments.output_limit) << 20,
            threads: arguments.threads.into(),
        },
        names: arguments.name,
        data: arguments.data.map_or_else(|| Ok(beside), |data| std::path::absolute(data).map(Some))?,
        only: arguments.only,
        resume: arguments.resume,
        rules,
    };
    if options.sandbox == Sandbox::None {
        say(format_args!("warning: without a sandbox each notebook can read, change and send whatever you can"));
    }
    say(format_args!("{}", report::legend()));
    let tell = |graded: &_| answer(format_args!("{}", report::line(graded)));
    if arguments.slurm {
        let command = command_of_task(options.jobs)?;
        let cluster = Cluster { tasks: arguments.slurm_tasks.into(), options: arguments.slurm_option, command };
        in_terminal(oxtorch_grader::grade_on_cluster(&options, &cluster, tell), INTERRUPTED).await?;
        options.resume = true;
    } else {
        options.sandbox.check()?;
    }
    let runtime = set_up_in_terminal(Home::from_environment()?, oxtorch_setup::ensure).await?;
    let program = std::env::current_exe().context("cannot find the path of this program")?;
    let tell = |graded: &_| {
        // Those of a cluster were told as they came.
        if !arguments.slurm {
            tell(graded);
        }
    };
    let work = oxtorch_grader::grade(&options, &master, runtime, program, tell);
    let class = in_terminal(work, INTERRUPTED).await?;
    if options.share.is_some() {
        return Ok(());
    }
    // A part of a class says nothing of the whole.
    if options.only.is_empty() {
        for name in options.rules.strangers(&class) {
            say(format_args!("warning: the rules have a deadline for {name}, and nobody of that name has handed in"));
        }
    }
    finish(&class, &options.output, arguments.csv.as_deref())
}

/// Says where the results are.
fn finish(class: &[Graded], output: &Path, csv: Option<&Path>) -> anyhow::Result<()> {
    if let Some(csv) = csv {
        let grades = output.join("grades.csv");
        std::fs::copy(grades, csv).with_context(|| format!("cannot write {}", csv.display()))?;
    }
    let waiting: usize = class.iter().map(Graded::waiting).sum();
    let at = output.display();
    let by_hand = match waiting {
        0 => String::new(),
        1 => format!("; 1 answer waits for a reader: {at}/manual.html, its points go into {at}/manual.csv"),
        _ => format!("; {waiting} answers wait for a reader: {at}/manual.html, points go into {at}/manual.csv"),
    };
    let submissions = if class.len() == 1 { "submission" } else { "submissions" };
    answer(format_args!("graded {} {submissions}: {at}/grades.csv, {at}/report.html{by_hand}", class.len()));
    Ok(())
}

/// The command of a task: this one, without what is for the login node.
fn command_of_task(jobs: usize) -> anyhow::Result<Vec<OsString>> {
    let program = std::env::current_exe().context("cannot find the path of this program")?;
    let mut command = vec![program.into_os_string()];
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        match text.split_once('=').map_or(&*text, |(name, _)| name) {
            "--slurm" => {}
            "--slurm-tasks" | "--slurm-option" | "--csv" | "--jobs" | "-j" => {
                if !text.contains('=') {
                    arguments.next();
                }
            }
            name if name.starts_with("-j") => {}
            _ => command.push(argument),
        }
    }
    command.extend(["--jobs".into(), jobs.to_string().into()]);
    if !command.iter().any(|argument| argument == "--resume") {
        command.push("--resume".into());
    }
    Ok(command)
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The rules of the command line; where it has none, those of the run that it goes on from.
fn rules(arguments: &GradeArgs) -> anyhow::Result<Rules> {
    let goes_on = (arguments.resume || !arguments.only.is_empty()) && arguments.share.is_none();
    let mut rules = match &arguments.rules {
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            Rules::read(&text).with_context(|| format!("{} has no rules", file.display()))?
        }
        None if goes_on => {
            let rules = oxtorch_grader::earlier_rules(&arguments.output)?.unwrap_or_default();
            if let Some(deadline) = rules.deadline.filter(|_| arguments.deadline.is_none()) {
                say(format_args!("late is what came after {deadline}, as in the earlier run"));
            }
            rules
        }
        None => Rules::default(),
    };
    rules.deadline = arguments.deadline.or(rules.deadline);
    Ok(rules)
}
