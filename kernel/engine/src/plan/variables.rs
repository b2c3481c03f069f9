//! The variables of a session: which there are, of what type, and why others are not there.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use syn::visit_mut::VisitMut;

use crate::crate_names::{FILE, readable};
use crate::plan::Plan;
use crate::plan::opaque::{self, Aliases, Naming};
use crate::plan::scope::CrateName;
use crate::source::nesting::parsed;
use crate::source::source_map::Place;
use crate::source::words::first_name;

/// How code names the crate that it is in.
pub const OWN: &str = "crate";

/// A variable in the host's store.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Whether it was declared `mut`.
    pub mutable: bool,
    /// Its type, with every path absolute, as code.
    pub ty: String,
    /// See [`opaque::spelled`].
    pub spelled: Option<String>,
    /// Where it was declared.
    pub declared: Place,
    /// Whether its type has moved to a new home since it was stored.
    pub moved_home: bool,
}

impl Variable {
    /// Its type as a reader understands it.
    pub fn spelled(&self) -> &str {
        self.spelled.as_deref().unwrap_or(&self.ty)
    }
}

/// Why a name that a cell declared is not there for later cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone {
    /// It borrows from something that ended with its cell.
    Borrows,
    /// It borrows from a variable of the session, and a borrow lasts no longer than its cell.
    BorrowsFrom {
        /// That variable.
        lender: String,
        /// The statement that makes the borrow, where it is short.
        made_by: Option<String>,
        /// Whether it is a closure.
        is_closure: bool,
    },
    /// Its type has no name that another cell could write.
    Unnamed(Unnamed),
    /// A cell moved it.
    Moved,
    /// The cell ended before it was made.
    NotReached,
    /// A type in it was defined anew and differently.
    TypeChanged(String),
    /// The host process ended while the cell ran.
    HostLost,
    /// The host process ended behind the cell, ahead of the next one.
    HostLostAfter,
}

/// A type that has no name which another cell could write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unnamed {
    /// A closure's.
    Closure,
    /// That of an async block or of what an async function returns.
    Future,
    /// A function's own, which is another one than that of a pointer to it.
    Function,
    /// `impl Trait`, by its bounds.
    Opaque(String),
    /// What is defined within a block or a function, by its name.
    Local(String),
    /// Any other, as rustc writes it.
    Other(String),
    /// One that the compiler did not tell.
    Untold,
}

impl Unnamed {
    /// From what rustc calls it in a message.
    fn of(message: &str) -> Self {
        let local = |text: &str| {
            let (_, behind) = text.rsplit_once("}::")?;
            Some(first_name(behind).to_owned()).filter(|name| !name.is_empty())
        };
        // `fn(i32) -> i32 {double}`, wherever that is defined.
        if message.starts_with("fn(") && message.ends_with('}') {
            Self::Function
        } else if let Some(name) = local(message) {
            Self::Local(name)
        } else if message.contains("{closure") {
            Self::Closure
        } else if message.contains("{async") {
            Self::Future
        } else if message.contains('{') {
            Self::Function
        } else {
            let readable = readable(message);
            match readable.strip_prefix("impl ") {
                Some(future) if future.starts_with("Future") => Self::Future,
                Some(bounds) => Self::Opaque(bounds.to_owned()),
                None => Self::Other(readable),
            }
        }
    }

    /// What to do in place of keeping a variable of that name and of this type.
    fn instead(&self, name: &str) -> String {
        match self {
            Self::Opaque(bounds) => format!("Box it, as in `let {name}: Box<dyn {bounds}> = Box::new(...)`"),
            Self::Local(ty) => format!("Define `{ty}` outside of the block, at the top level of a cell"),
            Self::Future => "`.await` it in the cell that makes it".to_owned(),
            Self::Function => format!("Make it a pointer, as in `let {name}: fn(f64) -> f64 = ...`"),
            Self::Closure | Self::Other(_) | Self::Untold => {
                "Box it, as in `let f: Box<dyn Fn(f64) -> f64> = Box::new(...)`, or define a `fn`".to_owned()
            }
        }
    }
}

impl fmt::Display for Unnamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closure => f.write_str("a closure's"),
            Self::Future => f.write_str("a future's"),
            Self::Function => f.write_str("a function's own"),
            Self::Opaque(bounds) => write!(f, "`impl {bounds}`"),
            Self::Local(name) => write!(f, "`{name}` of a block"),
            Self::Other(ty) => write!(f, "`{ty}`"),
            Self::Untold => f.write_str("which the compiler did not name"),
        }
    }
}

/// A name that is gone, and the cell that it was lost in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The number of the cell.
    pub cell: u32,
    /// Why.
    pub why: Gone,
}

impl Loss {
    /// What to tell a user who names it.
    pub fn explain(&self, name: &str) -> String {
        let Self { cell, why } = self;
        let again = "Run the cell that makes it again";
        let why = match why {
            Gone::Borrows => format!(
                "was not kept by cell [{cell}]: it borrows from a value that ended with the cell. Keep an owned value \
                 instead, for example from `.clone()`, `.to_vec()` or `.to_string()`"
            ),
            Gone::BorrowsFrom { lender, made_by, is_closure } => {
                let made = match made_by {
                    Some(statement) => format!("Write `{statement}` again in the cell that uses it"),
                    None => "Make it again in the cell that uses it".to_owned(),
                };
                let or = match (is_closure, made_by) {
                    (true, _) => format!(", or define a `fn` that gets `{lender}` as an argument"),
                    (false, None) => ", or keep an owned value".to_owned(),
                    (false, Some(_)) => String::new(),
                };
                format!(
                    "was not kept by cell [{cell}]: it borrows from `{lender}`, and a borrow ends with its cell. \
                     {made}{or}"
                )
            }
            Gone::Unnamed(ty) => format!(
                "was not kept by cell [{cell}]: its type, {ty}, cannot be named by another cell. {}",
                ty.instead(name)
            ),
            Gone::Moved => format!(
                "was moved by cell [{cell}]. {again}, and have cell [{cell}] borrow it, as `&x` does, or take a clone"
            ),
            Gone::NotReached => format!("was not made: cell [{cell}] ended before its `let`"),
            Gone::TypeChanged(ty) => {
                format!("was dropped in cell [{cell}]: its type `{ty}` has been redefined. {again}")
            }
            Gone::HostLost => format!("was lost with the host process in cell [{cell}]. {again}"),
            Gone::HostLostAfter => {
                format!("was lost with the host process, which ended after cell [{cell}]. {again}")
            }
        };
        format!("`{name}` {why}")
    }
}

/// The variables of a session, and the losses.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    /// In the host's store, by name.
    pub live: BTreeMap<String, Variable>,
    /// Declared once, and not there now.
    pub lost: BTreeMap<String, Loss>,
    /// The aliases in types.
    aliases: Aliases,
}

impl Variables {
    /// Puts down that a variable is in the store, with its type as code of other crates.
    pub fn keep(&mut self, name: &str, mutable: bool, ty: String, declared: Place) {
        let spelled = opaque::spelled(&ty, &self.aliases);
        self.lost.remove(name);
        self.live.insert(name.to_owned(), Variable { mutable, ty, spelled, declared, moved_home: false });
    }

    /// Puts down the aliases that a crate names types by.
    pub fn learn_aliases<'a>(&mut self, namings: impl Iterator<Item = &'a Naming>, home: &CrateName) {
        for naming in namings {
            let Naming::Named(aliased) = naming else { continue };
            self.aliases.extend(aliased.aliases.iter().filter_map(|alias| alias.for_others(home)));
        }
    }

    /// Puts down that a variable is not, or no longer, in the store.
    pub fn lose(&mut self, name: &str, cell: u32, why: Gone) {
        self.live.remove(name);
        self.lost.insert(name.to_owned(), Loss { cell, why });
    }

    /// Follows types to their new home, as seen from another crate or, if `home` is `None`, from the new home itself;
    /// loses variables whose types changed. Returns the names of those.
    pub fn rehome(&mut self, plan: &Plan, home: Option<&CrateName>, cell: u32) -> Vec<(String, String)> {
        let mut dropped = Vec::new();
        for (name, variable) in &mut self.live {
            // What an alias stands for stays with the crate that says so.
            let follows = variable.spelled.is_none();
            let followed = parsed(variable.spelled(), |mut ty: syn::Type| {
                let mut rehome = Rehome { plan, home, follows, depth: 0, changed: None, moved: false };
                rehome.visit_type_mut(&mut ty);
                match rehome.changed {
                    Some(changed) => Err(changed),
                    None => Ok(rehome.moved.then(|| quote::ToTokens::to_token_stream(&ty).to_string())),
                }
            });
            match followed {
                Some(Err(changed)) => dropped.push((name.clone(), changed)),
                Some(Ok(Some(ty))) => {
                    variable.ty = ty;
                    variable.moved_home = true;
                }
                Some(Ok(None)) | None => {}
            }
        }
        for (name, ty) in &dropped {
            self.lose(name, cell, Gone::TypeChanged(ty.clone()));
        }
        dropped
    }

    /// Loses everything: the host process is gone. Returns the names.
    pub fn lose_all(&mut self, cell: u32, why: &Gone) -> Vec<String> {
        let names: Vec<String> = self.live.keys().cloned().collect();
        for name in &names {
            self.lose(name, cell, why.clone());
        }
        names
    }
}

struct Rehome<'a> {
    plan: &'a Plan,
    home: Option<&'a CrateName>,
    /// Whether the type can be written with the new homes in it.
    follows: bool,
    /// In how many other types' arguments the path stands.
    depth: usize,
    changed: Option<String>,
    moved: bool,
}

impl VisitMut for Rehome<'_> {
    fn visit_path_mut(&mut self, path: &mut syn::Path) {
        let mut segments = path.segments.iter_mut();
        if let (Some(krate), Some(item)) = (segments.next(), segments.next())
            && let name = item.ident.to_string()
            && self.plan.former_homes.get(&name).is_some_and(|former| krate.ident == former)
        {
            // `Peekable<Counter>` holds the `Item` of a counter, the counter itself does not.
            let held = self.depth > 0 && self.plan.associated.contains(&name);
            if held || !self.follows || self.plan.changed.contains(&name) {
                self.changed = Some(name);
            } else {
                let span = krate.ident.span();
                krate.ident = match self.home {
                    Some(home) => syn::Ident::new(home, span),
                    None => syn::Token![crate](span).into(),
                };
                path.leading_colon = path.leading_colon.filter(|_| self.home.is_some());
                self.moved = true;
            }
        }
        self.depth += 1;
        syn::visit_mut::visit_path_mut(self, path);
        self.depth -= 1;
    }
}

/// A type as rustc names it in a message, as code that another cell can write.
///
/// rustc writes items of the crate itself without a path, so `local` says which those are.
pub fn named(message: &str, local: &[String], home: &CrateName) -> Result<String, Unnamed> {
    absolute(message, local, home, Opaque::Nameless).ok_or_else(|| Unnamed::of(message))
}

/// What `impl Trait` is in a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opaque {
    /// A part that has no name, and so has the whole.
    Nameless,
    /// A part as any other.
    Allowed,
}

/// A type as rustc names it in a message, with every path absolute; `home` is how code names the crate itself.
pub fn absolute(message: &str, local: &[String], home: &str, opaque: Opaque) -> Option<String> {
    let named = parsed(message, |mut ty: syn::Type| {
        let mut absolute = Absolute { local, home, opaque, nameable: true };
        absolute.visit_type_mut(&mut ty);
        absolute.nameable.then(|| quote::ToTokens::to_token_stream(&ty).to_string())
    });
    named.flatten()
}

struct Absolute<'a> {
    local: &'a [String],
    home: &'a str,
    opaque: Opaque,
    nameable: bool,
}

impl VisitMut for Absolute<'_> {
    fn visit_type_mut(&mut self, ty: &mut syn::Type) {
        self.nameable &= match ty {
            syn::Type::ImplTrait(_) => self.opaque == Opaque::Allowed,
            syn::Type::Infer(_) | syn::Type::Macro(_) | syn::Type::Verbatim(_) => false,
            _ => true,
        };
        if let syn::Type::Never(_) = ty {
            // As an argument of another type, `!` has no name in stable Rust; the runtime has one for it.
            *ty = syn::parse_quote!(::oxtorch::cell::Never);
            return;
        }
        syn::visit_mut::visit_type_mut(self, ty);
    }

    fn visit_path_mut(&mut self, path: &mut syn::Path) {
        if path.segments.first().is_some_and(|first| first.ident.to_string().starts_with(FILE)) {
            // It is private, and passes on the module that it declares.
            path.segments = std::mem::take(&mut path.segments).into_iter().skip(1).collect();
        }
        if let Some(first) = path.segments.first()
            && path.leading_colon.is_none()
        {
            let name = first.ident.to_string();
            if self.local.contains(&name) {
                let home = syn::Ident::new(self.home, first.ident.span());
                path.segments.insert(0, home.into());
                path.leading_colon = (self.home != OWN).then(Default::default);
            } else if path.segments.len() > 1 {
                path.leading_colon = Some(Default::default());
            }
        }
        syn::visit_mut::visit_path_mut(self, path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, expected: Option<&str>) {
        let code = named(message, &["Net".to_owned()], &"cell_a".to_owned()).ok();
        assert_eq!(code.map(|code| code.replace(' ', "")), expected.map(|code| code.replace(' ', "")), "{message}");
    }

    #[test]
    fn paths_become_absolute_and_local_types_get_their_crate() {
        check("std::vec::Vec<Net>", Some("::std::vec::Vec<::cell_a::Net>"));
        check("(i32, &str, [f32; 3])", Some("(i32, &str, [f32; 3])"));
        check(
            "std::boxed::Box<dyn std::ops::Fn(i32) -> Net>",
            Some("::std::boxed::Box<dyn ::std::ops::Fn(i32) -> ::cell_a::Net>"),
        );
        check("oxtorch::tch::Tensor", Some("::oxtorch::tch::Tensor"));
        check("std::vec::Vec<__oxtorch_file_Net::Net::Mlp>", Some("::std::vec::Vec<::cell_a::Net::Mlp>"));
        check("std::thread::JoinHandle<!>", Some("::std::thread::JoinHandle<::oxtorch::cell::Never>"));
    }

    #[test]
    fn why_a_type_has_no_name_is_known() {
        let check = |message: &str, expected: Unnamed| assert_eq!(Unnamed::of(message), expected, "{message}");
        check("{closure@cell_a.rs:1:2: 1:5}", Unnamed::Closure);
        check("{async block@cell_a.rs:1:2: 1:5}", Unnamed::Future);
        check("fn(i32) -> i32 {double}", Unnamed::Function);
        check("fn() -> i32 {__oxtorch_run::{closure#0}::double}", Unnamed::Function);
        check("impl Future<Output = i32>", Unnamed::Future);
        check("impl Iterator<Item = i32>", Unnamed::Opaque("Iterator<Item = i32>".to_owned()));
        check("__oxtorch_run::{closure#0}::Hidden", Unnamed::Local("Hidden".to_owned()));
        check("std::vec::Vec<__oxtorch_run::{closure#0}::Hidden<i32>>", Unnamed::Local("Hidden".to_owned()));
    }

    #[test]
    fn closures_and_opaque_types_have_no_name() {
        check("{closure@cell_a.rs:1:2: 1:5}", None);
        check("impl std::iter::Iterator<Item = i32>", None);
        check("std::iter::Map<std::ops::Range<i32>, {closure@x.rs:1:1: 1:2}>", None);
        check("fn(i32) -> i32 {double}", None);
    }
}
