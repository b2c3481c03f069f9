//! A class on more than one machine: Slurm runs its parts as the tasks of an array, each with the same command for a
//! part of the class. The results lie in a folder that all machines share.
//!
//! A task whose node dies is put back into the queue by Slurm, and goes on where it was, since what it had graded is
//! there. What no task has left is submitted again.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use oxtorch_grading::Graded;
use oxtorch_system::child::quoted;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::batch::{Options, Work};

/// How often what is missing is submitted again.
const ROUNDS: usize = 3;

/// How often it is looked for new results.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// What a task takes beside its notebooks, in megabytes.
const OWN_MEGABYTES: u64 = 512;

/// How a class is divided.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The most tasks.
    pub tasks: usize,
    /// Options for `sbatch`, which come last and so win.
    pub options: Vec<String>,
    /// The command of a task, without its part.
    pub command: Vec<OsString>,
}

/// Has Slurm grade a class, until all of it is graded. `tell` gets each student as soon as the result is there. What is
/// written of the class is for [`grade`](crate::grade()) with `resume` to do.
///
/// # Errors
///
/// Where there is no `sbatch`, where it refuses the job, or where a task leaves submissions ungraded again and again.
pub async fn grade_on_cluster(options: &Options, cluster: &Cluster, tell: impl Fn(&Graded)) -> anyhow::Result<()> {
    let work = Work::prepare(options)?;
    let mut left: Vec<usize> = (0..work.submissions.all.len()).collect();
    if options.resume {
        left.retain(|at| work.result(&work.submissions.all[*at]).is_none());
    } else {
        work.submissions.all.iter().for_each(|submission| work.files.forget(&submission.student));
    }
    let take_new = |left: &mut Vec<usize>| {
        left.retain(|at| match work.result(&work.submissions.all[*at]) {
            Some(graded) => {
                tell(&graded);
                false
            }
            None => true,
        });
    };
    for _ in 0..ROUNDS {
        if left.is_empty() {
            return Ok(());
        }
        // What is graded while the job runs counts as well as what is found at its end.
        let before = left.len();
        let mut job = submit(options, cluster, before).await?;
        let ended = loop {
            tokio::select! {
                ended = job.wait() => break ended?,
                () = tokio::time::sleep(BETWEEN_LOOKS) => take_new(&mut left),
            }
        };
        take_new(&mut left);
        if left.len() == before && !ended.success() {
            break;
        }
    }
    let logs = log_folder(&options.output);
    anyhow::ensure!(
        left.is_empty(),
        "{} submissions were not graded; the tasks say why in {}",
        left.len(),
        logs.display()
    );
    Ok(())
}

fn log_folder(output: &Path) -> std::path::PathBuf {
    output.join(".slurm")
}

/// Submits an array and waits for its end in the process that is returned. If that is ended, so is the job.
async fn submit(options: &Options, cluster: &Cluster, submissions: usize) -> anyhow::Result<Child> {
    let logs = log_folder(&options.output);
    std::fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
    let tasks = cluster.tasks.clamp(1, submissions);
    let each = submissions.div_ceil(tasks).div_ceil(options.jobs.max(1)) as u64;
    let minutes = (each * options.limits.timeout.as_secs()).div_ceil(60) + 5;
    let megabytes = options.jobs as u64 * (options.limits.bounds.memory >> 20) + OWN_MEGABYTES;
    let mut command = Command::new("sbatch");
    command.args(["--wait", "--requeue", "--open-mode=append", "--job-name=oxtorch-grade"]);
    command.arg(format!("--array=0-{}", tasks - 1));
    command.arg(format!("--cpus-per-task={}", options.jobs * options.limits.threads));
    command.arg(format!("--mem={megabytes}M"));
    command.arg(format!("--time={minutes}"));
    command.arg(format!("--output={}", logs.join("task-%a.log").display()));
    command.args(&cluster.options);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().context("cannot start `sbatch`; --slurm is for the login node of a cluster")?;
    let mut script = b"#!/bin/sh\nexec".to_vec();
    for argument in &cluster.command {
        script.push(b' ');
        script.extend(quoted(argument).as_bytes());
    }
    script.extend(format!(" --share \"$SLURM_ARRAY_TASK_ID/{tasks}\"\n").into_bytes());
    let mut stdin = child.stdin.take().context("`sbatch` reads nothing")?;
    stdin.write_all(&script).await.context("`sbatch` does not take the job")?;
    Ok(child)
}
