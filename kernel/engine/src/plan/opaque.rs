//! Names for types that have none of their own, those of closures above all.
//!
//! Another crate can name the type of a closure by an alias, `pub type T = impl Fn(f64) -> f64;`, if a function of the
//! first crate says which type that is. The alias says what can be done with its values; they are of the type itself,
//! so nothing is boxed. rustc tells what to write: the bounds of what a function returns by `impl Trait` in the name of
//! its type, the signature of a closure when it is asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use syn::visit_mut::VisitMut;

use crate::crate_names::ALIAS;
use crate::diagnostic::{Diagnostic, quoted};
use crate::plan::scope::CrateName;
use crate::plan::variables::{OWN, Opaque, absolute};
use crate::source::nesting::parsed;

/// What becomes of a type without a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Naming {
    /// rustc is asked what its values can do.
    Asked(Question),
    /// It is written by aliases.
    Named(Aliased),
    /// It stays without a name.
    Nameless,
}

/// What rustc can be asked about the type of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Question {
    /// What a closure or function takes and returns.
    Signature,
    /// What a future gives.
    Output,
    /// What an iterator gives.
    Item,
}

impl Question {
    /// What to ask about a type, from what rustc calls it.
    fn about(message: &str) -> Option<Self> {
        const UNNAMED: [&str; 2] = ["{closure@", "{async block@"];
        if message.starts_with(UNNAMED[0]) || (message.starts_with("fn(") && message.ends_with('}')) {
            Some(Self::Signature)
        } else if message.starts_with(UNNAMED[1]) {
            Some(Self::Output)
        } else {
            UNNAMED.iter().any(|unnamed| message.contains(unnamed)).then_some(Self::Item)
        }
    }

    /// The function that asks it. Its result, which nobody uses, has the answer as its type.
    pub fn function(self) -> &'static str {
        match self {
            Self::Signature => "__oxtorch_signature",
            Self::Output => "__oxtorch_output",
            Self::Item => "__oxtorch_item",
        }
    }

    /// The definition of that function.
    pub fn definition(self) -> &'static str {
        match self {
            Self::Signature => {
                "fn __oxtorch_signature<A: ::core::marker::Tuple, F: ::core::ops::FnOnce<A>>(_: &F) \
                 -> ::core::marker::PhantomData<(A, F::Output)> { ::core::marker::PhantomData }"
            }
            Self::Output => {
                "fn __oxtorch_output<F: ::core::future::Future>(_: &F) -> ::core::marker::PhantomData<F::Output> \
                 { ::core::marker::PhantomData }"
            }
            Self::Item => {
                "fn __oxtorch_item<I: ::core::iter::Iterator>(_: &I) -> ::core::marker::PhantomData<I::Item> \
                 { ::core::marker::PhantomData }"
            }
        }
    }

    /// The unstable features that the definition needs.
    pub fn features(self) -> &'static [&'static str] {
        if self == Self::Signature { &["unboxed_closures", "tuple_trait"] } else { &[] }
    }
}

/// The unstable feature that aliases of types without a name need.
pub const ALIAS_FEATURE: &str = "type_alias_impl_trait";

/// A type that is written by aliases of the types without a name in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aliased {
    /// The type, as code of the cell's own crate.
    ty: String,
    /// The aliases in it.
    pub aliases: Vec<Alias>,
}

/// An alias of a type without a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// Its name.
    pub name: String,
    /// What the values can do.
    can: Can,
    /// Whether they can be copied.
    copies: Copies,
}

/// What can be done with values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Can {
    /// They can be called, in the way of a trait of this name.
    BeCalled { by: String, signature: String },
    /// What these bounds say.
    Bounds(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Copies {
    Copy,
    Clone,
    No,
}

impl Alias {
    /// What the alias stands for, as code of the cell's own crate.
    pub fn bounds(&self) -> String {
        let can = match &self.can {
            Can::BeCalled { by, signature } => format!("::core::ops::{by}{signature}"),
            Can::Bounds(bounds) => bounds.clone(),
        };
        let copies = match self.copies {
            Copies::Copy => " + ::core::marker::Copy",
            Copies::Clone => " + ::core::clone::Clone",
            Copies::No => "",
        };
        format!("impl {can}{copies}")
    }

    /// What others call it, and what it stands for, as code of other crates.
    pub fn for_others(&self, home: &CrateName) -> Option<(String, String)> {
        Some((format!("{home}::{}", self.name), outside(&self.bounds(), home)?))
    }

    /// An alias that promises less, where rustc has found that the type does not do all of it.
    fn weaker(&self, error: &Diagnostic) -> Option<Self> {
        let mut weaker = self.clone();
        let lacks = |name: &str| quoted(&error.message).any(|quoted| quoted.ends_with(name));
        match (&mut weaker.can, error.code()) {
            // "expected a closure that implements the `Fn` trait, but this closure only implements `FnMut`"
            (Can::BeCalled { by, .. }, "E0525") => *by = quoted(&error.message).last()?.to_owned(),
            // "the trait bound `{closure@..}: Copy` is not satisfied", perhaps said more than once
            (_, "E0277") if lacks("Copy") && self.copies != Copies::No => weaker.copies = Copies::Clone,
            (_, "E0277") if lacks("Clone") => weaker.copies = Copies::No,
            _ => return None,
        }
        Some(weaker)
    }
}

impl Aliased {
    /// For a type that consists of what has a name and what functions return by `impl Trait`; `message` is how rustc
    /// calls it.
    fn told(variable: &str, message: &str, local: &[String]) -> Option<Self> {
        let this = parsed(&absolute(message, local, OWN, Opaque::Allowed)?, |mut ty: syn::Type| {
            let mut naming = NameOpaque { variable, aliases: Vec::new() };
            naming.visit_type_mut(&mut ty);
            Self { ty: code(&ty), aliases: naming.aliases }
        })?;
        (!this.aliases.is_empty()).then_some(this)
    }

    /// For a variable whose type rustc was asked about; `message` is the type of the answer. `mutable` says that it was
    /// declared `mut`, as one has to be that changes what it holds when it is called.
    fn answered(variable: &str, mutable: bool, question: Question, message: &str, local: &[String]) -> Option<Self> {
        let answer = absolute(message, local, OWN, Opaque::Nameless)?;
        let can = parsed(&answer, |answer: syn::Type| {
            let mut answer = argument(&answer)?;
            if question != Question::Signature {
                LivesOn.visit_type_mut(&mut answer);
                let answer = code(&answer);
                return Some(match question {
                    Question::Item => Can::Bounds(format!("::core::iter::Iterator<Item = {answer}>")),
                    _ => Can::Bounds(format!("::core::future::Future<Output = {answer}>")),
                });
            }
            let syn::Type::Tuple(signature) = &mut answer else { return None };
            let (Some(syn::Type::Tuple(arguments)), Some(mut output)) =
                (signature.elems.first().cloned(), signature.elems.get(1).cloned())
            else {
                return None;
            };
            LivesOn.visit_type_mut(&mut output);
            let arguments: Vec<String> = arguments.elems.iter().map(code).collect();
            let signature = format!("({}) -> {}", arguments.join(", "), code(&output));
            Some(Can::BeCalled { by: if mutable { "FnMut" } else { "Fn" }.to_owned(), signature })
        })??;
        let copies = if question == Question::Output { Copies::No } else { Copies::Copy };
        let alias = Alias { name: format!("{ALIAS}{variable}"), can, copies };
        Some(Self { ty: format!("{OWN}::{}", alias.name), aliases: vec![alias] })
    }

    /// Aliases that promise less, where rustc has found that the type does not do all of it.
    fn weaker(&self, error: &Diagnostic) -> Option<Self> {
        let [alias] = &self.aliases[..] else { return None };
        Some(Self { ty: self.ty.clone(), aliases: vec![alias.weaker(error)?] })
    }

    /// The type as code of the cell's own crate.
    pub fn ty(&self) -> &str {
        &self.ty
    }

    /// The type, as code of other crates.
    pub fn for_others(&self, home: &CrateName) -> Option<String> {
        outside(&self.ty, home)
    }
}

/// What the aliases of a session stand for, by their paths.
pub type Aliases = BTreeMap<String, String>;

/// A type with what its aliases stand for in their place, if it has any: `impl Fn(f64) -> f64` of a closure's.
pub fn spelled(ty: &str, aliases: &Aliases) -> Option<String> {
    let has_any = ty.contains(ALIAS);
    has_any.then(|| {
        parsed(ty, |mut ty: syn::Type| {
            SpellOut(aliases).visit_type_mut(&mut ty);
            code(&ty)
        })
    })?
}

impl Naming {
    /// What is known of a variable's type without a name: from what rustc calls it, and from the answer, if it was
    /// asked.
    pub fn of(
        variable: &str,
        mutable: bool,
        message: &str,
        answer: Option<(Question, &str)>,
        local: &[String],
    ) -> Self {
        let named = match answer {
            Some((question, answer)) => Aliased::answered(variable, mutable, question, answer, local),
            None => match Question::about(message) {
                Some(question) => return Self::Asked(question),
                None => Aliased::told(variable, message, local),
            },
        };
        named.map_or(Self::Nameless, Self::Named)
    }

    /// What is left to try behind an error of rustc's about it.
    pub fn weaker(&self, error: &Diagnostic) -> Self {
        match self {
            Self::Named(aliased) => aliased.weaker(error).map_or(Self::Nameless, Self::Named),
            Self::Asked(_) | Self::Nameless => Self::Nameless,
        }
    }
}

fn code(ty: &impl quote::ToTokens) -> String {
    ty.to_token_stream().to_string()
}

/// `T` of `PhantomData<T>`.
fn argument(ty: &syn::Type) -> Option<syn::Type> {
    let syn::Type::Path(path) = ty else { return None };
    let syn::PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else { return None };
    match arguments.args.first()? {
        syn::GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    }
}

/// Code of a crate, as others write it.
fn outside(ty: &str, home: &CrateName) -> Option<String> {
    struct Outside<'a>(&'a CrateName);
    impl VisitMut for Outside<'_> {
        fn visit_path_mut(&mut self, path: &mut syn::Path) {
            if let Some(first) = path.segments.first_mut()
                && first.ident == OWN
            {
                first.ident = syn::Ident::new(self.0, first.ident.span());
                path.leading_colon = Some(Default::default());
            }
            syn::visit_mut::visit_path_mut(self, path);
        }
    }
    parsed(ty, |mut ty: syn::Type| {
        Outside(home).visit_type_mut(&mut ty);
        code(&ty)
    })
}

/// Writes aliases where `impl Trait` stands.
struct NameOpaque<'a> {
    variable: &'a str,
    aliases: Vec<Alias>,
}

impl VisitMut for NameOpaque<'_> {
    fn visit_type_mut(&mut self, ty: &mut syn::Type) {
        if let syn::Type::ImplTrait(opaque) = ty {
            let number = self.aliases.len();
            let number = if number == 0 { String::new() } else { format!("_{number}") };
            let name = format!("{ALIAS}{}{number}", self.variable);
            let alias = syn::Ident::new(&name, proc_macro2::Span::call_site());
            let bounds = code(&opaque.bounds);
            self.aliases.push(Alias { name, can: Can::Bounds(bounds), copies: Copies::No });
            *ty = syn::parse_quote!(crate::#alias);
            return;
        }
        syn::visit_mut::visit_type_mut(self, ty);
    }
}

/// Writes what aliases stand for in their place.
struct SpellOut<'a>(&'a Aliases);

impl VisitMut for SpellOut<'_> {
    fn visit_type_mut(&mut self, ty: &mut syn::Type) {
        if let syn::Type::Path(path) = ty {
            let names: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            if let Some(bounds) = self.0.get(&names.join("::")).and_then(|bounds| bounds.parse().ok()) {
                *ty = syn::Type::Verbatim(bounds);
                return;
            }
        }
        syn::visit_mut::visit_type_mut(self, ty);
    }
}

/// What a value that is kept gives does not borrow from it: it lives as long as the program. rustc leaves that out.
struct LivesOn;

impl VisitMut for LivesOn {
    fn visit_type_reference_mut(&mut self, it: &mut syn::TypeReference) {
        it.lifetime.get_or_insert_with(|| syn::parse_quote!('static));
        syn::visit_mut::visit_type_reference_mut(self, it);
    }

    fn visit_lifetime_mut(&mut self, it: &mut syn::Lifetime) {
        if it.ident == "_" {
            *it = syn::parse_quote!('static);
        }
    }

    // `dyn Fn(&Tensor)` is for any lifetime.
    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut syn::ParenthesizedGenericArguments) {}

    fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(message: &str, answer: Option<(Question, &str)>) -> Option<(String, String)> {
        let Naming::Named(aliased) = Naming::of("f", false, message, answer, &["Net".to_owned()]) else { return None };
        let home = "cell_a".to_owned();
        let aliases = aliased.aliases.iter().filter_map(|alias| alias.for_others(&home)).collect();
        let ty = aliased.for_others(&home)?;
        let spelled = spelled(&ty, &aliases)?;
        Some((ty, spelled))
    }

    #[track_caller]
    fn check(message: &str, answer: Option<(Question, &str)>, ty: &str, spelled: &str) {
        let (seen_ty, seen) = named(message, answer).expect("it has a name");
        let same = |a: &str, b: &str| assert_eq!(a.replace(' ', ""), b.replace(' ', ""));
        same(&seen_ty, ty);
        same(&seen, spelled);
    }

    const CLOSURE: &str = "{closure@cell_a.rs:1:2: 1:5}";

    #[test]
    fn a_closure_is_named_by_its_signature() {
        let signature = Some((Question::Signature, "std::marker::PhantomData<((&Net, f64), &str)>"));
        check(
            CLOSURE,
            signature,
            "::cell_a::__oxtorch_type_of_f",
            "impl ::core::ops::Fn(&::cell_a::Net, f64) -> &'static str + ::core::marker::Copy",
        );
    }

    #[test]
    fn what_a_function_returns_is_named_by_its_bounds() {
        check(
            "impl oxtorch::tch::nn::Module",
            None,
            "::cell_a::__oxtorch_type_of_f",
            "impl ::oxtorch::tch::nn::Module",
        );
        check(
            "(std::vec::Vec<impl Fn(&Net)>, impl Copy)",
            None,
            "(::std::vec::Vec<::cell_a::__oxtorch_type_of_f>, ::cell_a::__oxtorch_type_of_f_1)",
            "(::std::vec::Vec<impl Fn(&::cell_a::Net)>, impl Copy)",
        );
    }

    #[test]
    fn futures_and_iterators_are_named_by_what_they_give() {
        let output = Some((Question::Output, "std::marker::PhantomData<std::string::String>"));
        let spelled = "impl ::core::future::Future<Output = ::std::string::String>";
        check("{async block@cell_a.rs:1:2: 1:5}", output, "::cell_a::__oxtorch_type_of_f", spelled);
        let item = Some((Question::Item, "std::marker::PhantomData<&i32>"));
        let spelled = "impl ::core::iter::Iterator<Item = &'static i32> + ::core::marker::Copy";
        check(&format!("std::iter::Map<X, {CLOSURE}>"), item, "::cell_a::__oxtorch_type_of_f", spelled);
    }

    #[test]
    fn rustc_is_asked_where_the_name_does_not_tell() {
        let asked = |message: &str| match Naming::of("f", false, message, None, &[]) {
            Naming::Asked(question) => Some(question),
            _ => None,
        };
        assert_eq!(asked(CLOSURE), Some(Question::Signature));
        assert_eq!(asked("fn(i32) -> i32 {double}"), Some(Question::Signature));
        assert_eq!(asked("{async block@cell_a.rs:1:2: 1:5}"), Some(Question::Output));
        assert_eq!(asked(&format!("std::iter::Map<X, {CLOSURE}>")), Some(Question::Item));
        assert_eq!(asked("__oxtorch_run::{closure#0}::Hidden"), None);
        assert_eq!(named("__oxtorch_run::{closure#0}::Hidden", None), None);
    }
}
