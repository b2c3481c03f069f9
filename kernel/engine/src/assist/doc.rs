//! `:doc`: what is known of a name without a network. Names of the session come first, then those of the runtime and of
//! `tch`, from their sources, then those of the standard library, from the toolchain's own pages where it has them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use oxtorch_session::CellError;

use crate::assist::completion::behind::COMMON;
use crate::assist::library::in_python::in_python;
use crate::assist::markdown::{Part, of_rustdoc};
use crate::assist::members::Member;
use crate::assist::runtime_index::{self, Found, Wanted};
use crate::assist::signature::{Signature, of_impl, signature};
use crate::assist::{standard, standard_library};
use crate::cell::NativeEngine;
use crate::compile::state::State;
use crate::names::{self, Entry, tensor_methods};
use crate::report::errors::{command_error, internal, interrupted};
use crate::report::type_names::readable_type;
use crate::source::fragment::Fragment;
use crate::source::parse::Impl;
use crate::source::words::words;

/// More methods than this are counted and not listed.
const MOST_MEMBERS: usize = 60;

/// More types of the standard library than this have a method of one name, but the first are meant.
const MOST_STANDARD: usize = 2;

/// Where names of the standard library are found that the toolchain has no pages of.
const SEARCH: &str = "https://doc.rust-lang.org/std/?search=";

impl NativeEngine {
    /// The documentation of a name.
    pub(crate) async fn documentation(&self, name: &str) -> Result<Vec<Part>, CellError> {
        let wanted = Wanted::parse(name);
        let name = name.trim_end_matches('!');
        if let Some(found) = of_session(&self.state, &wanted) {
            return Ok(found);
        }
        if let Some(entry) = names::find(name).filter(|_| self.is_of_another_library(name)) {
            return self.of_another_library(name, entry).await;
        }
        let module = names::of_module(name);
        if !module.is_empty() && self.is_of_another_library(name) {
            return Ok(of_module_elsewhere(name, &module));
        }
        // The type of a variable may be the session's own, or of a library.
        let variable = self.state.variables.live.get(&wanted.name).filter(|_| wanted.owner.is_none());
        let ty = variable.map(|variable| readable_type(variable.spelled()));
        let declared = ty.as_ref().map(|ty| Part::Code(format!("let {name}: {ty}")));
        let wanted = ty.as_deref().map_or(wanted, |ty| Wanted::parse(head(ty)));
        let found = match declared.as_ref().and_then(|_| of_session(&self.state, &wanted)) {
            Some(found) => Some(found),
            None => self.of_libraries(wanted).await?,
        };
        let is_value = declared.is_some();
        let mut parts: Vec<Part> = declared.into_iter().chain(found.into_iter().flatten()).collect();
        if !parts.is_empty() {
            if let Some((layer, entry)) = made_by(name).filter(|_| !is_value) {
                parts.extend(self.of_another_library(layer, entry).await?);
            }
            return Ok(parts);
        }
        if let Some(entry) = names::find(name).or_else(|| names::find(&name.replace('_', " "))) {
            return self.of_another_library(name, entry).await;
        }
        let (wanted, session) = (name.to_owned(), names_of_session(&self.state));
        let nearest = self.off_thread(move |_| runtime_index::nearest(&wanted, session)).await?;
        let mut notes = Vec::from_iter(nearest.map(|nearest| format!("did you mean `{nearest}`?")));
        notes.push(format!("`:find {}` looks for words in names and documentation", words_of(name)));
        notes.push(format!("the standard library can be searched at {SEARCH}{name}"));
        Err(command_error(&format!("there is no documentation of `{name}` here"), &notes))
    }

    /// Whether a path begins with `torch`, `np` or the like, which nothing of the session is called.
    fn is_of_another_library(&self, path: &str) -> bool {
        let root = path.split([':', '.']).next().unwrap_or(path);
        names::is_foreign(path) && !self.state.knows(root)
    }

    /// What to write for a name of another library, and the documentation of that.
    async fn of_another_library(&self, name: &str, entry: &Entry) -> Result<Vec<Part>, CellError> {
        let mut parts = vec![Part::Text(entry.told(name))];
        if let Some(ours) = &entry.ours {
            let told = usage(entry);
            let found = self.of_libraries(Wanted::parse(ours)).await?.into_iter().flatten();
            parts.extend(found.filter(|part| !told.contains(part)));
        }
        Ok(parts)
    }

    async fn of_libraries(&self, wanted: Wanted) -> Result<Option<Vec<Part>>, CellError> {
        self.off_thread(move |docs| in_libraries(&docs, &wanted)).await
    }

    /// The folder of the standard library's pages, whether or not it is there.
    pub(crate) fn standard_pages(&self) -> PathBuf {
        let docs = self.compiler.rustc().sysroot().map(|sysroot| sysroot.join("share/doc/rust/html/std"));
        docs.unwrap_or_default()
    }

    /// Reads many files, on a thread of its own. Gets the folder of the standard library's pages.
    pub(crate) async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(PathBuf) -> T + Send + 'static,
    ) -> Result<T, CellError> {
        let docs = self.standard_pages();
        tokio::select! {
            found = tokio::task::spawn_blocking(move || work(docs)) => {
                found.map_err(|error| internal(format!("the documentation cannot be read: {error}")))
            }
            () = self.cancelled() => Err(interrupted()),
        }
    }
}

/// What the runtime, `tch` and the standard library have of a name.
fn in_libraries(docs: &Path, wanted: &Wanted) -> Option<Vec<Part>> {
    let standard = || standard_library::find(docs, wanted).map(|found| of_standard(&found));
    let search = || vec![Part::Place(wanted.path.clone()), Part::Place(format!("{SEARCH}{}", wanted.name))];
    if wanted.is_standard() {
        return standard().or_else(|| Some(search()));
    }
    let found = runtime_index::find(wanted);
    let is_bare = wanted.owner.is_none() && !wanted.is_macro;
    if is_bare && found.as_ref().is_none_or(|found| found.owner().is_some()) {
        let methods = methods(docs, wanted, found);
        return if methods.is_empty() { standard() } else { Some(methods.concat()) };
    }
    let is_macro = || wanted.is_macro && standard::is_macro(&wanted.name);
    found.map(|found| shown(wanted, found)).or_else(standard).or_else(|| is_macro().then(search))
}

/// The methods of a name: a tensor's, those of the standard library's commonest types, another one of the libraries.
fn methods(docs: &Path, wanted: &Wanted, found: Option<Found>) -> Vec<Vec<Part>> {
    let of_tensor = Wanted::parse(&format!("Tensor::{}", wanted.name));
    let of_tensor = runtime_index::find(&of_tensor).filter(|found| found.owner() == Some("Tensor"));
    let other = found.filter(|found| of_tensor.as_ref().is_none_or(|first| first.place != found.place));
    let is_other = |found: &Found| other.as_ref().is_some_and(|other| other.place == found.place);
    let offered = runtime_index::find_offered(&wanted.name).into_iter().filter(|found| !is_other(found));
    let offered: Vec<_> = offered.map(|found| shown(wanted, found)).collect();
    let standard = COMMON.into_iter().filter_map(|ty| method_of_standard(docs, ty, &wanted.name));
    let [of_tensor, other] = [of_tensor, other].map(|found| found.map(|found| shown(wanted, found)));
    of_tensor.into_iter().chain(standard.take(MOST_STANDARD)).chain(other).chain(offered).collect()
}

/// A method of a type of the standard library: its page, or else its declaration and where the page is.
fn method_of_standard(docs: &Path, ty: &str, name: &str) -> Option<Vec<Part>> {
    let member = standard::find(ty)?.member(name).filter(Member::takes_self)?;
    let found = standard_library::find(docs, &Wanted::parse(&format!("{ty}::{name}")));
    let declared = || vec![Part::Code(member.signature.clone()), Part::Place(format!("{SEARCH}{ty}::{name}"))];
    Some(found.map_or_else(declared, |found| of_standard(&found)))
}

/// What makes a layer of a type that PyTorch has by the same name: `nn::layer_norm` for `LayerNorm`, and for the type
/// of its configuration.
fn made_by(path: &str) -> Option<(&str, &'static Entry)> {
    let name = path.rsplit([':', '.']).next().unwrap_or(path);
    let layer = name.strip_suffix("Config").unwrap_or(name);
    let entry = names::find(&format!("torch.nn.{layer}"))?;
    let ours = entry.ours.as_deref()?.rsplit("::").next()?;
    (ours != name && ours.starts_with(char::is_lowercase)).then_some((layer, entry))
}

/// `Vec` of `&mut Vec<Tensor>`.
fn head(ty: &str) -> &str {
    let ty = ty.trim_start_matches(['&', '*']).trim_start_matches("mut ");
    ty.split(['<', ' ', '(']).next().unwrap_or(ty)
}

fn names_of_session(state: &State) -> Vec<String> {
    let items = state.scope.items().flat_map(|item| item.names.iter());
    items.chain(state.variables.live.keys()).cloned().collect()
}

/// An item of the session, or a method of one.
fn of_session(state: &State, wanted: &Wanted) -> Option<Vec<Part>> {
    if let Some(owner) = &wanted.owner {
        return state.scope.impls_of(owner).find_map(|block| member(block, &wanted.name));
    }
    let fragment = &state.scope.find(&wanted.name)?.item.fragment;
    let blocks = state.scope.impls_of(&wanted.name);
    let methods: Vec<String> = blocks.flat_map(|block| block.members.iter().map(|(name, _)| name.clone())).collect();
    let told = told(signature(fragment.text())?).chain(listed(&wanted.name, methods));
    Some(told.chain([defined_in(fragment)]).collect())
}

fn member(block: &Arc<Impl>, name: &str) -> Option<Vec<Part>> {
    let members = of_impl(block.fragment.text());
    let (_, signature) = members.into_iter().find(|(other, _)| other == name)?;
    Some(told(signature).chain([defined_in(&block.fragment)]).collect())
}

fn defined_in(fragment: &Fragment) -> Part {
    Part::Text(format!("Defined in cell [{}].", fragment.cell.number()))
}

/// What was found in the libraries.
fn shown(wanted: &Wanted, found: Found) -> Vec<Part> {
    let Found { signature, place, path, members, contents, also } = found;
    let method = tensor_methods::find(&place);
    let described =
        method.into_iter().flat_map(|method| [Part::Text(method.about.clone()), Part::Code(method.example.clone())]);
    let is_bare = method.is_none() && signature.doc.is_empty();
    let usage = names::of_ours(&place).next().filter(|_| is_bare).map(usage);
    let contents = (!contents.is_empty()).then_some(Part::List(contents));
    let quoted = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let also: Vec<&str> = also.iter().map(String::as_str).collect();
    let also = (!also.is_empty()).then(|| Part::Text(format!("Also: {}", quoted(&also))));
    let python: Vec<&str> = in_python(&path).iter().copied().filter(|name| !names::is_term(name)).collect();
    let python = (!python.is_empty()).then(|| Part::Text(format!("In Python: {}", quoted(&python))));
    told(signature)
        .chain(described)
        .chain(usage.into_iter().flatten())
        .chain(contents)
        .chain(listed(&wanted.name, members))
        .chain(also)
        .chain(python)
        .chain([Part::Place(place)])
        .collect()
}

/// What one writes for a name of another library, of which nothing else is said.
fn usage(entry: &Entry) -> Vec<Part> {
    let note = entry.note.as_deref().map(|note| Part::Text(names::capitalised(note)));
    entry.write.clone().map(Part::Code).into_iter().chain(note).collect()
}

/// A module of another library: what to write for each of its names.
fn of_module_elsewhere(name: &str, entries: &[&Entry]) -> Vec<Part> {
    let row = |entry: &&Entry| {
        let written = entry.write.as_deref().or(entry.ours.as_deref()).map(|code| format!("`{code}`"));
        (entry.name().to_owned(), written.or(entry.note.clone()).unwrap_or_default())
    };
    vec![Part::Text(format!("What `{name}` has is here:")), Part::List(entries.iter().map(row).collect())]
}

/// A signature and its documentation.
fn told(Signature { text, doc }: Signature) -> impl Iterator<Item = Part> {
    let doc = Some(doc).filter(|doc| !doc.is_empty()).map(|doc| Part::Text(of_rustdoc(&doc)));
    std::iter::once(Part::Code(text)).chain(doc)
}

/// What a page of the standard library says: its declaration, a paragraph, the address.
fn of_standard(found: &str) -> Vec<Part> {
    let part = |(at, text): (usize, &str)| match (text.starts_with("https://"), at) {
        (true, _) => Part::Place(text.to_owned()),
        (false, 0) => Part::Code(text.to_owned()),
        (false, _) => Part::Text(text.to_owned()),
    };
    found.split("\n\n").enumerate().map(part).collect()
}

fn listed(owner: &str, mut names: Vec<String>) -> Option<Part> {
    names.sort();
    names.dedup();
    match names.len() {
        0 => None,
        count if count > MOST_MEMBERS => Some(format!("{count} methods; `:doc {owner}::NAME` documents one.")),
        _ => Some(format!("Methods: {}", names.join(", "))),
    }
    .map(Part::Text)
}

/// `cross entropy loss` of `nn.CrossEntropyLoss`.
fn words_of(name: &str) -> String {
    words(name.rsplit([':', '.']).next().unwrap_or(name)).join(" ")
}
