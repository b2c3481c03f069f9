//! What the session knows and rustc does not: names of earlier cells, why some are gone, what to derive on their types.
//!
//! rustc sees of the earlier cells only what a cell imports, which is what it names. A name with a slip in it names
//! nothing, so the one that was meant has to be found here.

use std::collections::BTreeMap;

use crate::crate_names::readable;
use crate::diagnostic::{Diagnostic, Span, is_number, quoted};
use crate::plan::prelude::exports_of_runtime;
use crate::plan::scope::Scope;
use crate::plan::variables::{Variable, Variables};
use crate::report::type_hints::results::may_return_errors;
use crate::report::type_hints::{of_a_value, of_types, of_what_is_taken};
use crate::report::type_names::{bare_name, readable_type};
use crate::report::{inference, python_hints};
use crate::source::parse::ItemKind;
use crate::source::source_map::{CrateSource, Place};
use crate::source::words::{declared_names, in_name};

/// What is added to a diagnostic of rustc's.
#[derive(Debug, Default)]
pub struct Advice {
    /// Lines of help.
    pub help: Vec<String>,
    /// A change of the user's text, and what to say of it.
    pub patch: Option<Patch>,
    /// Whether rustc's own suggestions lead astray here.
    pub hides_suggestions: bool,
    /// Whether all does that rustc says without a place.
    pub hides_notes: bool,
}

/// A change that would help.
#[derive(Debug)]
pub struct Patch {
    /// What it does.
    pub message: String,
    /// What it changes.
    pub place: Place,
    /// The text to put there.
    pub replacement: String,
}

impl Advice {
    /// One line of help.
    pub fn help(text: impl Into<String>) -> Self {
        Self { help: vec![text.into()], ..Self::default() }
    }

    /// One line of help in place of rustc's suggestions.
    pub fn instead(text: impl Into<String>) -> Self {
        Self { hides_suggestions: true, ..Self::help(text) }
    }

    /// One line of help in place of all that rustc says without a place.
    pub fn alone(text: impl Into<String>) -> Self {
        Self { hides_notes: true, ..Self::instead(text) }
    }
}

/// What a session knows of its earlier cells.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Items.
    pub scope: &'a Scope,
    /// Variables, and those that are gone.
    pub variables: &'a Variables,
    /// Items that no longer fit: the cell that they were in, and the one that redefined what they use.
    pub stale: &'a BTreeMap<String, (u32, u32)>,
    /// Names that cells would define which did not compile.
    pub failed: &'a BTreeMap<String, u32>,
}

impl<'a> Known<'a> {
    /// What to add to an error.
    pub fn advice(&self, error: &Diagnostic, source: &CrateSource, file: &str) -> Advice {
        let placed = |span: &Span| source.place(span.range_in(file)?);
        let place = error.primary().and_then(placed);
        let place = place.as_ref();
        let why = self.loss(error).or_else(|| self.function_in_place(error, place));
        let why = why.or_else(|| self.constant_in_pattern(error, place?));
        let why = why.or_else(|| self.not_captured(error, place?)).or_else(|| self.failure(error, place?));
        let why = why.or_else(|| self.without_generics(error, place?));
        let why = why.map(Advice::instead);
        let advice = why
            .or_else(|| self.meant(error, place?))
            .or_else(|| of_a_value(error, place?))
            .or_else(|| python_hints::advice(error, place?))
            .or_else(|| self.derive(error))
            .or_else(|| of_types(error, place))
            .or_else(|| of_what_is_taken(error, placed))
            .or_else(|| inference::advice(error, placed));
        let mut advice = advice.unwrap_or_default();
        if place.is_some_and(|place| !may_return_errors(place)) {
            advice.help.iter_mut().for_each(|help| *help = unwrapped(help));
        }
        advice
    }

    /// Whether an error is about a name that every cell or the session has, or has had.
    pub fn has_name_of(&self, error: &Diagnostic) -> bool {
        let is_offered = |name: &str| exports_of_runtime().iter().any(|(offered, _)| offered == name);
        let is_live =
            |name: &str| self.variables.live.contains_key(name) || self.scope.find(name).is_some() || is_offered(name);
        let is_gone = |name: &str| self.why_gone(name).is_some() || self.failed.contains_key(name);
        unresolved_name(error).is_some_and(|name| is_live(name) || is_gone(name))
    }

    /// Why a name that was there once is not.
    fn loss(&self, error: &Diagnostic) -> Option<String> {
        self.why_gone(unresolved_name(error)?)
    }

    /// Why a name means a function where a variable was to be: `let net = net(&vs.root());` was not kept.
    fn function_in_place(&self, error: &Diagnostic, place: Option<&Place>) -> Option<String> {
        let mut texts = error.labels().chain([error.message.as_str()]);
        // "fn item `fn(i32) -> impl Fn() -> i32 {make}`"
        let told = texts.find_map(|text| {
            let (_, ty) = text.split_once("fn item `")?;
            let (_, name) = ty.split_once("}`")?.0.rsplit_once('{')?;
            name.rsplit("::").next()
        });
        let called =
            place.filter(|_| error.code() == "E0061").and_then(|place| place.cell.text.get(place.range.clone()));
        let name = told.or(called)?;
        let loss = self.variables.lost.get(name)?;
        // Else it is one that every cell has.
        let live = self.scope.find(name);
        let is_as_old = live.map_or(told.is_some(), |live| live.item.fragment.cell.number() <= loss.cell);
        is_as_old.then(|| loss.explain(name))
    }

    /// Why a `fn` does not find a variable.
    fn not_captured(&self, error: &Diagnostic, place: &Place) -> Option<String> {
        let text = &place.cell.text;
        let outer = error.code() == "E0434";
        let is_value = error.code() == "E0425" && !error.message.starts_with("cannot find type");
        let name = if outer { text.get(place.range.clone()) } else { quoted(&error.message).next() }?;
        let in_function = outer || (is_value && text[..place.range.start].contains("fn "));
        if !in_function {
            return None;
        }
        let live = self.variables.live.get(name);
        let (whose, argument, by_closure) = match live {
            Some(variable) => {
                let whose = format!("`{name}` of cell [{}]", variable.declared.cell.number());
                (whose, argument(name, variable), is_kept_in_closure(variable))
            }
            None if outer || declared_names(text).contains(name) => {
                (format!("`{name}`"), None, !text.contains(&format!("let mut {name}")))
            }
            None => return None,
        };
        let argument = argument.map(|argument| format!(", {argument}")).unwrap_or_default();
        let closure = if by_closure {
            "; or write a closure, `let f = |x| ...;`, which sees them; a `const` is seen everywhere"
        } else {
            ""
        };
        Some(format!("a `fn` does not see variables such as {whose}: pass it as an argument{argument}{closure}"))
    }

    /// What to write for a type that lacks what it is of, where a variable is of that type: `&DataLoader`.
    fn without_generics(&self, error: &Diagnostic, place: &Place) -> Option<String> {
        let name = error.message.strip_prefix("missing generics for ").and_then(|rest| quoted(rest).next())?;
        let open = format!("{}<", name.rsplit("::").next()?);
        let text = &place.cell.text[..place.range.start];
        let whole = self.variables.live.iter().filter_map(|(variable, it)| {
            Some((variable, readable_type(it.spelled()))).filter(|(_, ty)| ty.starts_with(&open))
        });
        // The variable that is called as the argument is, else any.
        let (variable, ty) = whole.max_by_key(|(variable, _)| text.contains(&format!("{variable}: ")))?;
        Some(format!("that of `{variable}` is written whole: `{ty}`; `:type {variable}` tells it"))
    }

    /// The cell that would define a name, had it compiled.
    fn failure(&self, error: &Diagnostic, place: &Place) -> Option<String> {
        let message = readable(&error.message);
        if message.starts_with("no ") && message.contains(" named `") {
            // "no method named `forward` found for struct `Net` in the current scope"
            let mut told = quoted(&message);
            let (member, ty) = (told.next()?, bare_name(told.next()?));
            let cell = self.failed.get(&format!("{ty}::{member}"))?;
            return Some(uncompiled(*cell, member));
        }
        let is_a_name = error.message.ends_with("in this scope") || error.code() == "E0423";
        if !is_a_name || python_hints::is_assigned(place) {
            return None;
        }
        let own = declared_names(&place.cell.text);
        let name = unresolved_name(error).filter(|name| !own.contains(*name))?;
        Some(uncompiled(*self.failed.get(name)?, name))
    }

    fn why_gone(&self, name: &str) -> Option<String> {
        if let Some(loss) = self.variables.lost.get(name) {
            return Some(loss.explain(name));
        }
        let (cell, by) = self.stale.get(name)?;
        Some(format!("`{name}` of cell [{cell}] no longer fits what cell [{by}] defines. Run cell [{cell}] again"))
    }

    /// Why a name in a pattern binds nothing: it is that of a constant, and compared with.
    fn constant_in_pattern(&self, error: &Diagnostic, place: &Place) -> Option<String> {
        let text = &place.cell.text;
        let pattern = text.get(place.range.clone())?;
        let after_let = || text[..place.range.start].trim_end().trim_end_matches(" mut").ends_with("let");
        let is_it = match error.code() {
            "E0005" | "E0530" => true,
            // `let W = Tensor::zeros(..)` where `W` is a unit struct.
            "E0308" => after_let(),
            _ => false,
        };
        let words = pattern.split(|char| !in_name(char)).filter(|_| is_it);
        let mut found = words.filter_map(|name| Some((name, self.scope.find(name)?)));
        let (name, what, again, live) = found.find_map(|(name, live)| match live.item.kind {
            ItemKind::Const => Some((name, "a constant", "const", live)),
            ItemKind::Static => Some((name, "a static", "static", live)),
            ItemKind::Type => Some((name, "a struct", "struct", live)),
            _ => None,
        })?;
        let cell = live.item.fragment.cell.number();
        Some(format!(
            "`{name}` is {what} of cell [{cell}], so no variable can be called that. Change its `{again}`, or use another name"
        ))
    }

    /// The name of an earlier cell that an unknown name is probably a slip for.
    fn meant(&self, error: &Diagnostic, place: &Place) -> Option<Advice> {
        let name = quoted(&error.message).next()?;
        let is_name = error.message.starts_with("cannot find") && error.message.ends_with("in this scope");
        if !is_name || python_hints::knows(place) {
            return None;
        }
        let what = error.message.strip_prefix("cannot find ")?.split('`').next()?;
        let (nearest, kind, distance) = self.nearest(name, what)?;
        let offered = error.children.iter().filter(|child| child.message.contains("similar name"));
        let offered = offered.flat_map(|child| &child.spans).filter_map(|span| span.suggested_replacement.as_deref());
        if offered.map(|offer| strsim::damerau_levenshtein(name, offer)).min().is_some_and(|other| other < distance) {
            return None;
        }
        if let Some(why) = self.why_gone(&nearest) {
            return Some(Advice::instead(format!(
                "`{nearest}` has a similar name, but {}",
                why.replacen(&format!("`{nearest}`"), "it", 1)
            )));
        }
        let variable = self
            .variables
            .live
            .get(&nearest)
            .filter(|_| kind == ItemKind::Other)
            .map(|variable| &variable.declared.cell);
        let item = || self.scope.find(&nearest).map(|live| &live.item.fragment.cell);
        let from = variable.or_else(item).map(|cell| cell.number());
        let message = match from {
            Some(cell) => format!("a similar name exists in cell [{cell}]"),
            None => "a similar name exists".to_owned(),
        };
        // The place of a name in a format string may be that of the whole string.
        let exact = place.cell.text.get(place.range.clone()) == Some(name);
        let patch =
            exact.then(|| Patch { message: message.clone(), place: place.clone(), replacement: nearest.clone() });
        let help = if exact { Vec::new() } else { vec![format!("{message}: `{nearest}`")] };
        Some(Advice { help, patch, hides_suggestions: true, ..Advice::default() })
    }

    /// The nearest name of the session that can be what is looked for, as what, and how far it is.
    fn nearest(&self, name: &str, what: &str) -> Option<(String, ItemKind, usize)> {
        let variables = self.variables.live.keys().chain(self.variables.lost.keys());
        // A variable can stand where a function can.
        let as_value = |name: &'a String| (name.as_str(), ItemKind::Other);
        let candidates = variables.map(as_value).chain(self.scope.names()).chain(self.stale.keys().map(as_value));
        let candidates = candidates.filter(|(_, kind)| suits(what, *kind));
        let measured = candidates.filter_map(|(other, kind)| Some((other.to_owned(), kind, distance(name, other)?)));
        measured.min_by_key(|(.., distance)| *distance)
    }

    /// A derive that a type of an earlier cell lacks; for types of the same crate rustc says it itself.
    fn derive(&self, error: &Diagnostic) -> Option<Advice> {
        if error.children.iter().any(|child| child.message.contains("#[derive(")) {
            return None;
        }
        let (wanted, name) = lacking(error)?;
        let live = self.scope.find(&name).filter(|live| live.item.kind == ItemKind::Type)?;
        let fragment = &live.item.fragment;
        let (all, head) = (derives(&wanted)?, fragment.text());
        let head = &head[..head.find('{').unwrap_or(head.len())];
        let missing: Vec<&str> = all
            .iter()
            .filter(|wanted| !head.contains(&format!("{wanted},")) && !head.contains(&format!("{wanted})")))
            .copied()
            .collect();
        if missing.is_empty() {
            return None;
        }
        let start = fragment.range.start;
        let patch = Patch {
            message: format!("have `{name}` derive it"),
            place: Place { cell: fragment.cell.clone(), range: start..start },
            replacement: format!("#[derive({})]\n", missing.join(", ")),
        };
        Some(Advice { patch: Some(patch), ..Advice::default() })
    }
}

/// A help for a function that returns no `Result`: its code has `.unwrap()` in place of each `?`.
fn unwrapped(help: &str) -> String {
    let is_code = |(at, part): (usize, &str)| match at % 2 {
        1 if part.len() > 1 => part.replace(")?", ").unwrap()"),
        _ => part.to_owned(),
    };
    help.split('`').enumerate().map(is_code).collect::<Vec<_>>().join("`")
}

/// The name that an error says does not exist.
fn unresolved_name(error: &Diagnostic) -> Option<&str> {
    const CODES: [&str; 8] = ["E0405", "E0412", "E0422", "E0423", "E0425", "E0432", "E0433", "E0531"];
    quoted(&error.message).next().filter(|_| CODES.contains(&error.code()))
}

fn uncompiled(cell: u32, name: &str) -> String {
    format!("cell [{cell}] would define `{name}`, but it did not compile. Correct it and run it again")
}

/// A variable as an argument, by its type where that is short.
fn argument(name: &str, variable: &Variable) -> Option<String> {
    let ty = readable_type(variable.spelled());
    let has_name = ty.chars().all(|char| in_name(char) || "<>:, &'[];()-".contains(char));
    if !has_name || ty.len() > LONGEST_TYPE {
        return None;
    }
    let element = ty.strip_prefix("Vec<").and_then(|rest| rest.strip_suffix('>'));
    let argument = match (ty.as_str(), element) {
        (plain, _) if is_number(plain) || plain == "bool" || plain.starts_with('&') => ty.clone(),
        ("String", _) => "&str".to_owned(),
        (_, Some(element)) => format!("&[{element}]"),
        _ => format!("&{ty}"),
    };
    let to_change = variable.mutable && ty != "Tensor";
    let to_change = if to_change { format!(", or `{name}: &mut {ty}` to change it") } else { String::new() };
    Some(format!("`{name}: {argument}`{to_change}"))
}

/// A type that is longer than this is not repeated.
const LONGEST_TYPE: usize = 60;

/// Whether a closure that captures a variable is there for later cells: it gets numbers, texts, collections and tensors
/// for itself, and borrows what else there is.
fn is_kept_in_closure(variable: &Variable) -> bool {
    let ty = readable_type(variable.spelled());
    let mut words = ty.split(|char| !in_name(char)).filter(|word| !word.is_empty());
    !variable.mutable && words.all(|word| is_number(word) || SHARED.contains(&word))
}

/// The types other than numbers whose values a closure gets for itself (`runtime/src/cell/share.rs`).
const SHARED: [&str; 17] = [
    "bool", "char", "str", "static", "String", "Tensor", "Vec", "VecDeque", "HashMap", "HashSet", "BTreeMap",
    "BTreeSet", "Option", "Rc", "Arc", "Box", "PathBuf",
];

/// Whether a name of the session can stand where rustc looked for a `value`, a `type`, a `macro`...
fn suits(what: &str, kind: ItemKind) -> bool {
    match what.trim_end() {
        "macro" => kind == ItemKind::Macro,
        "trait" => kind == ItemKind::Trait,
        "value" | "function" => kind.is_value(),
        _ => matches!(kind, ItemKind::Type | ItemKind::Alias | ItemKind::Trait | ItemKind::Module),
    }
}

/// How far two names are apart; `None` where nobody would take one for the other.
fn distance(name: &str, candidate: &str) -> Option<usize> {
    if name.to_lowercase() == candidate.to_lowercase() {
        return Some(0);
    }
    let sorted = |name: &str| {
        let mut words: Vec<&str> = name.split('_').collect();
        words.sort_unstable();
        words.join("_")
    };
    if name.contains('_') && sorted(name) == sorted(candidate) {
        return Some(1);
    }
    let longest = name.chars().count().max(candidate.chars().count());
    let distance = strsim::damerau_levenshtein(name, candidate);
    // Two names of one or two letters are never slips of each other.
    (longest > 2 && distance <= longest.max(3) / 3).then_some(distance)
}

/// The trait that an error says a type lacks, and the type's name.
fn lacking(error: &Diagnostic) -> Option<(String, String)> {
    let message = readable(&error.message);
    let quoted: Vec<&str> = quoted(&message).collect();
    let bare = |text: &str| bare_name(text).to_owned();
    let pair = match quoted[..] {
        [ty, wanted] if message.contains("doesn't implement") => (bare(wanted), bare(ty)),
        [operator, ty] if message.starts_with("binary operation") => {
            let wanted = if matches!(operator, "==" | "!=") { "PartialEq" } else { "PartialOrd" };
            (wanted.to_owned(), bare(ty))
        }
        ["clone", ty] if message.starts_with("no method named") => ("Clone".to_owned(), bare(ty)),
        _ => {
            // "the trait `PartialOrd` is not implemented for `Activation`", "the trait bound `Net: Clone` is not
            // satisfied"
            let texts = std::iter::once(&error.message).chain(error.children.iter().map(|child| &child.message));
            return texts.into_iter().find_map(|text| {
                let text = readable(text);
                let (wanted, rest) = text.strip_prefix("the trait `")?.split_once("` is not implemented for `")?;
                Some((bare(wanted), bare(rest.split('`').next()?)))
            });
        }
    };
    Some(pair)
}

/// What to derive for a trait: itself, and what it needs.
fn derives(wanted: &str) -> Option<&'static [&'static str]> {
    Some(match wanted {
        "Debug" => &["Debug"],
        "Clone" => &["Clone"],
        "Copy" => &["Clone", "Copy"],
        "Default" => &["Default"],
        "PartialEq" => &["PartialEq"],
        "Eq" => &["PartialEq", "Eq"],
        "PartialOrd" => &["PartialEq", "PartialOrd"],
        "Ord" => &["PartialEq", "Eq", "PartialOrd", "Ord"],
        "Hash" => &["PartialEq", "Eq", "Hash"],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_near_and_other_words_are_not() {
        assert_eq!(distance("learning_rat", "learning_rate"), Some(1));
        assert_eq!(distance("imagse", "images"), Some(1));
        assert_eq!(distance("images_train", "train_images"), Some(1));
        assert_eq!(distance("batchsize", "BATCHSIZE"), Some(0));
        assert_eq!(distance("loss", "net"), None);
        assert_eq!(distance("x", "y"), None);
    }

    #[test]
    fn a_function_is_not_offered_as_a_type() {
        assert!(suits("type ", ItemKind::Type));
        assert!(!suits("type ", ItemKind::Other));
        assert!(suits("function ", ItemKind::Other));
        assert!(!suits("macro ", ItemKind::Other));
    }
}
