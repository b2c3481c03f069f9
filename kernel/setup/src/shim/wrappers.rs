//! The shim's wrappers in its C++ sources: which of them a compiler refuses, and how to do without those.
//!
//! Each wrapper calls one function of libtorch and reports what went wrong through a thread local. One whose function
//! is not there can still report that.

use std::ops::Range;

/// How the wrappers' names begin.
const PREFIXES: [&str; 7] = ["atg_", "at_", "ato_", "ats_", "atc_", "atm_", "ati_"];

/// What a compiler has against a source.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Refusals {
    /// The lines of the source that it refuses, from 1. For an error in a header, the line that leads to it.
    lines: Vec<usize>,
    /// The first error that no line of the source leads to.
    elsewhere: Option<String>,
}

/// Reads what g++ or clang++ said in English of a source, which they name as it was named to them.
pub(super) fn read_refusals(said: &str, source: &str) -> Refusals {
    let mut refusals = Refusals::default();
    // The lines of the source that lead to a place in a header. g++ names them ahead of the error, clang++ after it.
    let mut led_here = Vec::new();
    let mut in_header: Option<&str> = None;
    for line in said.lines() {
        let Some((path, number, text)) = located(line) else { continue };
        let leads = ["required from", "requested here"].iter().any(|words| text.contains(words));
        if path == source && leads {
            led_here.push(number);
        } else if let Some(error) = text.strip_prefix("error: ").or_else(|| text.strip_prefix("fatal error: ")) {
            refusals.settle(in_header.take(), &mut led_here);
            if path == source {
                refusals.lines.push(number);
            } else if led_here.is_empty() {
                in_header = Some(error);
            } else {
                refusals.settle(Some(error), &mut led_here);
            }
        }
    }
    refusals.settle(in_header, &mut led_here);
    refusals
}

impl Refusals {
    /// An error in a header is known in full: the outermost of the lines that lead to it counts.
    fn settle(&mut self, error: Option<&str>, led_here: &mut Vec<usize>) {
        let Some(error) = error else { return };
        match led_here.drain(..).next_back() {
            Some(line) => self.lines.push(line),
            None => self.elsewhere = self.elsewhere.take().or_else(|| Some(error.to_owned())),
        }
    }
}

/// The path, the line and the text of `path:line:column: text`, or of `path:line: text`.
fn located(line: &str) -> Option<(&str, usize, &str)> {
    let (place, text) = line.split_once(": ")?;
    let (rest, last) = place.rsplit_once(':')?;
    let last: usize = last.parse().ok()?;
    let before = rest.rsplit_once(':').and_then(|(path, number)| Some((path, number.parse().ok()?)));
    let (path, number) = before.unwrap_or((rest, last));
    Some((path, number, text.trim_start()))
}

/// A source in which the wrappers that were refused report an error instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reduced {
    pub(super) source: String,
    /// What `tch` calls those functions.
    pub(super) lacking: Vec<String>,
}

/// Does without the wrappers that were refused; `report` says what such a function reports. Fails where something
/// other than a wrapper was refused as well, or nothing that could be left out.
pub(super) fn reduce(source: &str, refusals: &Refusals, report: impl Fn(&str) -> String) -> Result<Reduced, String> {
    let functions = functions(source);
    let starts: Vec<usize> =
        std::iter::once(0).chain(source.match_indices('\n').map(|(newline, _)| newline + 1)).collect();
    let mut refused: Vec<&Function> = Vec::new();
    for line in &refusals.lines {
        let from = starts.get(line - 1).copied().unwrap_or(source.len());
        let to = starts.get(*line).copied().unwrap_or(source.len());
        let function = functions.iter().find(|function| function.whole.start < to && from < function.whole.end);
        match function.filter(|function| function.is_wrapper()) {
            Some(function) if refused.contains(&function) => {}
            Some(function) => refused.push(function),
            None => return Err(format!("its headers do not match the shim's line `{}`", source[from..to].trim())),
        }
    }
    if refused.is_empty() {
        let why = refusals.elsewhere.as_deref().unwrap_or("the compiler gives no reason");
        return Err(format!("its headers cannot be compiled here: {why}"));
    }
    refused.sort_by_key(|function| function.whole.start);
    let mut reduced = Reduced { source: String::with_capacity(source.len()), lacking: Vec::new() };
    let mut done = 0;
    for function in refused {
        let name = name_in_tch(function.name);
        reduced.source += &source[done..function.body.start];
        reduced.source += &format!("{{ torch_last_err = strdup({}); ", literal(&report(&name)));
        reduced.source += if function.returns_nothing { "}" } else { "return {}; }" };
        done = function.body.end;
        reduced.lacking.push(name);
    }
    reduced.source += &source[done..];
    Ok(reduced)
}

/// What `tch` calls the function of a wrapper.
pub(super) fn name_in_tch(wrapper: &str) -> String {
    let Some(name) = wrapper.strip_prefix("atg_") else { return wrapper.to_owned() };
    match name {
        "t" => "tr".to_owned(),
        "to_device" | "view" | "where" => format!("{name}_"),
        _ if name.starts_with('_') => format!("internal{}", name.replace("__", "_")),
        _ => name.to_owned(),
    }
}

/// A text as C++ writes it.
pub(super) fn literal(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// The definition of a function.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function<'a> {
    pub(super) name: &'a str,
    is_template: bool,
    returns_nothing: bool,
    /// From the return type to the closing brace.
    pub(super) whole: Range<usize>,
    /// With its braces.
    pub(super) body: Range<usize>,
}

impl Function<'_> {
    /// Whether it is one of those that Rust calls.
    pub(super) fn is_wrapper(&self) -> bool {
        !self.is_template && PREFIXES.iter().any(|prefix| self.name.starts_with(prefix))
    }
}

/// The functions that a source defines at its top level.
pub(super) fn functions(source: &str) -> Vec<Function<'_>> {
    let mut functions = Vec::new();
    let (mut head, mut body, mut depth) = (0, 0, 0_usize);
    let mut at = 0;
    while at < source.len() {
        let length = opaque(&source[at..]);
        match source.as_bytes()[at] {
            _ if length > 0 => {
                if depth == 0 && source[head..at].trim().is_empty() {
                    head = at + length;
                }
                at += length;
                continue;
            }
            b'{' => {
                body = if depth == 0 { at } else { body };
                depth += 1;
            }
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    functions.extend(function(source, head..at + 1, body));
                    head = at + 1;
                }
            }
            b';' if depth == 0 => head = at + 1,
            _ => {}
        }
        at += 1;
    }
    functions
}

/// The function that a definition defines, if it is that of a function.
fn function(source: &str, whole: Range<usize>, body: usize) -> Option<Function<'_>> {
    let head = source.get(whole.start..body)?;
    let start = whole.start + (head.len() - head.trim_start().len());
    let head = head.trim();
    let (before, _) = head.split_once('(')?;
    let name = before.trim_end().rsplit(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    let returns_nothing = before.strip_suffix(name).is_some_and(|kind| kind.trim() == "void");
    let is_template = head.starts_with("template");
    Some(Function { name, is_template, returns_nothing, whole: start..whole.end, body: body..whole.end })
}

/// The length of the comment, literal or directive that a text begins with, in which braces mean nothing; 0 for none.
pub(super) fn opaque(text: &str) -> usize {
    let up_to = |end: &str, from: usize| text[from..].find(end).map_or(text.len(), |found| from + found + end.len());
    match text.as_bytes() {
        [b'/', b'/', ..] => up_to("\n", 2),
        [b'/', b'*', ..] => up_to("*/", 2),
        [quote @ (b'"' | b'\''), rest @ ..] => {
            let mut escaped = false;
            let closing = rest.iter().position(|byte| {
                let closes = byte == quote && !escaped;
                escaped = *byte == b'\\' && !escaped;
                closes
            });
            closing.map_or(text.len(), |closing| closing + 2)
        }
        [b'#', ..] => {
            let mut end = 0;
            for line in text.split_inclusive('\n') {
                end += line.len();
                if !line.trim_end().ends_with('\\') {
                    break;
                }
            }
            end
        }
        // What follows may begin in the middle of a character.
        [first, ..] if !first.is_ascii() => text.chars().next().map_or(1, char::len_utf8),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxtorch_system::child::{ask, command};
    use oxtorch_system::programs::find_program;

    const HEADER: &str = r#"#include <exception>
#include <string.h>
extern thread_local char *torch_last_err;
namespace torch {
struct Tensor { int value; };
inline Tensor add(Tensor a, Tensor b) { return {a.value + b.value}; }
inline Tensor fewer(Tensor a) { return a; }
template <class T> T made(T t) { return t.gone(); }
}
typedef torch::Tensor *tensor;
#define PROTECT(x) \
  try { \
    x \
  } catch (const std::exception& e) { \
      torch_last_err = strdup(e.what()); \
  }
"#;

    const SOURCE: &str = r#"#include "lib.h"
// It's { not } code.
thread_local char *torch_last_err = nullptr;

template <typename T> T itself(T x) { return x; }

void atg_add(tensor *out__, tensor self, tensor other) {
  PROTECT(
    auto outputs__ = torch::add(*self, *other);
    out__[0] = new torch::Tensor(outputs__);
  )
}

void atg_cholesky(tensor *out__, tensor self, int upper) {
  PROTECT(
    auto outputs__ = torch::cholesky(*self, (bool)upper);
    out__[0] = new torch::Tensor(outputs__);
  )
}

tensor *atg_fewer(tensor self, tensor other) {
  PROTECT(
    auto outputs__ = torch::fewer(*self, *other);
    return new tensor();
  )
  return nullptr;
}

void atg_deep(tensor *out__,
              tensor self) {
  PROTECT(
    auto outputs__ = torch::made(itself(*self));
    out__[0] = new torch::Tensor(outputs__);
  )
}

int at_one(tensor t) { const char *brace = "}"; PROTECT(return t->gone();) return brace[0] == '{'; }

namespace {
struct Other { int one() { return 1; } };
}
"#;

    fn report(name: &str) -> String {
        format!("`{name}` is \"not\" here")
    }

    /// Compiles a source in a folder that holds the header, and gives what the compiler said.
    fn compile(compiler: &std::path::Path, folder: &std::path::Path, source: &str) -> (bool, String) {
        std::fs::write(folder.join("lib.h"), HEADER).expect("writes");
        std::fs::write(folder.join("api.cpp"), source).expect("writes");
        let mut tool = command(compiler);
        tool.current_dir(folder).env("LC_ALL", "C").args(["-std=c++17", "-fmax-errors=0", "-c", "api.cpp"]);
        let output = ask(&mut tool).expect("the compiler runs");
        (output.status.success(), output.stderr)
    }

    #[test]
    fn what_a_compiler_refuses_is_left_out_and_the_rest_compiles() {
        let compilers: Vec<_> =
            ["c++", "g++", "clang++", "clang++-14"].into_iter().filter_map(|name| find_program([name])).collect();
        assert!(!compilers.is_empty(), "the tests run with a C++ compiler");
        for compiler in compilers {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let (compiles, said) = compile(&compiler, folder.path(), SOURCE);
            assert!(!compiles);
            let refusals = read_refusals(&said, "api.cpp");
            assert_eq!(refusals.elsewhere, None, "{said}");
            let reduced = reduce(SOURCE, &refusals, report).expect("only wrappers are refused");
            assert_eq!(reduced.lacking, ["cholesky", "fewer", "deep", "at_one"], "{said}");
            let (compiles, said) = compile(&compiler, folder.path(), &reduced.source);
            assert!(compiles, "{}: {said}\n{}", compiler.display(), reduced.source);
        }
    }

    #[test]
    fn the_diagnostics_of_both_compilers_are_read() {
        let gcc = "In file included from api.cpp:1:
api.cpp: In function 'void atg_cholesky(torch::Tensor**, tensor, int)':
api.cpp:15:29: error: 'cholesky' is not a member of 'torch'
   15 |     auto outputs__ = torch::cholesky(*self, (bool)upper);
lib.h:11:5: note: in definition of macro 'PROTECT'
lib.h: In instantiation of 'T torch::made(T) [with T = Tensor]':
api.cpp:5:9:   required from 'T itself(T) [with T = Tensor]'
api.cpp:28:3:   required from here
lib.h:7:44: error: 'struct torch::Tensor' has no member named 'gone'
";
        let clang = "api.cpp:15:29: error: no member named 'cholesky' in namespace 'torch'
    auto outputs__ = torch::cholesky(*self, (bool)upper);
./lib.h:11:5: note: expanded from macro 'PROTECT'
./lib.h:7:44: error: no member named 'gone' in 'torch::Tensor'
api.cpp:5:9: note: in instantiation of function template specialization 'torch::made<torch::Tensor>' requested here
api.cpp:28:3: note: in instantiation of function template specialization 'itself<torch::Tensor>' requested here
2 errors generated.
";
        for said in [gcc, clang] {
            assert_eq!(read_refusals(said, "api.cpp"), Refusals { lines: vec![15, 28], elsewhere: None }, "{said}");
        }
        let header =
            "lib.h:3:2: error: #error C++20 or later\napi.cpp:1:10: fatal error: torch/torch.h: No such file\n";
        let expected = Refusals { lines: vec![1], elsewhere: Some("#error C++20 or later".to_owned()) };
        assert_eq!(read_refusals(header, "api.cpp"), expected);
    }

    #[test]
    fn a_function_is_named_as_cells_call_it() {
        for (wrapper, name) in [
            ("atg_cholesky_out", "cholesky_out"),
            ("atg__upsample_lanczos2d_aa", "internal_upsample_lanczos2d_aa"),
            ("atg___and__tensor_", "internal_and_tensor_"),
            ("atg_view", "view_"),
            ("at_save", "at_save"),
        ] {
            assert_eq!(name_in_tch(wrapper), name);
        }
    }

    #[test]
    fn what_is_no_wrapper_cannot_be_left_out() {
        let refused = |line: &str| {
            let number = SOURCE.lines().position(|other| other.starts_with(line)).expect("is there") + 1;
            reduce(SOURCE, &Refusals { lines: vec![number], elsewhere: None }, report).expect_err("is no wrapper")
        };
        for line in ["#include", "template", "struct Other"] {
            assert!(refused(line).contains(line), "{line}");
        }
        let elsewhere = Refusals { lines: Vec::new(), elsewhere: Some("C++20 is needed".to_owned()) };
        assert!(reduce(SOURCE, &elsewhere, report).expect_err("nothing to leave out").ends_with("C++20 is needed"));
        assert!(reduce(SOURCE, &Refusals::default(), report).is_err());
    }
}
