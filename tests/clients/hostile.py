"""What students hand in for the assignment of `homework.py`, and what has to come of it: some honest ones, then one for
each way to get points for nothing, to read what is not theirs, or to be in the way of others.
"""

import json

from homework import RIGHT, Student, added, beside, both, edited, linked, mean, mean_if, shell, softmax, twice
from homework import with_crate, without, written, zeros, zeros_if
from nbformat.v4 import new_code_cell, new_markdown_cell

# Tells whether a file below one of some folders holds a text. Oxtorch's own libraries, which stand below /tmp where its
# home does, are the same for everybody, and too large to be searched.
HOLDS = r"""fn holds(path: &std::path::Path, text: &[u8]) -> bool {
    if path == "@HOME@" {
        return false;
    }
    if let Ok(entries) = std::fs::read_dir(path) {
        return entries.flatten().any(|entry| !entry.path().is_symlink() && holds(&entry.path(), text));
    }
    std::fs::read(path).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text))
}
fn anywhere(text: &str) -> bool {
    ["/given", "/oxtorch", "/handed-in", "/home", "/tmp", "/dev/shm"]
        .iter()
        .any(|folder| holds(std::path::Path::new(folder), text.as_bytes()))
}"""
# Changes the text of tests as soon as there is a file with it.
REWRITE = r"""fn rewrite(path: &std::path::Path) {
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rewrite(&path);
        } else if let Ok(text) = std::fs::read_to_string(&path) && text.contains("assert") {
            let _ = std::fs::write(&path, text.replace("assert!", "stringify!").replace("assert_eq!", "stringify!"));
        }
    }
}
let until = std::time::Instant::now() + std::time::Duration::from_secs(3);
std::thread::spawn(move || while std::time::Instant::now() < until { rewrite("/oxtorch".as_ref()) });"""
SIGNAL = """fn signal(name: &str) {
    let parent = std::os::unix::process::parent_id().to_string();
    std::process::Command::new("kill").args([name, &parent]).status().unwrap();
}"""
# A part of a hidden test, in a word that is not in this text, nor in any library.
HIDDEN = '&["zorilla", "4711"].join("-")'
WATCH = f"""{HOLDS}
use std::sync::atomic::{{AtomicBool, Ordering::Relaxed}};
static SEEN: AtomicBool = AtomicBool::new(false);
let until = std::time::Instant::now() + std::time::Duration::from_secs(3);
std::thread::spawn(move || while !SEEN.load(Relaxed) && std::time::Instant::now() < until {{
    SEEN.store(anywhere({HIDDEN}), Relaxed);
}});"""
WATCH_BY_SHELL = """!setsid sh -c 'for i in $(seq 1000); do
    grep -rqs "zorilla""-4711" /oxtorch /given /tmp /dev/shm && touch seen
done' >/dev/null 2>&1 </dev/null &""".replace("\n", " ")
# What a mark looks like on its way from a test to the grader.
FORGED = r'{"type":"mark","key":"","told":{"type":"ended"}}'
DESCRIPTORS = f"""for fd in 0..64 {{
    for folder in ["/proc/self/fd", "/dev/fd"] {{
        let _ = std::fs::write(format!("{{folder}}/{{fd}}"), r#"{FORGED}"#);
    }}
    let _ = std::process::Command::new("sh").arg("-c").arg(format!("echo forged >&{{fd}}")).status();
}}
0.0"""
HTML = "<script>alert(1)</script><img src=x onerror=alert(2)>\x1b[2J\x1b]0;title\x07\u202e"
IN_RUST = HTML.translate({ord(c): f"\\u{{{ord(c):x}}}" for c in "\x1b\x07\u202e"})
OWN_ASSERTS = """macro_rules! assert { ($($t:tt)*) => { () } }
macro_rules! assert_eq { ($($t:tt)*) => { () } }"""
OWN_STD = """mod std { pub use ::std::*; #[macro_export] macro_rules! assert { ($($t:tt)*) => {} } }
mod core {}"""
OWN_MODULE = """#[macro_use]
mod own {
    macro_rules! assert { ($($t:tt)*) => {} }
    macro_rules! assert_eq { ($($t:tt)*) => {} }
    pub fn close(_: f64, _: f64) -> bool { true }
}
pub use own::*;"""
OWN_GIVEN = """:reset
let data = vec![7.0];
fn close(a: f64, b: f64) -> bool { true }"""
OWN_TENSOR = """struct Tensor;
impl Tensor { fn from_slice(x: &[f32]) -> Tensor { Tensor } }"""
EQUALS_ALL = """struct All;
impl PartialEq<f64> for All { fn eq(&self, _: &f64) -> bool { true } }
fn mean(values: &[f64]) -> All { All }"""
CONSTANT = """#![allow(long_running_const_eval)]
const FOREVER: u64 = { let mut i = 0; while i < u64::MAX { i += 1; } i };"""
HOOK = "std::panic::set_hook(Box::new(|_| std::process::exit(0)));"
DROP = 'struct D;\nimpl Drop for D { fn drop(&mut self) { panic!("second") } }'
TAGGED = {"tags": ["skip-execution", "raises-exception"]}
SUM = "fn sum(v: &[f64]) -> f64 { v.iter().sum() }"

HONEST = [
    Student("ada", "PPP?", "the solution"),
    Student(
        "bob",
        "PPP?",
        "another spelling",
        mean("let mut sum = 0.0; for v in values { sum += v; } sum / (values.len() as f64)")
        | softmax("let e = (x - x.max()).exp(); &e / e.sum(Kind::Float)"),
    ),
    Student(
        "carl",
        "PPP?",
        "functions of the student's own, and prints",
        mean('println!("{values:?}"); sum(values) / values.len() as f64', SUM),
    ),
    Student("dora", "PpP?", "an overflow", softmax("x.exp() / x.exp().sum(Kind::Float)"), partial=2.5),
    Student(
        "emil",
        "FFF-",
        "nothing written",
        mean("todo!()") | softmax("todo!()") | zeros("todo!()") | {"why": "YOUR ANSWER HERE"},
    ),
    Student("李四", "PPP?", "a name in another alphabet"),
]

# Tests and given cells mean what they mean in the master, whatever a student calls by the same name.
NAMES = [
    Student("own-assert", "FPP?", "macros", mean("0.0", OWN_ASSERTS), flags=("`assert`", "`assert_eq`")),
    Student(
        "own-close",
        "FPP?",
        "a given function",
        mean("0.0", "fn close(a: f64, b: f64) -> bool { true }"),
        flags=("defines `close`",),
    ),
    Student("own-data", "CPP?", "a given variable", mean("values[0]", "let data = vec![3.0];"), flags=("`data`",)),
    Student("reset", "*PP?", "what the session knows", mean("4.0", OWN_GIVEN), flags=("`close`", "`data`")),
    Student("own-tensor", "PCC?", "a type of every cell", softmax("Tensor", OWN_TENSOR), flags=("defines `Tensor`",)),
    Student(
        "own-digits",
        "PPF?",
        "functions of every cell",
        zeros("0", "fn no_grad<T>(f: impl FnOnce() -> T) -> i64 { 178 }", "fn digits() -> i64 { 178 }"),
        flags=("defines `no_grad`", "defines `digits`"),
    ),
    Student("own-std", "FPP?", "the standard library", mean("0.0", OWN_STD)),
    Student("use-as", "FPP?", "a `use`", mean("0.0", "use std::stringify as assert; use std::stringify as assert_eq;")),
    Student("globs", "FPP?", "a `use` of all, and macros of a module", mean("0.0", OWN_MODULE)),
    Student("equals-all", "CPP?", "a type that equals everything", {"mean": EQUALS_ALL}),
    Student(
        "exported",
        "CPP?",
        "a symbol in the place of another",
        mean("0.0", '#[no_mangle] pub extern "C" fn memcmp(_: *const u8, _: *const u8, _: usize) -> i32 { 0 }'),
    ),
]

# Only a test gives points.
FORGERIES = [
    Student("points", "FPP?", "gives itself points", mean('points(100, "all of them"); 0.0')),
    Student(
        "graded-test",
        "CPP?",
        "says that a test has ended",
        mean('let t = oxtorch::cell::GradedTest::new(); t.begin(); t.points(100, "x"); t.end(); 0.0'),
    ),
    Student("no-points", "PFP?", "fails all that a test gives points for", softmax("x * f64::NAN")),
    Student("prints", "FPP?", "prints a mark", mean(f'println!("{{}}", r#"{FORGED}"#); 0.0')),
    Student("descriptors", "FPP?", "writes into whatever is open", mean(DESCRIPTORS)),
    Student("hook", "XPP?", "ends a panic well", mean("0.0", HOOK)),
]

# The end of a process is no pass, and the questions behind it are marked as far as that can be.
ENDINGS = [
    Student(
        "ends",
        "XXX?",
        "ends its process well, by an abort, and by a panic within a panic",
        mean("std::process::exit(0)")
        | softmax("std::process::abort()")
        | zeros('let _d = D; panic!("first")', DROP),
    ),
    Student(
        "overflows",
        "XPX?",
        "uses up the stack, and ends its process from a thread",
        mean("deep([1.0; 1000])", "fn deep(v: [f64; 1000]) -> f64 { deep(v.map(|x| x + 1.0)) + v[7] }")
        | zeros("std::thread::spawn(|| std::process::exit(0)); loop { std::thread::park() }"),
    ),
    Student(
        "exits-later",
        "...?",
        "leaves a thread that ends the process",
        mean(f"std::thread::spawn(|| std::process::exit(0)); {RIGHT}"),
    ),
    Student("kills-parent", "FPP?", "kills what drives the cells", mean('signal("-KILL"); 0.0', SIGNAL)),
    Student("kills-all", "PPP?", "kills all that it can", first="!kill -9 -1"),
    Student("stops-all", "PPP?", "stops all that it can", first="!kill -STOP -1"),
    Student("stops-parent", "FPP?", "stops what drives the cells", mean('signal("-STOP"); 0.0', SIGNAL)),
    Student(
        "terminates",
        "FPP?",
        "asks what drives the cells to end",
        mean('["-INT", "-TERM", "-HUP", "-USR1"].map(signal); 0.0', SIGNAL),
    ),
]

# What does not end is ended.
TIMES = [
    Student("loops", "TPT?", "never ends, and sleeps", mean("loop {}") | zeros("loop { std::thread::park() }")),
    Student("loops-and-prints", "OPP?", "prints for ever", mean('loop { println!("still here") }')),
    Student("const-loop", "CPP?", "hangs the compiler with a constant", mean("FOREVER as f64", CONSTANT)),
    Student(
        "macro-bomb",
        "CPP?",
        "hangs the compiler with a macro",
        mean("0.0", "macro_rules! bomb { ($($t:tt)*) => { bomb!($($t)* $($t)* a) } }\nbomb!(a);"),
    ),
]

# What takes too much is refused or ended, and others do not notice.
AMOUNTS = [
    Student(
        "memory",
        "MMP?",
        "takes 2 GB, and 2 GB in a tensor",
        mean("std::hint::black_box(vec![1u8; 2 << 30]).len() as f64")
        | softmax("Tensor::ones([1 << 29], (Kind::Float, Device::Cpu)) * x.max()"),
    ),
    Student(
        "files",
        "FPF?",
        "fills the disk, and opens more files than it may",
        mean('for i in 0.. { std::fs::write(format!("f{i}"), vec![0; 8 << 20]).unwrap(); } 0.0')
        | zeros('let mut open = vec![]; loop { open.push(std::fs::File::open("/dev/null").unwrap()) }'),
    ),
    Student("forks", "PPP?", "leaves 50 processes", first=f"for _ in 0..50 {{ {shell('exec sleep @MARK@')}; }}"),
    Student(
        "daemon",
        "PPP?",
        "leaves a process with a session of its own",
        first="!setsid sh -c 'sleep @MARK@' >/dev/null 2>&1 </dev/null &",
    ),
    Student(
        "threads",
        "F..?",
        "starts more threads than it may, which stay",
        mean(
            "for _ in 0..200 { std::thread::Builder::new().stack_size(65536).spawn(std::thread::park).unwrap(); } 0.0"
        ),
    ),
    Student(
        "outputs",
        "OPO?",
        "prints a lot at once, and shows a lot",
        mean('println!("{}", "x".repeat(100 << 20)); 0.0')
        | zeros('for _ in 0..100 { display(&MimeBundle::html("<b>x</b>".repeat(1 << 20))); } 0'),
    ),
    Student(
        "prints-later",
        "...?",
        "a thread prints between the cells",
        first='std::thread::spawn(|| loop { println!("{}", "y".repeat(1000)) });',
    ),
]

# Nothing can be read but what students have, and nothing written that others use.
READS = [
    Student(
        "hidden-tests",
        "FPF?",
        "the text of a hidden test, while it runs and afterwards",
        mean_if(f"anywhere({HIDDEN})", HOLDS) | zeros_if(f"anywhere({HIDDEN})"),
    ),
    Student("watches", "PPF?", "the same before it is compiled", zeros_if("SEEN.load(Relaxed)"), first=WATCH),
    Student(
        "watches-by-shell",
        "PPF?",
        "the same by a program",
        zeros_if('std::path::Path::new("seen").exists()'),
        first=WATCH_BY_SHELL,
    ),
    Student("rewrites", "FPP?", "changes the text of a test before it is compiled", mean("0.0"), first=REWRITE),
    Student(
        "neighbours",
        "FPF?",
        "the master, and what others have handed in",
        mean_if('std::path::Path::new("@MASTER@").exists()')
        | zeros_if(
            '["..", "../..", "/handed-in/..", "/handed-in/../..", "@SUBMITTED@"].iter()'
            '.any(|folder| std::path::Path::new(folder).join("ada").exists())'
        ),
    ),
    Student(
        "passwd",
        "FPF?",
        "files of the system, and secrets of whoever grades",
        mean_if(
            '["/etc/passwd", "/root/.bashrc", "@HOME@/ready", "/proc/self/mem", "/proc/1/environ", "/dev/mem"]'
            ".iter().any(|path| std::path::Path::new(path).exists())"
        )
        | zeros_if('std::env::vars().any(|(_, value)| value.contains("@SECRET@"))'),
    ),
    Student("includes", "CPP?", "a file, as it is compiled", mean_if('!include_str!("/etc/passwd").is_empty()')),
    Student("unsafe", "CPP?", "the memory of others", mean("unsafe { *values.as_ptr() }")),
    Student(
        "network",
        "FPF?",
        "the network, and a socket without a file",
        mean_if('std::net::TcpStream::connect("127.0.0.1:@PORT@").is_ok()')
        | zeros_if(
            'UnixStream::connect_addr(&SocketAddr::from_abstract_name("@MARK@").unwrap()).is_ok()',
            "use std::os::linux::net::SocketAddrExt as _;\nuse std::os::unix::net::{SocketAddr, UnixStream};",
        ),
    ),
    Student(
        "links",
        "FPP?",
        "what links beside the notebook lead to",
        mean_if('["secret", "up"].iter().any(|name| std::path::Path::new(name).exists())'),
        write=beside(secret="/etc/passwd", up="../.."),
    ),
    Student(
        "cache",
        "FPP?",
        "writes where others read",
        mean_if(
            '["@HOME@", "@HOME@/cells", "@HOME@/ready", "/given", "/usr/bin", "/root/.cargo", "/oxtorch", "/"]'
            '.iter().map(|folder| (*folder, std::path::Path::new(folder).join("evil-@MARK@")))'
            # Where the home is in /tmp, its folder is one of the sandbox: what counts is what is there afterwards.
            '.any(|(folder, file)| std::fs::write(file, "x").is_ok() && !folder.starts_with("/tmp"))'
        ),
    ),
    Student(
        "crate",
        "CPP?",
        "a crate that came with the notebook, and runs a program as it is built",
        mean("0.0", ':dep evil = { path = "evil" }'),
        write=with_crate,
    ),
    Student("dependency", "CPP?", "a crate that the master does not have", mean("0.0", ":dep rand_xoshiro")),
]

# A notebook is one, or its student learns why not; what the grader knows of its cells comes from the master.
FILES = [
    Student("json", "----", "no JSON", write=written(b'{"cells": ['), problem="it is not JSON"),
    Student("deep", "----", "JSON in JSON", write=written(b"[" * 200_000), problem="it is not JSON"),
    Student("bytes", "----", "no text", write=written(bytes(range(256)) * 100), problem="it is not JSON"),
    Student(
        "python",
        "PPP?",
        "another kernel, and text in another encoding",
        change=lambda notebook: notebook.update(metadata={"kernelspec": {"name": "x", "language": "python"}}),
        write=lambda path, notebook: path.write_bytes(
            json.dumps(notebook, ensure_ascii=False).replace("overflows", "überläuft").encode("latin-1")
        ),
        flags=("another kernel",),
    ),
    Student(
        "deletes",
        "CPP?",
        "a cell is missing, and a test",
        change=without("mean", "mean-test"),
        flags=("`mean` was deleted", "`mean-test` was deleted, and has been put back"),
    ),
    Student(
        "twice",
        "PPP?",
        "a cell is there twice",
        change=twice("mean", mean("0.0")["mean"]),
        flags=("`mean` is there twice: the first one counts",),
    ),
    Student(
        "metadata",
        "FPP?",
        "tags that tools know, and points",
        mean("0.0"),
        change=both(
            edited("mean", metadata=TAGGED),
            edited("mean-test", metadata=TAGGED),
            edited("softmax-test", nbgrader={"points": 100}),
        ),
    ),
    Student(
        "exchanged",
        "FPP?",
        "the names of tests",
        mean("0.0"),
        change=both(
            edited("mean-test", nbgrader={"grade_id": "x"}),
            edited("zeros-test", nbgrader={"grade_id": "mean-test"}),
            edited("x", nbgrader={"grade_id": "zeros-test"}),
        ),
        flags=("`mean-test` was changed, and has been restored", "stands in another place"),
    ),
    Student(
        "no-tests",
        "FPP?",
        "tests without a text, and given cells with another",
        mean("0.0"),
        change=both(
            edited("mean-test", source=""), edited("given", source="fn close(a: f64, b: f64) -> bool { true }")
        ),
        flags=("`mean-test` was changed", "`given` was changed"),
    ),
    Student(
        "other-kind",
        "CPP?",
        "code in the place of a text",
        change=edited("mean", nbgrader={"grade_id": "why"}),
        flags=("is a cell of another kind",),
    ),
    Student("60-mb", "PPP?", "a long notebook", change=added(new_markdown_cell("z" * (60 << 20)))),
    Student(
        "70-mb",
        "----",
        "a notebook that is too long",
        change=added(new_markdown_cell("z" * (70 << 20))),
        problem="it has 70 MB",
    ),
    Student(
        "many-cells",
        "----",
        "thousands of cells",
        change=added(*[new_code_cell("1")] * 3000),
        problem="no more than 2000 are graded",
    ),
    Student("linked", "----", "a link to the notebook of another", write=linked, problem="no notebook"),
    Student(
        "html",
        "FPP?",
        "HTML and escapes, wherever text goes",
        mean(
            'panic!("{T}")', f'const T: &str = "{IN_RUST}";', 'println!("{T}"); display(&MimeBundle::html(T));'
        )
        | {"why": HTML},
        change=added(new_markdown_cell(HTML)),
    ),
    Student("<img src=x onerror=alert(3)>", "PPP?", "HTML for a name"),
    *(
        Student(name, "----", "a name that means something elsewhere", write=written(b""), problem="it is not JSON")
        for name in ["=1+1", "-rf", "new\nline", "\u202eevil", "a" * 200, "*"]
    ),
]

CLASS = [*HONEST, *NAMES, *FORGERIES, *ENDINGS, *TIMES, *AMOUNTS, *READS, *FILES]
