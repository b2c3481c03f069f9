//! What stands behind a dot, and behind two colons.

use oxtorch_session::{Candidate, CandidateKind as Kind};
use syn::Item;

use crate::assist::completion::candidates::Candidates;
use crate::assist::completion::usual::{self, Use};
use crate::assist::types::{Place, Type};
use crate::assist::{runtime_index, standard};
use crate::source::nesting::parsed;
use crate::source::parse::item_names;
use crate::source::words::in_name;

/// The types whose methods are offered where the type is not known or none of ours, beside the session's.
pub(crate) const COMMON: [&str; 13] = [
    "Tensor", "Iterator", "Vec", "Option", "Result", "String", "str", "HashMap", "HashSet", "VarStore", "f64", "i64",
    "Duration",
];

/// Fields and methods of an expression; says whether it is a variable of the session, or a field of one.
pub(super) fn members(place: Place, expression: &str, prefix: &str, found: &mut Candidates) -> bool {
    let ty = place.type_of(expression);
    for field in place.fields(&ty) {
        let candidate = Candidate { text: field.name, kind: Kind::Property, signature: field.code };
        found.add_as(Use::Own, candidate);
    }
    methods_of(place, &ty, found);
    if found.is_empty() {
        members_of_anything(place, prefix, found);
        return false;
    }
    let is_chain = expression.chars().all(|char| in_name(char) || char == '.' || char.is_whitespace());
    is_chain && place.is_variable(expression.split('.').next().unwrap_or(expression).trim())
}

fn methods_of(place: Place, ty: &Type, found: &mut Candidates) {
    for (owner, member) in place.members(ty).into_iter().filter(|(_, member)| member.takes_self()) {
        let used = used_of(place, &ty.name, &owner, ".", &member.name);
        found.put_member(member, used);
    }
}

/// A list for the type itself goes before that of what it has the member from.
fn used_of(place: Place, ty: &str, owner: &str, behind: &str, name: &str) -> Use {
    if place.is_own(owner) {
        return Use::Own;
    }
    match usual::of(&format!("{ty}{behind}"), name) {
        used @ Use::OfOwner(_) => used,
        used => match usual::of(&format!("{owner}{behind}"), name) {
            Use::OfOwner(place) => Use::OfParent(place),
            _ => used,
        },
    }
}

/// What may be meant where the type is not known: without a prefix only what is used most.
fn members_of_anything(place: Place, prefix: &str, found: &mut Candidates) {
    for name in place.definitions.types().chain(COMMON) {
        for (owner, member) in place.members(&Type::simple(name)).into_iter().filter(|(_, member)| member.takes_self())
        {
            let used = if place.is_own(&owner) { Use::Own } else { usual::of(".", &member.name) };
            let fits = if prefix.is_empty() { used < Use::Plain } else { member.name.starts_with(prefix) };
            if fits {
                found.put_member(member, used);
            }
        }
    }
}

/// What stands behind the `::` of a path.
pub(super) fn held_by(place: Place, path: &[&str], found: &mut Candidates) {
    let path = place.resolved(path);
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let Some(owner) = path.last() else { return };
    if let Some(text) = place.definitions.item(owner) {
        for name in names_of_module(text) {
            found.put(&name, Kind::Instance, "");
        }
    }
    let ty = place.type_named(&path);
    let is_own = place.is_own(&ty.name);
    let (methods, functions): (Vec<_>, Vec<_>) =
        place.members(&ty).into_iter().partition(|(_, member)| member.takes_self());
    let (variants, functions): (Vec<_>, Vec<_>) = functions.into_iter().partition(|(_, member)| member.is_variant());
    for (of, member) in variants.into_iter().chain(functions).chain(methods) {
        let used = match used_of(place, &ty.name, &of, "::", &member.name) {
            Use::Plain if member.is_variant() => Use::Variant,
            used => used,
        };
        found.put_member(member, used);
    }
    if !is_own {
        in_module(&path, found);
    }
}

/// The names in a module of the runtime, of `tch` or of the standard library.
fn in_module(path: &[&str], found: &mut Candidates) {
    let owner = path.last().copied().unwrap_or_default();
    let is_standard = path.first().is_some_and(|root| standard::ROOTS.contains(root));
    if !is_standard {
        for (name, kind) in runtime_index::names_in(owner) {
            let used = usual::of(&format!("{owner}::"), &name);
            found.add_as(used, Candidate { text: name, kind, signature: String::new() });
        }
    }
    if is_standard || found.is_empty() {
        let list = format!("{}::", path.join("::"));
        for member in standard::names_in(path) {
            let used = usual::of(&list, &member.name);
            found.put_member(member, used);
        }
    }
}

fn names_of_module(text: &str) -> Vec<String> {
    let names = parsed(text, |item: Item| match item {
        Item::Mod(it) => it.content.iter().flat_map(|(_, items)| items).flat_map(|item| item_names(item).0).collect(),
        _ => Vec::new(),
    });
    names.unwrap_or_default()
}
