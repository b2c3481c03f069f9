//! What a cell consists of, as it was parsed.

use std::ops::Range;
use std::sync::Arc;

use quote::ToTokens;
use serde::{Deserialize, Serialize};
use syn::spanned::Spanned;

use crate::source::fragment::{CellText, Edit, Fragment};
use crate::source::identifiers::{Names, mentions, unraw};
use crate::source::members::Associated;

/// A cell, sorted.
#[derive(Debug, Default)]
pub struct ParsedCell {
    /// Inner attributes, `#![...]`, less those that ask for something.
    pub attributes: Vec<Fragment>,
    /// What the `#![cfg(...)]` among these ask for.
    pub conditions: Vec<String>,
    /// `use` declarations and `extern crate`.
    pub uses: Vec<UseDeclaration>,
    /// Everything else that has a name.
    pub items: Vec<Item>,
    /// Inherent and trait impls.
    pub impls: Vec<Impl>,
    /// What runs, in order.
    pub statements: Vec<Statement>,
    /// Calls of the user's macros that may stand for items; [`crate::plan::expand`] says what they are.
    pub calls: Vec<Statement>,
    /// The items, by their place among them, whose derives may make others; so does [`crate::plan::expand`].
    pub derived: Vec<usize>,
    /// What the statements mention.
    pub mentions: Names,
    /// Whether the cell holds loops, closures or functions.
    pub heavy: bool,
    /// Whether a statement awaits, or names `tokio`.
    pub asynchronous: bool,
    /// Whether it is to be as fast as can be, whatever the user has said of other cells.
    pub measured: bool,
}

impl ParsedCell {
    /// A cell of ours that mentions variables of the user's. For whoever looks at it, it stands at the start of the
    /// text.
    pub fn ours(cell: &Arc<CellText>, code: String, mentions: Names) -> Self {
        let edits = vec![Edit { at: 0, replaces: 0, insert: code }];
        Self::of_one(Fragment { cell: Arc::clone(cell), range: 0..0, edits }, mentions)
    }

    /// A cell of one statement that declares nothing.
    pub(super) fn of_one(fragment: Fragment, mentions: Names) -> Self {
        let (kind, reads) = (StatementKind::Other, mentions.clone());
        let statement = Statement { fragment, kind, reads, sure: false, awaits: false };
        Self { statements: vec![statement], mentions, ..Self::default() }
    }

    /// The names that its `use` declarations bring.
    pub fn leaves(&self) -> impl Iterator<Item = &UseLeaf> {
        self.uses.iter().flat_map(|declaration| &declaration.leaves)
    }

    /// The text that it was read from; `None` for a cell of comments.
    pub fn text(&self) -> Option<&Arc<CellText>> {
        let items = self.items.iter().map(|item| &item.fragment).chain(self.impls.iter().map(|block| &block.fragment));
        let statements = self.statements.iter().map(|statement| &statement.fragment);
        let mut fragments = items.chain(statements).chain(self.uses.iter().map(|declaration| &declaration.fragment));
        fragments.next().map(|fragment| &fragment.cell)
    }
}

/// One `use` declaration of the user's, and the names that it brings.
#[derive(Debug, Clone)]
pub struct UseDeclaration {
    /// As written.
    pub fragment: Fragment,
    /// One for each name.
    pub leaves: Vec<UseLeaf>,
}

/// One name that a `use` declaration brings into scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UseLeaf {
    /// The name in scope; `None` for a glob or `as _`.
    pub name: Option<String>,
    /// A declaration of this name alone.
    pub code: String,
    /// The path's names.
    pub mentions: Names,
}

/// What a kind of item means for the cells that use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemKind {
    /// `struct`, `enum`, `union`: its definition decides the layout of variables.
    Type,
    /// `type`: another name for what it mentions.
    Alias,
    /// `trait`: its methods are in scope wherever it is live.
    Trait,
    /// `const`: may decide the length of an array.
    Const,
    /// `const fn`: as well.
    ConstFunction,
    /// `static`: has a state, which it keeps for as long as it has its home.
    Static,
    /// `macro_rules!`: what it mentions is looked up where it is used.
    Macro,
    /// `mod`: may hold any of these.
    Module,
    /// `fn`, foreign functions.
    Other,
}

impl ItemKind {
    /// Whether another definition may mean another layout of a type that mentions it.
    pub fn is_part_of_types(self) -> bool {
        self != Self::Other
    }

    /// Whether its name stands for a value: that of a function or a constant.
    pub fn is_value(self) -> bool {
        matches!(self, Self::Other | Self::Const | Self::ConstFunction | Self::Static)
    }

    /// Whether an impl may have to live with it, by the orphan rule.
    pub fn is_home(self) -> bool {
        matches!(self, Self::Type | Self::Trait | Self::Module)
    }
}

/// A named item.
#[derive(Debug, Clone)]
pub struct Item {
    /// Usually one; a foreign module has several, an unnamed const none.
    pub names: Vec<String>,
    /// What it is.
    pub kind: ItemKind,
    /// The text, with its edits.
    pub fragment: Fragment,
    /// The tokens as one string, without doc comments: two definitions with the same tokens are the same.
    pub tokens: String,
    /// The names that it mentions, its own among them.
    pub mentions: Names,
    /// The names within it that lead to it without its own.
    pub members: Names,
    /// For a macro, whether its calls may stand for items.
    pub makes_items: bool,
    /// The impls within it, and among what a macro made.
    pub heads: Vec<ImplHead>,
}

impl Item {
    /// Whether it is a static whose value may be another one than its first.
    pub fn has_state(&self) -> bool {
        const MUTABLE: [&str; 7] = [" mut ", "Mutex", "RwLock", "Atomic", "Cell", "Once", "Lock"];
        self.kind == ItemKind::Static && MUTABLE.iter().any(|word| self.tokens.contains(word))
    }
}

/// What an impl is of, which decides where the orphan rule lets it stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImplHead {
    /// The name at the head of the type it is for: `Net` of `&mut Box<Net>`.
    pub self_name: Option<String>,
    /// The trait's first name.
    pub trait_name: Option<String>,
    /// The names in the trait's arguments and in the type it is for.
    pub arguments: Names,
}

impl ImplHead {
    /// The head of an impl as parsed.
    pub fn of(it: &syn::ItemImpl) -> Self {
        let mut arguments = mentions(it.self_ty.to_token_stream());
        if let Some((path, _)) = &it.trait_ {
            arguments.extend(mentions(path.to_token_stream()));
        }
        let parameters: Vec<String> = it.generics.type_params().map(|it| unraw(&it.ident.to_string())).collect();
        arguments.retain(|name| !parameters.contains(name));
        Self {
            self_name: head_name(&it.self_ty).filter(|name| !parameters.contains(name)),
            trait_name: it.trait_.as_ref().and_then(|(path, _)| path_name(path)),
            arguments,
        }
    }
}

/// An impl block.
#[derive(Debug, Clone)]
pub struct Impl {
    /// What it is of: one, or as many as a macro made.
    pub heads: Vec<ImplHead>,
    /// Everything ahead of the braces: a second trait impl with the same header replaces the first.
    pub header: String,
    /// The names of methods and constants, and where they stand: a second method of that name replaces the first.
    pub members: Vec<(String, Range<usize>)>,
    /// Its constants and types.
    pub associated: Vec<Associated>,
    /// The text, with its edits.
    pub fragment: Fragment,
    /// The tokens as one string.
    pub tokens: String,
    /// The names that it mentions.
    pub mentions: Names,
}

impl Impl {
    /// Whether it can only be replaced as a whole: an impl of a trait, or what a macro made.
    pub fn is_whole(&self) -> bool {
        self.members.is_empty() || self.heads.iter().any(|head| head.trait_name.is_some())
    }

    /// Its methods and constants, each behind the name of the type: `Net::forward`.
    pub fn member_paths(&self) -> impl Iterator<Item = String> {
        let types = self.heads.iter().filter_map(|head| head.self_name.as_ref());
        types.flat_map(|ty| self.members.iter().map(move |(member, _)| format!("{ty}::{member}")))
    }

    /// The names of the type that it is for, and of the trait.
    pub fn owners(&self) -> impl Iterator<Item = String> {
        self.heads.iter().flat_map(|head| [&head.self_name, &head.trait_name]).flatten().cloned()
    }

    /// Whether it leaves nothing in force of what an older impl of the same header says of that.
    pub fn replaces(&self, older: &Associated) -> bool {
        match self.associated.iter().find(|own| own.name == older.name) {
            Some(own) => own.tokens != older.tokens,
            None => self.is_whole(),
        }
    }
}

/// A statement at the top level of a cell.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The text, with its edits.
    pub fragment: Fragment,
    /// What it is.
    pub kind: StatementKind,
    /// The names that it mentions other than to declare them.
    pub reads: Names,
    /// Whether it is a `let` that can neither fail nor run long, see [`crate::source::infallible::is_sure`].
    pub sure: bool,
    /// Whether it awaits something.
    pub awaits: bool,
}

/// What a statement means for the stages of its cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementKind {
    /// `let`
    Let {
        /// The names of its pattern.
        bindings: Vec<Binding>,
        /// Whether it is assigned later, `let x;`.
        deferred: bool,
        /// What its one variable is, as far as the code says so.
        value: LetValue,
    },
    /// The trailing expression, whose value is shown.
    Tail {
        /// Where it begins behind its attributes, as an offset in the cell's text.
        behind_attributes: usize,
    },
    /// Anything else.
    Other,
}

/// The value of a `let` of one variable, without a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LetValue {
    /// `|x| x + 1`
    Closure(Closure),
    /// `async { 1 }`
    Future,
    /// Anything else.
    Other,
}

/// A closure as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closure {
    /// Where in the cell's text.
    pub range: Range<usize>,
    /// Whether it takes what it captures.
    pub is_move: bool,
    /// The names in its arguments.
    pub arguments: Names,
}

impl LetValue {
    /// What a `let` says of its value.
    pub fn of(local: &syn::Local) -> Self {
        let (syn::Pat::Ident(_), Some(init)) = (&local.pat, &local.init) else { return Self::Other };
        match &*init.expr {
            syn::Expr::Closure(it) if it.asyncness.is_none() => Self::Closure(Closure {
                range: it.span().byte_range(),
                is_move: it.capture.is_some(),
                arguments: it.inputs.iter().flat_map(|argument| mentions(argument.to_token_stream())).collect(),
            }),
            syn::Expr::Async(_) => Self::Future,
            _ => Self::Other,
        }
    }
}

/// A name in a `let` pattern: a variable, unless it is that of a constant, a unit struct or a variant in scope, `None`
/// for one. Only rustc knows which; it is taken for a variable until rustc says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The name.
    pub name: String,
    /// Whether it was declared `mut`.
    pub mutable: bool,
    /// Where the name stands in the cell.
    pub range: Range<usize>,
}

/// What syn has to say of a cell that is not Rust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong.
    pub message: String,
    /// Where, as byte offsets in the cell's text.
    pub range: Range<usize>,
}

/// The name of a path that the cell has in scope.
fn path_name(path: &syn::Path) -> Option<String> {
    let mut names = path.segments.iter().map(|segment| unraw(&segment.ident.to_string()));
    names.find(|name| !matches!(name.as_str(), "crate" | "self" | "super"))
}

fn head_name(ty: &syn::Type) -> Option<String> {
    match ty {
        syn::Type::Reference(it) => head_name(&it.elem),
        syn::Type::Paren(it) => head_name(&it.elem),
        syn::Type::Group(it) => head_name(&it.elem),
        syn::Type::TraitObject(it) => it.bounds.iter().find_map(|bound| match bound {
            syn::TypeParamBound::Trait(bound) => path_name(&bound.path),
            _ => None,
        }),
        syn::Type::Path(it) => {
            let last = it.path.segments.last()?;
            // `Box` and `Pin` are fundamental: an impl for `Box<Net>` is an impl for `Net` to the orphan rule.
            if let ("Box" | "Pin", syn::PathArguments::AngleBracketed(arguments)) =
                (last.ident.to_string().as_str(), &last.arguments)
                && let Some(syn::GenericArgument::Type(inner)) = arguments.args.first()
            {
                return head_name(inner);
            }
            path_name(&it.path)
        }
        _ => None,
    }
}
