//! The types of what stands in a cell that is still being typed, as far as names and signatures tell: `expression`
//! reads expressions, `locals` finds what the cell itself declares, `parts` looks up what a type has. What they do not
//! tell is unknown, and nothing is offered as if it were known.

mod associated;
pub(crate) mod definitions;
mod expression;
mod locals;
mod parts;
pub(crate) mod receiver;
mod signatures;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

use syn::{GenericArgument, GenericParam, PathArguments, TypeParamBound};

use crate::assist::standard;
use crate::assist::types::definitions::Definitions;
pub(crate) use crate::assist::types::parts::Found;
use crate::compile::state::State;
use crate::source::nesting::parsed;

/// Pointers through which a user sees what they point to.
const POINTERS: [&str; 3] = ["Arc", "Box", "Rc"];

/// How deeply one type is looked for within another.
const DEEPEST: usize = 120;

/// A type without references and smart pointers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Type {
    /// Its name without a path, but for those of which the standard library has several: `hash_map::Iter`.
    pub name: String,
    pub arguments: Vec<Type>,
}

/// What the type parameters of a declaration stand for.
pub(super) type Bindings = HashMap<String, Type>;

impl Type {
    const TUPLE: &str = "(";

    fn new(name: &str, arguments: Vec<Type>) -> Self {
        Self { name: name.to_owned(), arguments }
    }

    /// One without arguments.
    pub fn simple(name: &str) -> Self {
        Self::new(name, Vec::new())
    }

    fn unknown() -> Self {
        Self::simple("_")
    }

    pub fn is_known(&self) -> bool {
        self.name != "_"
    }

    fn argument(&self, index: usize) -> Self {
        self.arguments.get(index).cloned().unwrap_or_else(Self::unknown)
    }

    /// Of its code, in which these names stand for types.
    pub fn of_code(code: &str, bound: &Bindings) -> Self {
        parsed(code, |ty: syn::Type| Self::read(&ty, bound)).unwrap_or_else(Self::unknown)
    }

    fn read(ty: &syn::Type, bound: &Bindings) -> Self {
        match ty {
            syn::Type::Array(it) => Self::new("array", vec![Self::read(&it.elem, bound)]),
            syn::Type::Group(it) => Self::read(&it.elem, bound),
            syn::Type::ImplTrait(it) => Self::of_bounds(it.bounds.iter(), bound),
            syn::Type::Paren(it) => Self::read(&it.elem, bound),
            syn::Type::Path(it) => Self::of_path(it, bound),
            syn::Type::Reference(it) => Self::read(&it.elem, bound),
            syn::Type::Slice(it) => Self::new("slice", vec![Self::read(&it.elem, bound)]),
            syn::Type::TraitObject(it) => Self::of_bounds(it.bounds.iter(), bound),
            syn::Type::Tuple(it) => {
                Self::new(Self::TUPLE, it.elems.iter().map(|inner| Self::read(inner, bound)).collect())
            }
            _ => Self::unknown(),
        }
    }

    /// `Iterator` of `impl Iterator<Item = f64> + 'a`, whose argument is the item.
    fn of_bounds<'a>(mut bounds: impl Iterator<Item = &'a TypeParamBound>, bound: &Bindings) -> Self {
        let first = bounds.find_map(|it| match it {
            TypeParamBound::Trait(it) => it.path.segments.last(),
            _ => None,
        });
        first
            .map_or_else(Self::unknown, |last| Self::new(&last.ident.to_string(), arguments_of(&last.arguments, bound)))
    }

    fn of_path(path: &syn::TypePath, bound: &Bindings) -> Self {
        let segments: Vec<_> = path.path.segments.iter().collect();
        match (&path.qself, &segments[..]) {
            (Some(owner), [.., last]) if last.ident == "Item" => Self::read(&owner.ty, bound).item(),
            (None, [owner, last]) if last.ident == "Item" => {
                bound.get(&owner.ident.to_string()).map_or_else(Self::unknown, Self::item)
            }
            (None, [only]) if bound.contains_key(&only.ident.to_string()) => bound[&only.ident.to_string()].clone(),
            _ => Self::of_segments(&segments, bound),
        }
    }

    fn of_segments(segments: &[&syn::PathSegment], bound: &Bindings) -> Self {
        let Some((last, modules)) = segments.split_last() else { return Self::unknown() };
        let arguments = arguments_of(&last.arguments, bound);
        let name = last.ident.to_string();
        if POINTERS.contains(&name.as_str()) && !arguments.is_empty() {
            return arguments.into_iter().next().unwrap_or_else(Self::unknown);
        }
        let full = modules.last().map(|module| format!("{}::{name}", module.ident));
        Self { name: full.filter(|full| standard::is_full_name(full)).unwrap_or(name), arguments }
    }

    /// What an iterator gives.
    fn item(&self) -> Self {
        if matches!(self.name.as_str(), "Iterator" | "DoubleEndedIterator" | "ExactSizeIterator" | "IntoIterator") {
            return self.argument(0);
        }
        let Some(found) = standard::find(&self.name) else { return Self::unknown() };
        found.item().map_or_else(Self::unknown, |code| Self::of_code(code, &self.bind(&found.parameters)))
    }

    /// These parameters by the type's arguments, and `Self`.
    fn bind<S: AsRef<str>>(&self, parameters: &[S]) -> Bindings {
        let pairs = parameters.iter().enumerate().map(|(at, name)| (name.as_ref().to_owned(), self.argument(at)));
        pairs.chain([("Self".to_owned(), self.clone())]).collect()
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments = self.arguments.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match (self.name.as_str(), self.arguments.is_empty()) {
            (Self::TUPLE, _) => write!(f, "({arguments})"),
            ("slice", false) => write!(f, "[{arguments}]"),
            (name, true) => f.write_str(name),
            (name, false) => write!(f, "{name}<{arguments}>"),
        }
    }
}

fn arguments_of(arguments: &PathArguments, bound: &Bindings) -> Vec<Type> {
    let PathArguments::AngleBracketed(it) = arguments else { return Vec::new() };
    let read = |argument: &GenericArgument| match argument {
        GenericArgument::Type(ty) => Some(Type::read(ty, bound)),
        GenericArgument::AssocType(it) => Some(Type::read(&it.ty, bound)),
        _ => None,
    };
    it.args.iter().filter_map(read).collect()
}

/// The names of the type parameters of a declaration.
fn parameters_of(generics: &syn::Generics) -> Vec<String> {
    let name = |parameter: &GenericParam| match parameter {
        GenericParam::Type(it) => Some(it.ident.to_string()),
        _ => None,
    };
    generics.params.iter().filter_map(name).collect()
}

/// What is known at a place in a cell: the session, the items of the cell, and the text ahead of the place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub state: &'a State,
    pub definitions: &'a Definitions<'a>,
    /// The cell up to there.
    pub before: &'a str,
    depth: usize,
}

impl<'a> Place<'a> {
    pub fn new(definitions: &'a Definitions<'a>, before: &'a str) -> Self {
        Self { state: definitions.state, definitions, before, depth: 0 }
    }

    /// Whether a name is a variable of the session here.
    pub fn is_variable(self, name: &str) -> bool {
        self.state.variables.live.contains_key(name) && self.local(name).is_none()
    }

    /// The type that a path names; in an impl, `Self` is its type.
    pub fn type_named(self, path: &[&str]) -> Type {
        match path {
            [.., module, name] if standard::is_full_name(&format!("{module}::{name}")) => {
                Type::simple(&format!("{module}::{name}"))
            }
            ["Self"] => self.local("Self").unwrap_or_else(Type::unknown),
            [.., name] => Type::simple(name),
            [] => Type::unknown(),
        }
    }

    /// A path whose first name a `use` of the session has brought, from its root.
    pub fn resolved(self, path: &[&str]) -> Vec<String> {
        let declared = path.first().and_then(|first| {
            let mut uses = self.state.scope.declared_uses().iter();
            uses.find(|leaf| leaf.name.as_deref() == Some(first))
        });
        let root = declared.map(|leaf| {
            let code = leaf.code.trim_start_matches("use ").trim_end_matches(';');
            let code = code.split(" as ").next().unwrap_or(code);
            code.split("::").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
        });
        let root: Vec<String> =
            root.unwrap_or_else(|| path.first().map(|name| (*name).to_owned()).into_iter().collect());
        root.into_iter().chain(path.iter().skip(1).map(|name| (*name).to_owned())).collect()
    }

    /// The place further up in the cell.
    fn up_to(self, end: usize) -> Self {
        Self { before: &self.before[..end], depth: self.depth + 1, ..self }
    }
}
