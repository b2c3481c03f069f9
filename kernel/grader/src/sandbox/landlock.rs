//! What a process and all that it starts can open, by Landlock: files and folders that are named, and nothing else. No
//! process can take that back, and none can look into one that has fewer such limits.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, RulesetCreated,
    RulesetCreatedAttr as _, Scope, path_beneath_rules,
};

/// The rules that have to be there; what later versions have is taken where it is.
const NEEDED: ABI = ABI::V1;
const WANTED: ABI = ABI::V6;

/// What can be opened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Access {
    /// To be read and run.
    pub(crate) read: Vec<PathBuf>,
    /// To be written as well.
    pub(crate) write: Vec<PathBuf>,
    /// Whether the network can be reached.
    pub(crate) network: bool,
}

impl Access {
    /// Makes them ready to be put on a process.
    ///
    /// # Errors
    ///
    /// Where this system has no Landlock.
    pub(crate) fn ready(&self) -> io::Result<ReadyRules> {
        let rules = self.created().map_err(io::Error::other)?;
        let rules: Option<OwnedFd> = rules.into();
        let rules = rules.ok_or_else(|| io::Error::other("this system has no Landlock (Linux 5.13 has it)"))?;
        Ok(ReadyRules(Arc::new(rules)))
    }

    fn created(&self) -> Result<RulesetCreated, landlock::RulesetError> {
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(NEEDED))?
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(WANTED))?
            .scope(Scope::from_all(WANTED))?;
        if !self.network {
            rules = rules.handle_access(AccessNet::from_all(WANTED))?;
        }
        rules
            .create()?
            .add_rules(path_beneath_rules(&self.read, AccessFs::from_read(WANTED)))?
            .add_rules(path_beneath_rules(&self.write, AccessFs::from_all(WANTED)))
    }
}

/// Access that are ready to be put on a process.
#[derive(Debug, Clone)]
pub(crate) struct ReadyRules(Arc<OwnedFd>);

impl ReadyRules {
    /// Puts them on this thread, and on all that it starts. May be called between fork and exec.
    pub(crate) fn put_on(&self) -> io::Result<()> {
        // SAFETY: two system calls that take numbers; the descriptor is one of rules, and open as long as this is.
        let put = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::syscall(libc::SYS_landlock_restrict_self, self.0.as_raw_fd(), 0) == 0
        };
        if put { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_confined_process_opens_what_was_named_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let [own, other] = ["own", "other"].map(|name| folder.path().join(name));
        for folder in [&own, &other] {
            std::fs::create_dir(folder).expect("can be made");
            std::fs::write(folder.join("text"), "a").expect("can be written");
        }
        let system = ["/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache"].map(PathBuf::from);
        let rules = Access { read: system.into(), write: vec![own.clone(), "/dev/null".into()], network: false };
        let Ok(confined) = rules.ready() else {
            eprintln!("skipped: this system has no Landlock");
            return;
        };
        let runs = |script: String| {
            let mut command = Command::new("sh");
            command.arg("-c").arg(script);
            let confined = confined.clone();
            // SAFETY: it may be called between fork and exec.
            unsafe { command.pre_exec(move || confined.put_on()) };
            command.status().expect("starts").success()
        };
        assert!(runs(format!("cat {0}/text && echo b > {0}/more", own.display())));
        assert!(!runs(format!("cat {}/text", other.display())));
        assert!(!runs(format!("echo b > {}/more", other.display())));
        assert!(!runs("cat /proc/self/mem".to_owned()));
        assert!(!other.join("more").exists());
    }
}
