//! `:doc`: what is known of a name without a network. Names of the session come first, then those of the runtime and of
//! `tch`, from their sources, then those of the standard library, from the toolchain's own pages where it has them.

use std::path::PathBuf;
use std::sync::Arc;

use oxtorch_session::CellError;

use crate::assist::runtime_index::{self, Found, Wanted};
use crate::assist::signature::{Signature, of_impl, signature};
use crate::assist::standard_library;
use crate::cell::NativeEngine;
use crate::compile::state::State;
use crate::report::errors::{command_error, internal, interrupted};
use crate::report::type_names::readable_type;
use crate::source::fragment::Fragment;
use crate::source::parse::Impl;

/// More methods than this are counted and not listed.
const MOST_MEMBERS: usize = 60;

/// Where names of the standard library are found that the toolchain has no pages of.
const SEARCH: &str = "https://doc.rust-lang.org/std/?search=";

impl NativeEngine {
    /// The documentation of a name.
    pub(crate) async fn documentation(&self, name: &str) -> Result<String, CellError> {
        let wanted = Wanted::parse(name);
        if let Some(found) = of_session(&self.state, &wanted) {
            return Ok(found);
        }
        // The type of a variable may be the session's own, or of a library.
        let variable = self.state.variables.live.get(&wanted.name).filter(|_| wanted.owner.is_none());
        let ty = variable.map(|variable| readable_type(variable.spelled()));
        let declared = ty.as_ref().map(|ty| format!("let {name}: {ty}"));
        let wanted = ty.as_deref().map_or(wanted, |ty| Wanted::parse(head(ty)));
        let found = match declared.as_ref().and_then(|_| of_session(&self.state, &wanted)) {
            Some(found) => Some(found),
            None => self.of_libraries(wanted).await?,
        };
        let parts: Vec<String> = declared.into_iter().chain(found).collect();
        if !parts.is_empty() {
            return Ok(parts.join("\n\n"));
        }
        let (wanted, session) = (name.to_owned(), names_of_session(&self.state));
        let nearest = self.off_thread(move |_| runtime_index::nearest(&wanted, session)).await?;
        let mut notes = Vec::from_iter(nearest.map(|nearest| format!("did you mean `{nearest}`?")));
        notes.push(format!("the standard library can be searched at {SEARCH}{name}"));
        Err(command_error(&format!("there is no documentation of `{name}` here"), &notes))
    }

    async fn of_libraries(&self, wanted: Wanted) -> Result<Option<String>, CellError> {
        self.off_thread(move |docs| {
            let standard = || standard_library::find(&docs, &wanted);
            if wanted.is_standard() {
                let search = || format!("{}\n\n{SEARCH}{}", wanted.path, wanted.name);
                return standard().or_else(|| Some(search()));
            }
            runtime_index::find(&wanted).map(|found| shown(&wanted, found)).or_else(standard)
        })
        .await
    }

    /// The folder of the standard library's pages, whether or not it is there.
    pub(crate) fn standard_pages(&self) -> PathBuf {
        let docs = self.compiler.rustc().sysroot().map(|sysroot| sysroot.join("share/doc/rust/html/std"));
        docs.unwrap_or_default()
    }

    /// Reads many files, on a thread of its own. Gets the folder of the standard library's pages.
    async fn off_thread<T: Send + 'static>(
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
fn of_session(state: &State, wanted: &Wanted) -> Option<String> {
    if let Some(owner) = &wanted.owner {
        return state.scope.impls_of(owner).find_map(|block| member(block, &wanted.name));
    }
    let fragment = &state.scope.find(&wanted.name)?.item.fragment;
    let blocks = state.scope.impls_of(&wanted.name);
    let methods: Vec<String> = blocks.flat_map(|block| block.members.iter().map(|(name, _)| name.clone())).collect();
    Some(told(signature(fragment.text())?, listed(&wanted.name, methods), defined_in(fragment)))
}

fn member(block: &Arc<Impl>, name: &str) -> Option<String> {
    let members = of_impl(block.fragment.text());
    let (_, signature) = members.into_iter().find(|(other, _)| other == name)?;
    Some(told(signature, None, defined_in(&block.fragment)))
}

fn defined_in(fragment: &Fragment) -> String {
    format!("Defined in cell [{}].", fragment.cell.number())
}

fn shown(wanted: &Wanted, Found { signature, place, members }: Found) -> String {
    told(signature, listed(&wanted.name, members), place)
}

/// All that is known of a name.
fn told(Signature { text, doc }: Signature, methods: Option<String>, place: String) -> String {
    let doc = Some(doc).filter(|doc| !doc.is_empty());
    [Some(text), doc, methods, Some(place)].into_iter().flatten().collect::<Vec<_>>().join("\n\n")
}

fn listed(owner: &str, mut names: Vec<String>) -> Option<String> {
    names.sort();
    names.dedup();
    match names.len() {
        0 => None,
        count if count > MOST_MEMBERS => Some(format!("{count} methods; `:doc {owner}::NAME` documents one.")),
        _ => Some(format!("Methods: {}", names.join(", "))),
    }
}
