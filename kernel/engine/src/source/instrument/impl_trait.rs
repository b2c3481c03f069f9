//! What the values that functions return by `impl Trait` hold.
//!
//! Since the edition of 2024 such a value is taken to borrow from every argument, so that `let net = net(&vs.root());`
//! would hold on to a temporary value; before, only from what its bounds name. Code for `tch` is written like that:
//! `fn net(vs: &nn::Path) -> impl Module`. So the bounds say that the value holds no lifetime, `+ use<T>`, unless they
//! name one; where rustc finds that it does hold one, the function is left as the user wrote it.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{FnArg, GenericParam, Generics, ParenthesizedGenericArguments, ReturnType, Signature, TypeParamBound};

use crate::source::fragment::Edit;

/// What such an insertion begins with.
const BEGINS: &str = " + use<";

/// Whether an edit says what a value holds.
pub fn is_one(edit: &Edit) -> bool {
    edit.replaces == 0 && edit.insert.starts_with(BEGINS)
}

/// The names of the types and constants that generic code is for.
pub fn parameters(generics: &Generics) -> Vec<String> {
    let names = generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Type(it) => Some(it.ident.to_string()),
        GenericParam::Const(it) => Some(it.ident.to_string()),
        GenericParam::Lifetime(_) => None,
    });
    names.collect()
}

/// What to insert where in what a function returns; `outer` are the parameters of the impl that it stands in.
pub fn insertions(signature: &Signature, outer: &[String]) -> Vec<(usize, String)> {
    let ReturnType::Type(_, returned) = &signature.output else { return Vec::new() };
    // A parameter without a name cannot be mentioned, and has to be.
    let is_unnamed = |argument: &FnArg| Returned::of(|it| it.visit_fn_arg(argument)).any;
    if signature.asyncness.is_some() || signature.inputs.is_empty() || signature.inputs.iter().any(is_unnamed) {
        return Vec::new();
    }
    let names: Vec<String> = outer.iter().cloned().chain(parameters(&signature.generics)).collect();
    let text = format!("{BEGINS}{}>", names.join(", "));
    let ends = Returned::of(|it| it.visit_type(returned)).ends;
    ends.into_iter().map(|end| (end, text.clone())).collect()
}

/// Finds where `impl Trait` stands.
#[derive(Default)]
struct Returned {
    any: bool,
    /// The ends of those whose bounds name no lifetime.
    ends: Vec<usize>,
}

impl Returned {
    fn of(visit: impl FnOnce(&mut Self)) -> Self {
        let mut found = Self::default();
        visit(&mut found);
        found
    }
}

impl<'ast> Visit<'ast> for Returned {
    fn visit_type_impl_trait(&mut self, it: &'ast syn::TypeImplTrait) {
        self.any = true;
        let mut named = NamesLifetime(false);
        it.bounds.iter().for_each(|bound| named.visit_type_param_bound(bound));
        if !named.0 {
            self.ends.push(it.span().byte_range().end);
        }
        visit::visit_type_impl_trait(self, it);
    }

    fn visit_type_reference(&mut self, it: &'ast syn::TypeReference) {
        // `&impl Trait + use<>` would have to be put in parentheses.
        if !matches!(&*it.elem, syn::Type::ImplTrait(_)) {
            visit::visit_type_reference(self, it);
        }
    }
}

/// Whether bounds name a lifetime, by its name or by a reference.
struct NamesLifetime(bool);

impl<'ast> Visit<'ast> for NamesLifetime {
    fn visit_type_param_bound(&mut self, it: &'ast TypeParamBound) {
        self.0 |= matches!(it, TypeParamBound::Lifetime(_) | TypeParamBound::PreciseCapture(_));
        visit::visit_type_param_bound(self, it);
    }

    fn visit_lifetime(&mut self, it: &'ast syn::Lifetime) {
        self.0 |= it.ident != "static";
    }

    fn visit_type_reference(&mut self, it: &'ast syn::TypeReference) {
        self.0 |= it.lifetime.is_none();
        visit::visit_type_reference(self, it);
    }

    fn visit_parenthesized_generic_arguments(&mut self, _: &'ast ParenthesizedGenericArguments) {
        // `Fn(&Tensor) -> Tensor` is for any lifetime.
    }
}
