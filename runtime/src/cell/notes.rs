//! What the runtime has to say about a cell that did what it was told: the kernel shows it as it shows its own notes.

use std::sync::Mutex;

use crate::lock::lock;

/// A longer list of names is cut.
const MOST_NAMES: usize = 6;

/// Of all threads: a layer may be made in any.
static NOTES: Mutex<Notes> = Mutex::new(Notes { texts: Vec::new(), of_names: Vec::new() });

struct Notes {
    texts: Vec<String>,
    /// What there is to say of several names, with the names.
    of_names: Vec<(&'static str, Vec<String>)>,
}

/// Tells the user of the cell that runs something, once however often it comes up; it is shown when the cell has ended.
/// For what is no error and would surprise.
pub(crate) fn note(text: String) {
    let texts = &mut lock(&NOTES).texts;
    if !texts.contains(&text) {
        texts.push(text);
    }
}

/// As [`note`], for what is to be said of one name after the other: one note has them all.
pub(crate) fn note_each(what: &'static str, name: &str) {
    let all = &mut lock(&NOTES).of_names;
    let at = all.iter().position(|(other, _)| *other == what).unwrap_or_else(|| {
        all.push((what, Vec::new()));
        all.len() - 1
    });
    if !all[at].1.iter().any(|other| other == name) {
        all[at].1.push(name.to_owned());
    }
}

/// Takes back what [`note_each`] has noted of a name.
pub(crate) fn take_back_each(what: &'static str, name: &str) {
    let all = &mut lock(&NOTES).of_names;
    for (_, names) in all.iter_mut().filter(|(other, _)| *other == what) {
        names.retain(|other| other != name);
    }
    all.retain(|(_, names)| !names.is_empty());
}

/// What has been noted since the last call.
pub(crate) fn take() -> Vec<String> {
    let (mut texts, of_names) = {
        let mut notes = lock(&NOTES);
        (std::mem::take(&mut notes.texts), std::mem::take(&mut notes.of_names))
    };
    texts.extend(of_names.into_iter().map(|(what, names)| {
        let first: Vec<String> = names.iter().take(MOST_NAMES).map(|name| format!("`{name}`")).collect();
        let more = names.len().saturating_sub(MOST_NAMES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}: {what}.", first.join(", "))
    }));
    texts
}
