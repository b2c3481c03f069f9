//! The commands that there are: their names, how they are written, what they do.

use crate::source::words;

/// A command as a user finds it in `:help`.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, and other names that people try.
    pub names: &'static [&'static str],
    /// How it is written.
    pub usage: &'static str,
    /// What it does.
    pub about: &'static str,
}

impl Entry {
    /// The name that we use for it.
    pub fn name(&self) -> &'static str {
        self.names[0]
    }

    /// What stands behind it.
    pub fn takes(&self) -> Argument {
        match self.name() {
            "help" => Argument::Command,
            "doc" | "type" | "time" | "timeit" => Argument::Code,
            _ => Argument::Other,
        }
    }
}

/// What a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// The name of another command.
    Command,
    /// Code, or a name that code may have.
    Code,
    /// Words, files.
    Other,
}

const fn entry(names: &'static [&'static str], usage: &'static str, about: &'static str) -> Entry {
    Entry { names, usage, about }
}

/// All commands, in the order in which they are listed.
pub const CATALOGUE: [Entry; 21] = [
    entry(&["help", "lsmagic", "quickref", "magic"], ":help", "this list"),
    entry(
        &["vars", "whos", "who", "who_ls", "variables"],
        ":vars",
        "the variables: type, shape or value, device; and those that are gone",
    ),
    entry(&["items"], ":items", "functions, types, traits and `use` declarations of the session"),
    entry(
        &["doc", "pdoc", "pinfo", "docs"],
        ":doc NAME",
        "signature and documentation of a name: yours, the prelude's, `tch`'s, the standard library's, or PyTorch's",
    ),
    entry(
        &["find", "apropos", "psearch", "search"],
        ":find WORDS",
        "names by words: of ours, of what PyTorch and others call them, of what they do",
    ),
    entry(&["type", "whatis"], ":type EXPRESSION", "the type of an expression, without running it"),
    entry(
        &["time"],
        ":time EXPRESSION, %%time",
        "run it and say how long it took; alone on its line, it times the rest of the cell",
    ),
    entry(
        &["timeit"],
        "%timeit [-n LOOPS] [-r RUNS] EXPRESSION",
        "run it many times, fully optimised; `%%timeit [SETUP;]` times the rest of the cell",
    ),
    entry(
        &["reset", "clear", "reset_selective"],
        ":reset [vars]",
        "forget everything (or only the variables) and start again",
    ),
    entry(&["dep", "dependency"], ":dep NAME = \"VERSION\"", "use a crate, as in Cargo.toml"),
    entry(&["deps", "show_deps"], ":deps", "the crates that the session has asked for, with their versions"),
    entry(
        &["opt", "optimise", "optimize"],
        ":opt [0|1|2|3|auto]",
        "how far to optimise later cells; auto: 2 for loops, closures and functions, else 0",
    ),
    entry(&["cache"], ":cache [clear]", "show or empty the cache of compiled cells"),
    entry(
        &["env", "set_env"],
        "%env [NAME[=VALUE]]",
        "environment variables, for cells and shell commands: list, show, set",
    ),
    entry(
        &["check"],
        ":check [NOTEBOOK]",
        "what a grader would see of this homework, as it is saved: it runs from the top in another kernel",
    ),
    entry(&["version"], ":version", "the versions of Oxtorch and of the compiler"),
    entry(&["cd", "chdir"], "%cd [FOLDER]", "go to a folder, or back to the last one with `-`"),
    entry(&["pwd"], "%pwd", "the folder that cells and shell commands work in"),
    entry(&["sx", "system"], "!COMMAND", "run a shell command"),
    entry(
        &["bash", "sh", "script"],
        "%%bash",
        "run the rest of the cell as a shell script; if it fails, the cell fails",
    ),
    entry(&["writefile", "file"], "%%writefile [-a] FILE", "write the rest of the cell to a file, or append it"),
];

/// The command of that name.
pub fn find(name: &str) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|entry| entry.names.contains(&name))
}

/// Shell commands that people write with `%`.
pub const SHELL_ALIASES: [&str; 9] = ["ls", "ll", "cat", "cp", "mv", "mkdir", "rm", "rmdir", "man"];

/// Commands of other kernels that have nothing to do here, and what to say instead.
const REMARKS: [(&[&str], &str); 7] = [
    (
        &["matplotlib", "pylab", "config"],
        "nothing to set up: `display`, `image` and `Figure` show pictures in the notebook",
    ),
    (
        &["load_ext", "reload_ext", "unload_ext", "autoreload", "aimport"],
        "there are no extensions here; if a function is defined again, its callers use the new one at once",
    ),
    (&["types"], "`:vars` shows the types of variables, and `:type EXPRESSION` that of an expression"),
    (
        &["fmt", "quiet", "last_error_json"],
        "not needed here: values are shown with `{:?}`, `println!` shows them in any other way, and what is wrong with a \
         cell is shown below it",
    ),
    (
        &["quit", "exit", "q"],
        "the kernel keeps running: end it in the frontend (Shut Down Kernel), or start again with `:reset`",
    ),
    (
        &["sccache", "linker", "offline", "allow_static_linking", "last_compile_dir", "build_env", "codegen_backend"],
        "not needed: cells are compiled by rustc directly, and kept in a cache (`:cache`)",
    ),
    (
        &[
            "preserve_vars_on_panic",
            "efmt",
            "internal_debug",
            "timing",
            "time_passes",
            "toolchain",
            "explain",
            "load_config",
        ],
        "not needed here: variables survive panics, errors are explained below the cell, and `%%time` measures",
    ),
];

/// What to say of a command that other kernels have and that needs no doing here.
pub fn remark(name: &str) -> Option<&'static str> {
    REMARKS.iter().find(|(names, _)| names.contains(&name)).map(|(_, remark)| *remark)
}

/// The command that a user may have meant.
pub fn nearest(name: &str) -> Option<&'static Entry> {
    words::nearest(name, CATALOGUE.iter().flat_map(|entry| entry.names.iter().map(move |name| (*name, entry))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_finds_its_command() {
        let check = |typed: &str, meant: Option<&str>| assert_eq!(nearest(typed).map(Entry::name), meant, "{typed}");
        check("vras", Some("vars"));
        check("tiem", Some("time"));
        check("itmes", Some("items"));
        check("hlep", Some("help"));
        check("frobnicate", None);
    }

    #[test]
    fn no_name_stands_for_two_commands() {
        let mut names: Vec<&str> = CATALOGUE.iter().flat_map(|entry| entry.names).copied().collect();
        names.extend(SHELL_ALIASES);
        names.extend(REMARKS.iter().flat_map(|(names, _)| *names));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
