//! What a type has: by itself, by its traits, and by what it dereferences to.

use quote::ToTokens;
use syn::Item;

use crate::assist::members::Member;
use crate::assist::runtime_index::{self, declarations};
use crate::assist::signature::{of_trait_member, of_variant};
use crate::assist::standard::{self, StandardType};
use crate::assist::types::{Bindings, DEEPEST, Place, Type, parameters_of};
use crate::plan::prelude::OF_RUST;
use crate::report::type_names::readable_type;
use crate::source::nesting::parsed;

/// What a type has from one place.
pub(super) struct Part {
    /// The type or trait that declares it.
    pub owner: String,
    pub bound: Bindings,
    source: Source,
}

enum Source {
    Own(Vec<Member>),
    Runtime(String),
    Standard(StandardType),
}

/// A member, what declares it, and what the parameters of that stand for.
pub(crate) struct Found {
    pub member: Member,
    pub owner: String,
    pub is_standard: bool,
    pub(super) bound: Bindings,
}

/// A field of a struct or tuple.
pub(crate) struct Field {
    pub name: String,
    pub ty: Type,
    /// Its type as a user writes it.
    pub code: String,
}

impl Part {
    fn standard(ty: &Type, found: StandardType) -> Self {
        let bound = ty.bind(&found.parameters);
        Self { owner: found.name().to_owned(), bound, source: Source::Standard(found) }
    }

    /// What a type has by a trait that every cell has in scope; operators serve better than `eq` and `ne`.
    fn of_prelude(ty: &Type, name: &str) -> Option<Self> {
        let is_offered = OF_RUST.contains(&name) && name != "PartialEq";
        let found = standard::find(name).filter(|found| is_offered && found.is_trait())?;
        Some(Self::standard(ty, found))
    }

    fn members(&self) -> Vec<Member> {
        let runtime = |(name, text): (String, String)| Member::declared(name, text);
        match &self.source {
            Source::Own(members) => members.clone(),
            Source::Standard(ty) => ty.members().collect(),
            Source::Runtime(ty) => {
                let variants = declarations::variants(ty).iter().map(|text| Member::variant(text));
                let functions = runtime_index::members(ty).into_iter().chain(runtime_index::trait_members(ty));
                let functions = functions.chain(runtime_index::trait_functions(ty).iter().cloned());
                variants.chain(functions.map(runtime)).collect()
            }
        }
    }

    fn find(&self, name: &str) -> Option<Member> {
        match &self.source {
            Source::Own(members) => members.iter().find(|member| member.name == name).cloned(),
            Source::Standard(ty) => ty.member(name),
            Source::Runtime(ty) => match runtime_index::member(ty, name) {
                Some(text) => Some(Member::declared(name.to_owned(), text.to_owned())),
                None => self.members().into_iter().find(|member| member.name == name),
            },
        }
    }
}

impl Place<'_> {
    /// Whether the session or the cell defines a type or trait of that name.
    pub(crate) fn is_own(&self, ty: &str) -> bool {
        self.definitions.item(ty).is_some()
    }

    /// All that a type has but its fields, each with what it is declared by; what is nearer comes first.
    pub(crate) fn members(&self, ty: &Type) -> Vec<(String, Member)> {
        let parts = self.parts(ty, 0);
        let members = |part: &Part| {
            let owner = part.owner.clone();
            part.members().into_iter().map(move |member| (owner.clone(), member)).collect::<Vec<_>>()
        };
        parts.iter().flat_map(members).collect()
    }

    /// What a type has of that name.
    pub(crate) fn member(&self, ty: &Type, name: &str) -> Option<Found> {
        self.parts(ty, 0).into_iter().find_map(|part| {
            let member = part.find(name)?;
            let is_standard = matches!(part.source, Source::Standard(_));
            Some(Found { member, owner: part.owner, is_standard, bound: part.bound })
        })
    }

    /// What a path names: a member of a type, or something in a module of the standard library.
    pub(crate) fn declared(&self, path: &str) -> Option<Found> {
        let names: Vec<&str> = path.split("::").collect();
        let (name, owner) = names.split_last()?;
        let found = (!owner.is_empty()).then(|| self.member(&self.type_named(owner), name)).flatten();
        found.or_else(|| {
            let module = if owner.is_empty() { &["std"] } else { owner };
            let is_it = |member: &Member| member.name.trim_end_matches('!') == *name;
            let member = standard::names_in(module).into_iter().find(is_it)?;
            Some(Found { member, owner: module.join("::"), is_standard: true, bound: Bindings::new() })
        })
    }

    fn parts(&self, ty: &Type, depth: usize) -> Vec<Part> {
        if !ty.is_known() || depth > DEEPEST {
            return Vec::new();
        }
        if let Some(text) = self.definitions.item(&ty.name) {
            return self.own_parts(ty, text, depth);
        }
        let standard = standard::find(&ty.name);
        if runtime_index::has(&ty.name) || standard.is_none() {
            let runtime =
                Part { owner: ty.name.clone(), bound: ty.bind::<&str>(&[]), source: Source::Runtime(ty.name.clone()) };
            let traits = runtime_index::traits_of(&ty.name);
            let traits = traits.filter_map(|name| Part::of_prelude(ty, name));
            return [runtime].into_iter().chain(traits).collect();
        }
        let Some(found) = standard else { return Vec::new() };
        let (parents, bound) = (found.parents.clone(), ty.bind(&found.parameters));
        let mut parts = vec![Part::standard(ty, found)];
        for parent in parents {
            match standard::find(parent) {
                // A trait's methods are those of the type.
                Some(found) if found.is_trait() => parts.push(Part::standard(ty, found)),
                _ => parts.extend(self.parts(&Type::of_code(parent, &bound), depth + 1)),
            }
        }
        if ty.name == "slice" {
            parts.extend(runtime_index::traits_of("slice").flat_map(|name| self.trait_parts(ty, name, depth)));
        }
        parts
    }

    fn own_parts(&self, ty: &Type, text: &str, depth: usize) -> Vec<Part> {
        let read = parsed(text, |item: Item| match &item {
            Item::Enum(it) => (variants(text, it), parameters_of(&it.generics), derived(&it.attrs)),
            Item::Struct(it) => (Vec::new(), parameters_of(&it.generics), derived(&it.attrs)),
            Item::Trait(it) => {
                let members = it.items.iter().filter_map(|member| of_trait_member(text, member));
                let members = members.map(|(name, signature)| Member::declared(name, signature.text));
                (members.collect(), Vec::new(), Vec::new())
            }
            _ => Default::default(),
        });
        let (mut members, parameters, mut traits) = read.unwrap_or_default();
        for given in self.definitions.impls_of(&ty.name) {
            members.extend(given.members.into_iter().map(|(name, found)| Member::declared(name, found.text)));
            traits.extend(given.of_trait);
        }
        let own = Part { owner: ty.name.clone(), bound: ty.bind(&parameters), source: Source::Own(members) };
        let inherited = traits.into_iter().flat_map(|name| self.trait_parts(ty, &name, depth));
        [own].into_iter().chain(inherited).collect()
    }

    /// What a type has by a trait that it implements.
    fn trait_parts(&self, ty: &Type, name: &str, depth: usize) -> Vec<Part> {
        let name = if name == "Display" { "ToString" } else { name };
        if self.is_own(name) && name != ty.name {
            let mut parts = self.parts(&Type::simple(name), depth + 1);
            parts.iter_mut().for_each(|part| drop(part.bound.insert("Self".to_owned(), ty.clone())));
            return parts;
        }
        let functions = runtime_index::trait_functions(name);
        if !functions.is_empty() {
            let members = functions.iter().map(|(name, text)| Member::declared(name.clone(), text.clone())).collect();
            return vec![Part { owner: name.to_owned(), bound: ty.bind::<&str>(&[]), source: Source::Own(members) }];
        }
        Part::of_prelude(ty, name).into_iter().collect()
    }

    /// The fields of a struct of the session's or of the libraries', of those the public ones, or of a tuple.
    pub(crate) fn fields(&self, ty: &Type) -> Vec<Field> {
        if ty.name == Type::TUPLE {
            let fields = ty.arguments.iter().enumerate();
            return fields
                .map(|(at, ty)| Field { name: at.to_string(), code: ty.to_string(), ty: ty.clone() })
                .collect();
        }
        let own = self.definitions.item(&ty.name);
        let Some(text) = own.or_else(|| declarations::structure(&ty.name)) else { return Vec::new() };
        let is_visible = |field: &syn::Field| own.is_some() || matches!(field.vis, syn::Visibility::Public(_));
        let fields = parsed(text, |item: Item| {
            let Item::Struct(item) = item else { return Vec::new() };
            let bound = ty.bind(&parameters_of(&item.generics));
            let field = |(index, field): (usize, &syn::Field)| Field {
                name: field.ident.as_ref().map_or(index.to_string(), ToString::to_string),
                ty: Type::read(&field.ty, &bound),
                code: readable_type(&field.ty.to_token_stream().to_string()),
            };
            item.fields.iter().enumerate().filter(|(_, field)| is_visible(field)).map(field).collect()
        });
        fields.unwrap_or_default()
    }
}

fn variants(text: &str, item: &syn::ItemEnum) -> Vec<Member> {
    item.variants.iter().map(|it| Member::variant(&of_variant(text, it))).collect()
}

/// The traits that a type derives.
fn derived(attributes: &[syn::Attribute]) -> Vec<String> {
    let mut traits = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("derive")) {
        let _ = attribute.parse_nested_meta(|it| {
            traits.extend(it.path.segments.last().map(|last| last.ident.to_string()));
            Ok(())
        });
    }
    traits
}
