//! Names of other libraries, as `nn.Lin` and `np.`: what is offered for them is what one writes here.

use oxtorch_session::{Candidate, CandidateKind as Kind};

use crate::assist::completion::candidates::Candidates;
use crate::assist::types::Place;
use crate::names::{self, Entry};
use crate::source::words::in_name;

/// Puts in what stands here for the names of another library's module that begin so; says whether there is any. A name
/// of the session's or the cell's is no module.
pub(super) fn offered(place: Place, module: &str, prefix: &str, found: &mut Candidates) -> bool {
    let root = module.split('.').next().unwrap_or(module);
    let is_path = !module.is_empty() && module.chars().all(|char| in_name(char) || char == '.');
    if !is_path || place.state.knows(root) || place.declaration(root).is_some() {
        return false;
    }
    let lower = prefix.to_lowercase();
    for entry in names::of_module(module) {
        if let Some(text) = text(entry).filter(|_| entry.name().to_lowercase().starts_with(&lower)) {
            found.add(Candidate { text, kind: Kind::Function, signature: entry.foreign.clone() });
        }
    }
    !found.is_empty()
}

/// A function up to its arguments, and anything else as a whole.
fn text(entry: &Entry) -> Option<String> {
    let write = entry.write.as_ref().or(entry.ours.as_ref())?;
    let called = entry.ours.as_ref().map(|ours| format!("{ours}(")).filter(|called| write.starts_with(called.as_str()));
    Some(called.filter(|called| !write.starts_with(&format!("{called})"))).unwrap_or_else(|| write.clone()))
}
