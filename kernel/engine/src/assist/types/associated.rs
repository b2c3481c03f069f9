//! The associated types that a signature names, as they are for the type that the method is called on: `Self::Action`
//! is `usize` for `CartPole`.

use quote::ToTokens;
use syn::{ImplItem, ItemImpl};

use crate::assist::runtime_index::{self, Associated};
use crate::assist::types::{Bindings, DEEPEST, Place, Type};
use crate::report::type_names::readable_type;
use crate::source::nesting::parsed;
use crate::source::words::{first_name, in_name};

impl Place<'_> {
    /// Each associated type in a signature of a method of this type, and what it is where that is known.
    pub(crate) fn associated_types(self, signature: &str, ty: &Type) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        for (at, _) in signature.match_indices("Self::") {
            let name = first_name(&signature[at + "Self::".len()..]);
            let written = format!("Self::{name}");
            let is_whole = !signature[..at].ends_with(in_name) && !found.iter().any(|(other, _)| *other == written);
            if let Some(code) = is_whole.then(|| self.associated(ty, name, 0)).flatten() {
                found.push((written, code));
            }
        }
        found
    }

    /// What a type has for an associated type of one of its traits.
    fn associated(self, ty: &Type, name: &str, depth: usize) -> Option<String> {
        let own = self.definitions.texts_of_impls(&ty.name).into_iter().flat_map(in_impl);
        let found = own.chain(runtime_index::associated(&ty.name).iter().cloned()).find(|found| found.name == name)?;
        let Some((owner, inner)) = found.code.split_once("::").filter(|_| depth < DEEPEST) else {
            return Some(found.code);
        };
        // `E::Action` of `impl<E: Env> Env for TimeLimit<E>`.
        let of = Type::of_code(&found.of, &Bindings::new());
        match of.arguments.iter().position(|argument| argument.name == owner) {
            Some(at) => self.associated(&ty.argument(at), inner, depth + 1),
            None if owner == "Self" => self.associated(ty, inner, depth + 1),
            None => Some(found.code),
        }
    }
}

/// Those that an impl in a cell gives.
fn in_impl(text: &str) -> Vec<Associated> {
    let read = parsed(text, |block: ItemImpl| {
        let of = block.self_ty.to_token_stream().to_string();
        let given = block.items.iter().filter_map(|item| match item {
            ImplItem::Type(it) => Some(Associated {
                of: of.clone(),
                name: it.ident.to_string(),
                code: readable_type(&it.ty.to_token_stream().to_string()),
            }),
            _ => None,
        });
        given.collect()
    });
    read.unwrap_or_default()
}
