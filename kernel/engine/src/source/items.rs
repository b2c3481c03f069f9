//! What items of all kinds have: a name, a visibility, attributes.

use syn::{Attribute, ForeignItem, Ident, ImplItem, Item, Visibility};

/// An item with a name and a visibility.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// Its name.
    pub name: &'a Ident,
    /// Who sees it.
    pub visibility: &'a Visibility,
    /// What stands ahead of it, doc comments too.
    pub attributes: &'a [Attribute],
}

impl Named<'_> {
    /// Whether everybody sees it.
    pub fn is_public(&self) -> bool {
        matches!(self.visibility, Visibility::Public(_))
    }
}

/// The name and the visibility of an item; `None` for one that has either not, such as an impl or a macro.
pub fn named(item: &Item) -> Option<Named<'_>> {
    let (name, visibility, attributes) = match item {
        Item::Const(it) => (&it.ident, &it.vis, &it.attrs),
        Item::Enum(it) => (&it.ident, &it.vis, &it.attrs),
        Item::Fn(it) => (&it.sig.ident, &it.vis, &it.attrs),
        Item::Mod(it) => (&it.ident, &it.vis, &it.attrs),
        Item::Static(it) => (&it.ident, &it.vis, &it.attrs),
        Item::Struct(it) => (&it.ident, &it.vis, &it.attrs),
        Item::Trait(it) => (&it.ident, &it.vis, &it.attrs),
        Item::TraitAlias(it) => (&it.ident, &it.vis, &it.attrs),
        Item::Type(it) => (&it.ident, &it.vis, &it.attrs),
        Item::Union(it) => (&it.ident, &it.vis, &it.attrs),
        _ => return None,
    };
    Some(Named { name, visibility, attributes })
}

/// The name of an item, be it that of a macro.
pub fn name_of(item: &Item) -> Option<&Ident> {
    match item {
        Item::Macro(it) => it.ident.as_ref(),
        _ => named(item).map(|named| named.name),
    }
}

/// The name and the visibility of what an `extern` block declares.
pub fn foreign(item: &ForeignItem) -> Option<(&Ident, &Visibility)> {
    match item {
        ForeignItem::Fn(it) => Some((&it.sig.ident, &it.vis)),
        ForeignItem::Static(it) => Some((&it.ident, &it.vis)),
        ForeignItem::Type(it) => Some((&it.ident, &it.vis)),
        _ => None,
    }
}

/// The name of a member of an impl.
pub fn member_name(member: &ImplItem) -> Option<&Ident> {
    match member {
        ImplItem::Fn(it) => Some(&it.sig.ident),
        ImplItem::Const(it) => Some(&it.ident),
        ImplItem::Type(it) => Some(&it.ident),
        _ => None,
    }
}
