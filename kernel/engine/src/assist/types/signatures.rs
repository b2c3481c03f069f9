//! What a declaration says about types: what a function returns, and what a closure is given.

use quote::ToTokens;
use syn::{FnArg, GenericParam, PathArguments, ReturnType, TraitItemFn, TypeParamBound, WherePredicate};

use crate::assist::types::{Bindings, Type, parameters_of};
use crate::source::nesting::parsed;

/// What a function of this declaration returns. `turbofish` are the types that the call names.
pub(super) fn returned(signature: &str, mut bound: Bindings, turbofish: &[Type]) -> Type {
    read(signature, |function| {
        for (index, name) in parameters_of(&function.sig.generics).into_iter().enumerate() {
            bound.insert(name, turbofish.get(index).cloned().unwrap_or_else(Type::unknown));
        }
        match &function.sig.output {
            ReturnType::Default => Type::new(Type::TUPLE, Vec::new()),
            ReturnType::Type(..) if function.sig.asyncness.is_some() => Type::unknown(),
            ReturnType::Type(_, ty) => Type::read(ty, &bound),
        }
    })
    .unwrap_or_else(Type::unknown)
}

/// What a constant of this declaration is.
pub(super) fn constant(signature: &str, bound: &Bindings) -> Type {
    signature.split_once(": ").map_or_else(Type::unknown, |(_, code)| Type::of_code(code, bound))
}

/// The types of what the closure gets that is the function's argument of that number; `self` is none.
pub(super) fn given_to_closure(signature: &str, argument: usize, mut bound: Bindings) -> Option<Vec<Type>> {
    read(signature, |function| {
        let mut arguments = function.sig.inputs.iter().filter_map(|it| match it {
            FnArg::Typed(it) => Some(&*it.ty),
            FnArg::Receiver(_) => None,
        });
        let ty = arguments.nth(argument)?;
        for name in parameters_of(&function.sig.generics) {
            bound.entry(name).or_insert_with(Type::unknown);
        }
        let bounds = match ty {
            syn::Type::ImplTrait(it) => it.bounds.iter().collect(),
            other => bounds_of(&function, &other.to_token_stream().to_string()),
        };
        let inputs = bounds.into_iter().find_map(|it| match it {
            TypeParamBound::Trait(it) => match &it.path.segments.last()?.arguments {
                PathArguments::Parenthesized(closure) => Some(&closure.inputs),
                _ => None,
            },
            _ => None,
        })?;
        Some(inputs.iter().map(|input| Type::read(&input.ty, &bound)).collect())
    })?
}

/// The bounds of a type parameter, where it is declared and behind `where`.
fn bounds_of<'a>(function: &'a TraitItemFn, parameter: &str) -> Vec<&'a TypeParamBound> {
    let generics = &function.sig.generics;
    let declared = generics.params.iter().filter_map(|it| match it {
        GenericParam::Type(it) if it.ident == parameter => Some(it.bounds.iter()),
        _ => None,
    });
    let conditions = generics.where_clause.iter().flat_map(|clause| &clause.predicates).filter_map(|it| match it {
        WherePredicate::Type(it) if it.bounded_ty.to_token_stream().to_string() == parameter => Some(it.bounds.iter()),
        _ => None,
    });
    declared.chain(conditions).flatten().collect()
}

fn read<T: Send>(signature: &str, walk: impl FnOnce(TraitItemFn) -> T + Send) -> Option<T> {
    let begin = ["async fn ", "fn "].iter().filter_map(|word| signature.find(word)).min()?;
    parsed(&format!("{};", &signature[begin..]), walk)
}
