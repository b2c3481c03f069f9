//! How many processors the other processes of the machine keep busy.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

/// Processor time that was used until a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) at: Instant,
    used: Used,
}

/// Seconds of one processor.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Used {
    /// By all processes, on the processors that this one may use.
    all: f64,
    /// By this process, and by the kernel with the compilers that it has started.
    own: f64,
    /// By all processes of the container, where a container limits the time.
    container: f64,
}

/// What other processes did between two samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Others {
    /// How many processors they kept busy.
    pub(super) busy: f64,
    /// How many of them belong to the same container.
    pub(super) in_container: f64,
}

/// The machine as this process sees it.
#[derive(Debug)]
pub(super) struct Machine {
    /// The numbers of the processors that this process may use.
    processors: Vec<usize>,
    /// How many processors' time the container gives, where that is less.
    pub(super) quota: Option<usize>,
    /// The folder of the control group that has this limit.
    limiting: Option<PathBuf>,
    ticks_per_second: f64,
    is_polite: bool,
}

impl Machine {
    /// Looks at the processors of this process; `None` where the system does not tell.
    pub(super) fn look() -> Option<Self> {
        let processors = processors_of_affinity();
        let allowed = available_parallelism().ok()?.get();
        let is_limited = allowed < processors.len();
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        // SAFETY: asks the system for numbers.
        let (ticks, niceness) = unsafe { (libc::sysconf(libc::_SC_CLK_TCK), libc::getpriority(libc::PRIO_PROCESS, 0)) };
        Some(Self {
            processors,
            quota: is_limited.then_some(allowed),
            limiting: is_limited.then(|| limiting_group(Path::new("/sys/fs/cgroup"), &groups)).flatten(),
            ticks_per_second: u32::try_from(ticks).ok().filter(|ticks| *ticks > 0)?.into(),
            is_polite: niceness > 0,
        })
    }

    pub(super) fn processors(&self) -> usize {
        self.processors.len()
    }

    /// What was used until now; `None` where the system does not tell.
    pub(super) fn sample(&self) -> Option<Sample> {
        let read = |path: &str| fs::read_to_string(path).ok();
        let ticks = self.ticks_per_second;
        let parent = std::os::unix::process::parent_id();
        let compiling = read(&format!("/proc/{parent}/stat")).and_then(|text| times_of_process(&text));
        let own = times_of_process(&read("/proc/self/stat")?)?;
        let container = self.limiting.as_ref().and_then(|group| read(group.join("cpu.stat").to_str()?));
        let used = Used {
            all: busy_ticks(&read("/proc/stat")?, &self.processors, self.is_polite)? / ticks,
            own: (own.itself + compiling.map_or(0.0, |times| times.itself + times.children)) / ticks,
            container: container.and_then(|text| microseconds_of_group(&text)).unwrap_or_default() / 1e6,
        };
        Some(Sample { at: Instant::now(), used })
    }
}

impl Sample {
    /// What others did from an earlier sample to this one.
    pub(super) fn others_since(&self, earlier: &Self) -> Others {
        others(&earlier.used, &self.used, self.at.duration_since(earlier.at))
    }
}

fn others(before: &Used, after: &Used, elapsed: Duration) -> Others {
    let own = after.own - before.own;
    let beside = |all: f64| ((all - own) / elapsed.as_secs_f64()).max(0.0);
    Others { busy: beside(after.all - before.all), in_container: beside(after.container - before.container) }
}

/// The processors that the system may run this process on.
fn processors_of_affinity() -> Vec<usize> {
    // SAFETY: the set is plain bits, for which zeroes are valid; the call writes no more than its size.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::sched_getaffinity(0, size_of_val(&set), &raw mut set);
        set
    };
    let most = 8 * size_of_val(&set);
    // SAFETY: the number lies within the set.
    (0..most).filter(|number| unsafe { libc::CPU_ISSET(*number, &set) }).collect()
}

/// The ticks that processes kept these processors busy, from `/proc/stat`. What runs at a low priority gives way to
/// others, so it does not count for a process of usual priority.
fn busy_ticks(text: &str, processors: &[usize], is_polite: bool) -> Option<f64> {
    let mut busy = None;
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let number = words.next()?.strip_prefix("cpu").and_then(|number| number.parse().ok());
        if !number.is_some_and(|number| processors.contains(&number)) {
            continue;
        }
        let ticks: Vec<f64> = words.map_while(|word| word.parse().ok()).collect();
        let [user, polite, system, _idle, _waiting, hardware, software, stolen, ..] = ticks[..] else { return None };
        let polite = if is_polite { polite } else { 0.0 };
        *busy.get_or_insert(0.0) += user + polite + system + hardware + software + stolen;
    }
    busy
}

struct Times {
    itself: f64,
    /// Of children that have ended.
    children: f64,
}

/// The ticks of a process, from `/proc/PID/stat`. The name in it may contain blanks and parentheses.
fn times_of_process(text: &str) -> Option<Times> {
    let after_name = text.rsplit_once(')')?.1;
    // User and system time are fields 14 and 15, those of the children 16 and 17; the name is the second.
    let mut times = after_name.split_ascii_whitespace().skip(11).map_while(|word| word.parse::<f64>().ok());
    let mut two = || Some(times.next()? + times.next()?);
    Some(Times { itself: two()?, children: two()? })
}

/// The nearest control group around this process that limits its time (version 2 of control groups).
fn limiting_group(root: &Path, groups: &str) -> Option<PathBuf> {
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mut group = root.join(own.trim_start_matches('/'));
    while group.starts_with(root) {
        let limit = fs::read_to_string(group.join("cpu.max")).unwrap_or_default();
        if limit.split_ascii_whitespace().next().is_some_and(|limit| limit != "max") {
            return Some(group);
        }
        group.pop();
    }
    None
}

/// The time that a control group has used, from its `cpu.stat`.
fn microseconds_of_group(text: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix("usage_usec ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "\
cpu  40 5 12 900 7 1 2 3 0 0
cpu0 10 1 2 300 2 1 1 0 0 0
cpu1 20 2 3 300 2 0 1 1 0 0
cpu11 10 2 7 300 3 0 0 2 0 0
intr 12345 0 9
ctxt 99
procs_running 3
";

    #[test]
    fn only_the_processors_that_may_be_used_count_and_idle_or_polite_time_does_not() {
        assert_eq!(busy_ticks(STAT, &[0], false), Some(14.0));
        assert_eq!(busy_ticks(STAT, &[1, 11], false), Some(25.0 + 19.0));
        assert_eq!(busy_ticks(STAT, &[1, 11], true), Some(25.0 + 19.0 + 4.0));
        assert_eq!(busy_ticks(STAT, &[2], false), None);
        assert_eq!(busy_ticks("cpu0 1 2\n", &[0], false), None);
    }

    #[test]
    fn the_times_of_a_process_stand_behind_its_name() {
        let text = "77 (a (b) c) S 1 77 77 0 -1 4194560 1105 0 0 0 30 12 500 20 20 0 3 0 100 1000 10\n";
        let times = times_of_process(text).expect("is whole");
        assert_eq!((times.itself, times.children), (42.0, 520.0));
        assert!(times_of_process("77 (a) S 1").is_none());
    }

    #[test]
    fn the_group_that_limits_is_found_above_the_own_one() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("is in the folder")).expect("makes the folder");
            fs::write(path, text).expect("writes");
        };
        write("pods/one/cpu.max", "max 100000\n");
        assert_eq!(limiting_group(root.path(), "0::/pods/one\n"), None);
        write("pods/cpu.max", "200000 100000\n");
        assert_eq!(limiting_group(root.path(), "1:cpu:/\n0::/pods/one\n"), Some(root.path().join("pods")));
        assert_eq!(limiting_group(root.path(), "1:cpu:/\n"), None);
        assert_eq!(microseconds_of_group("usage_usec 2500\nuser_usec 7\n"), Some(2500.0));
    }

    #[test]
    fn what_others_use_is_what_is_left_of_all() {
        let before = Used { all: 100.0, own: 20.0, container: 50.0 };
        let after = Used { all: 104.0, own: 21.0, container: 51.5 };
        let two_seconds = Duration::from_secs(2);
        assert_eq!(others(&before, &after, two_seconds), Others { busy: 1.5, in_container: 0.25 });
        // A child that has ended is counted as a whole when it ends.
        let ended = Used { own: 60.0, ..after };
        assert_eq!(others(&before, &ended, two_seconds), Others { busy: 0.0, in_container: 0.0 });
    }

    #[test]
    fn this_machine_tells() {
        let machine = Machine::look().expect("has /proc");
        assert!(machine.processors() >= 1);
        let earlier = machine.sample().expect("tells");
        let others = machine.sample().expect("tells").others_since(&earlier);
        assert!(others.busy >= 0.0 && others.in_container >= 0.0);
    }
}
