//! Tells which macros of the user's make items, and makes those items visible to later cells.
//!
//! This reads the tokens of `macro_rules!` definitions: whether an arm begins with `struct`, `fn`, `impl` and so on.
//! What a call of such a macro really makes, rustc says; see [`crate::plan::expand`].

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use syn::Token;
use syn::punctuated::Punctuated;

use crate::source::identifiers::{Names, unraw};
use crate::source::instrument::{Edits, MacroKind, start_of};
use crate::source::parse::UseLeaf;

/// What fragment each variable of a matcher stands for: `name` of `$name:ident` is an `ident`.
type Variables = BTreeMap<String, String>;

/// The macros whose calls may stand for items, as far as they are known.
#[derive(Debug, Clone, Default)]
pub struct ItemMacros {
    /// The user's own.
    pub own: Names,
    /// Names of macros that come from crates which the session has asked for.
    pub imported: Names,
    /// Those crates: a macro of one is known by its path.
    pub crates: Names,
    /// Whether all that one of them offers is in scope.
    pub anything: bool,
}

impl ItemMacros {
    /// Whether a call by this path may stand for items.
    pub fn may_make_items(&self, path: &syn::Path) -> bool {
        self.is_own(path) || self.is_foreign(path) || path.is_ident("include")
    }

    /// Whether it is a macro of the user's.
    fn is_own(&self, path: &syn::Path) -> bool {
        path.get_ident().is_some_and(|name| self.own.contains(&unraw(&name.to_string())))
    }

    /// Whether it is a macro of another crate: what that makes is not ours to write.
    pub fn is_foreign(&self, path: &syn::Path) -> bool {
        let first = path.segments.first().map(|first| unraw(&first.ident.to_string())).unwrap_or_default();
        if self.is_own(path) {
            false
        } else if path.segments.len() > 1 {
            self.crates.contains(&first)
        } else {
            self.imported.contains(&first) || (self.anything && MacroKind::of(&first) == MacroKind::Unknown)
        }
    }

    /// Whether a `use` declaration brings something of these crates.
    pub fn is_of_crates(&self, leaf: &UseLeaf) -> bool {
        let path = leaf.code.trim_start_matches("use ").trim_start_matches("::");
        self.crates.contains(&unraw(path.split([':', ';', ' ']).next().unwrap_or_default()))
    }

    /// Takes note of what a `use` declaration brings.
    pub fn learn_use(&mut self, leaf: &UseLeaf) {
        if self.is_of_crates(leaf) {
            self.imported.extend(leaf.name.clone());
            self.anything |= leaf.name.is_none();
        }
    }

    /// Whether a derive may make more than impls: one of another crate.
    pub fn may_derive_items(&self, attributes: &[syn::Attribute]) -> bool {
        let derives = attributes.iter().filter(|attribute| attribute.path().is_ident("derive"));
        !self.crates.is_empty() && derives.filter_map(derived).flatten().any(|path| !makes_impls_alone(&path))
    }
}

fn derived(attribute: &syn::Attribute) -> Option<Punctuated<syn::Path, Token![,]>> {
    attribute.parse_args_with(Punctuated::parse_terminated).ok()
}

/// Whether a derive is known to make impls and nothing else.
fn makes_impls_alone(path: &syn::Path) -> bool {
    const KNOWN: [&str; 12] = [
        "Clone",
        "Copy",
        "Debug",
        "Default",
        "Eq",
        "Hash",
        "Ord",
        "PartialEq",
        "PartialOrd",
        "Serialize",
        "Deserialize",
        "Error",
    ];
    path.segments.last().is_some_and(|last| KNOWN.iter().any(|known| last.ident == known))
}

/// Whether a call of the macro may stand for items; `known` are macros whose calls do.
pub fn makes_items(definition: TokenStream, known: &Names) -> bool {
    arms(definition).iter().any(|(variables, body)| begins_with_item(body.stream(), variables, known))
}

/// Makes the items that a macro writes, their fields and their methods visible to later cells.
pub fn publish(definition: TokenStream, edits: &mut Edits) {
    for (variables, body) in arms(definition) {
        Publisher { variables: &variables, edits }.items(body.stream());
    }
}

/// Makes the items visible that a call of another crate's macro holds, as `static` of
/// `lazy_static! { static ref A: B = c; }`.
pub fn publish_call(tokens: TokenStream, edits: &mut Edits) {
    Publisher { variables: &Variables::new(), edits }.items(tokens);
}

/// The variables and the body of each arm.
fn arms(definition: TokenStream) -> Vec<(Variables, Group)> {
    let mut groups = definition.into_iter().filter_map(|token| match token {
        TokenTree::Group(group) => Some(group),
        _ => None,
    });
    let mut arms = Vec::new();
    while let (Some(matcher), Some(body)) = (groups.next(), groups.next()) {
        let mut variables = Variables::new();
        collect_variables(matcher.stream(), &mut variables);
        arms.push((variables, body));
    }
    arms
}

fn collect_variables(matcher: TokenStream, variables: &mut Variables) {
    let tokens: Vec<TokenTree> = matcher.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => collect_variables(group.stream(), variables),
            TokenTree::Punct(dollar) if dollar.as_char() == '$' => {
                if let [TokenTree::Ident(name), TokenTree::Punct(colon), TokenTree::Ident(fragment), ..] =
                    &tokens[at + 1..]
                    && colon.as_char() == ':'
                {
                    variables.insert(name.to_string(), fragment.to_string());
                }
            }
            _ => {}
        }
    }
}

/// A piece of a macro's body.
enum Piece {
    /// `#[...]`, `#![...]`
    Attribute,
    /// `pub`, `pub(crate)`, and a variable that stands for one, with where that stands.
    Visibility(Option<(Span, Span)>),
    /// `$( ... )*`
    Repetition(Group),
    /// `$name`, with what it stands for.
    Variable { span: Span, name: String },
    /// Anything else.
    Token(TokenTree),
}

impl Piece {
    fn is(&self, word: &str) -> bool {
        matches!(self, Self::Token(TokenTree::Ident(ident)) if ident == word)
    }

    fn is_punct(&self, char: char) -> bool {
        matches!(self, Self::Token(TokenTree::Punct(punct)) if punct.as_char() == char)
    }

    fn group(&self, delimiter: Delimiter) -> Option<&Group> {
        match self {
            Self::Token(TokenTree::Group(group)) if group.delimiter() == delimiter => Some(group),
            _ => None,
        }
    }

    fn start(&self) -> Option<usize> {
        match self {
            Self::Variable { span, .. } => Some(span.byte_range().start),
            Self::Token(token) => Some(start_of(token)),
            _ => None,
        }
    }
}

fn pieces(body: TokenStream, variables: &Variables) -> Vec<Piece> {
    let tokens: Vec<TokenTree> = body.into_iter().collect();
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let (piece, len) = match &tokens[at..] {
            [TokenTree::Punct(hash), TokenTree::Group(group), ..]
                if hash.as_char() == '#' && group.delimiter() == Delimiter::Bracket =>
            {
                (Piece::Attribute, 2)
            }
            [TokenTree::Punct(dollar), TokenTree::Group(group), rest @ ..] if dollar.as_char() == '$' => {
                (Piece::Repetition(group.clone()), 2 + repetition_operator(rest))
            }
            [TokenTree::Punct(dollar), TokenTree::Ident(name), ..] if dollar.as_char() == '$' => {
                let (span, name) = (dollar.span(), name.clone());
                match variables.get(&name.to_string()).map(String::as_str) {
                    Some("vis") => (Piece::Visibility(Some((span, name.span()))), 2),
                    _ => (Piece::Variable { span, name: name.to_string() }, 2),
                }
            }
            [TokenTree::Ident(word), rest @ ..] if word == "pub" => {
                let in_parentheses = |group: &Group| group.delimiter() == Delimiter::Parenthesis;
                let restricted = matches!(rest.first(), Some(TokenTree::Group(group)) if in_parentheses(group));
                (Piece::Visibility(None), 1 + usize::from(restricted))
            }
            [token, ..] => (Piece::Token(token.clone()), 1),
            [] => break,
        };
        pieces.push(piece);
        at += len;
    }
    pieces
}

/// The length of `*`, `+`, `?`, or of a separator and one of these, behind `$( ... )`.
fn repetition_operator(tokens: &[TokenTree]) -> usize {
    let is_operator = |token: &TokenTree| matches!(token, TokenTree::Punct(it) if "*+?".contains(it.as_char()));
    match tokens {
        [operator, ..] if is_operator(operator) => 1,
        [_, operator, ..] if is_operator(operator) => 2,
        _ => 0,
    }
}

fn begins_with_item(body: TokenStream, variables: &Variables, known: &Names) -> bool {
    let pieces = pieces(body, variables);
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Attribute | Piece::Visibility(_) => {}
            Piece::Repetition(group) => {
                if begins_with_item(group.stream(), variables, known) {
                    return true;
                }
            }
            Piece::Variable { name, .. } => return variables.get(name).is_some_and(|fragment| fragment == "item"),
            Piece::Token(TokenTree::Ident(word)) => {
                let is_call = pieces.get(at + 1).is_some_and(|next| next.is_punct('!'));
                return keyword(&pieces[at..]).is_some() || (is_call && known.contains(&word.to_string()));
            }
            Piece::Token(_) => return false,
        }
    }
    false
}

/// The word that says what item begins here.
fn keyword(pieces: &[Piece]) -> Option<&'static str> {
    const WORDS: [&str; 10] = ["struct", "enum", "fn", "trait", "impl", "mod", "type", "static", "use", "macro_rules"];
    let first = pieces.first()?;
    if let Some(word) = WORDS.into_iter().find(|word| first.is(word)) {
        return Some(word);
    }
    let next = pieces.get(1)?;
    if first.is("const") {
        return if next.group(Delimiter::Brace).is_some() { None } else { keyword(&pieces[1..]).or(Some("const")) };
    }
    if first.is("union") {
        return matches!(next, Piece::Variable { .. } | Piece::Token(TokenTree::Ident(_))).then_some("union");
    }
    if first.is("extern") {
        let behind_abi = if matches!(next, Piece::Token(TokenTree::Literal(_))) { 2 } else { 1 };
        return keyword(&pieces[behind_abi..]);
    }
    (first.is("unsafe") || first.is("async")).then(|| keyword(&pieces[1..])).flatten()
}

struct Publisher<'a> {
    variables: &'a Variables,
    edits: &'a mut Edits,
}

impl Publisher<'_> {
    /// Goes through items or members, those in repetitions too. `publish` takes the pieces from one on and whether it
    /// is public already, and says how many pieces it has; where it says nothing, what follows may be something else.
    fn each(&mut self, body: TokenStream, publish: fn(&mut Self, &[Piece], bool) -> Option<usize>) {
        let pieces = pieces(body, self.variables);
        let mut rest = &pieces[..];
        let mut is_public = false;
        while let [first, behind @ ..] = rest {
            rest = behind;
            match first {
                Piece::Attribute => {}
                Piece::Visibility(variable) => {
                    self.lift(*variable);
                    is_public = true;
                }
                Piece::Repetition(group) => self.each(group.stream(), publish),
                _ => {
                    let item = &pieces[pieces.len() - behind.len() - 1..];
                    let Some(length) = publish(self, item, is_public) else { return };
                    rest = &item[length..];
                    is_public = false;
                }
            }
        }
    }

    fn items(&mut self, body: TokenStream) {
        self.each(body, |publisher, pieces, is_public| {
            let word = keyword(pieces)?;
            let item = &pieces[..item_length(pieces, word)];
            publisher.item(item, word, is_public);
            Some(item.len())
        });
    }

    fn item(&mut self, item: &[Piece], word: &str, is_public: bool) {
        let named_by_caller = || {
            let name = item.iter().position(|piece| piece.is(word)).and_then(|at| item.get(at + 1));
            matches!(name, Some(Piece::Variable { .. }))
        };
        let visible = match word {
            // Where the name is fixed, this may be the member of a trait's impl, which takes no `pub`.
            "const" | "type" => named_by_caller(),
            "fn" => !item.iter().any(mentions_self),
            "impl" | "use" | "macro_rules" => false,
            _ => true,
        };
        if visible && !is_public {
            self.edits.insert(item.first().and_then(Piece::start), "pub ");
        }
        match word {
            "macro_rules" => self.edits.insert(item.first().and_then(Piece::start), "#[macro_export] "),
            "struct" | "union" => {
                let body = item.iter().find_map(|piece| {
                    piece.group(Delimiter::Brace).or_else(|| piece.group(Delimiter::Parenthesis)).cloned()
                });
                if let Some(body) = body {
                    self.fields(body.stream(), body.delimiter() == Delimiter::Brace);
                }
            }
            "impl" if !item.iter().any(|piece| piece.is("for")) => {
                if let Some(body) = item.last().and_then(|piece| piece.group(Delimiter::Brace)) {
                    self.members(body.stream());
                }
            }
            _ => {}
        }
    }

    fn fields(&mut self, body: TokenStream, named: bool) {
        let pieces = pieces(body, self.variables);
        let mut fresh = true;
        for (at, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Attribute => {}
                Piece::Visibility(variable) => {
                    self.lift(*variable);
                    fresh = false;
                }
                Piece::Repetition(group) if fresh => self.fields(group.stream(), named),
                _ if fresh => {
                    let is_field = if named {
                        pieces.get(at + 1).is_some_and(|next| next.is_punct(':'))
                    } else {
                        match piece {
                            Piece::Variable { name, .. } => self.variables.get(name).is_some_and(|it| it == "ty"),
                            _ => !piece.is_punct(','),
                        }
                    };
                    if is_field {
                        self.edits.insert(piece.start(), "pub ");
                    }
                    fresh = piece.is_punct(',');
                }
                _ => fresh = piece.is_punct(','),
            }
        }
    }

    /// The functions and constants of an inherent impl.
    fn members(&mut self, body: TokenStream) {
        self.each(body, |publisher, pieces, is_public| {
            let word = keyword(pieces).filter(|word| matches!(*word, "fn" | "const"))?;
            if !is_public {
                publisher.edits.insert(pieces[0].start(), "pub ");
            }
            Some(item_length(pieces, word))
        });
    }

    /// Makes `pub` of a variable that may stand for nothing.
    fn lift(&mut self, variable: Option<(Span, Span)>) {
        if let Some((dollar, name)) = variable {
            self.edits.replace(dollar.byte_range().start..name.byte_range().end, "pub");
        }
    }
}

fn mentions_self(piece: &Piece) -> bool {
    fn in_tokens(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => ident == "self" || ident == "Self",
            TokenTree::Group(group) => in_tokens(group.stream()),
            _ => false,
        })
    }
    match piece {
        Piece::Token(token) => in_tokens(token.clone().into()),
        _ => false,
    }
}

/// How many pieces the item takes.
fn item_length(pieces: &[Piece], word: &str) -> usize {
    let ends = |piece: &Piece| match word {
        "const" | "static" | "type" | "use" => piece.is_punct(';'),
        _ => piece.is_punct(';') || piece.group(Delimiter::Brace).is_some(),
    };
    pieces.iter().position(ends).map_or(pieces.len(), |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(code: &str) -> syn::ItemMacro {
        crate::source::nesting::tree(code)
    }

    fn check(code: &str, expected: &str) {
        let mut edits = Edits::default();
        publish(definition(code).mac.tokens, &mut edits);
        let mut edited = code.to_owned();
        for edit in edits.finish().iter().rev() {
            edited.replace_range(edit.at..edit.at + edit.replaces, &edit.insert);
        }
        assert_eq!(edited, expected);
    }

    #[test]
    fn a_macro_whose_arm_begins_with_an_item_makes_items() {
        let known = Names::from(["inner".to_owned()]);
        let makes = |code: &str| makes_items(definition(code).mac.tokens, &known);
        assert!(makes("macro_rules! m { ($n:ident) => { #[derive(Debug)] struct $n; }; }"));
        assert!(makes("macro_rules! m { ($($t:ty),*) => { $(impl A for $t {})* }; }"));
        assert!(makes("macro_rules! m { (a) => { 1 }; ($v:vis $n:ident) => { $v const fn $n() {} }; }"));
        assert!(makes("macro_rules! m { ($($i:item)*) => { $($i)* }; }"));
        assert!(makes("macro_rules! m { () => { inner! { A } }; }"));
        assert!(!makes("macro_rules! m { ($e:expr) => { $e * 2 }; }"));
        assert!(!makes("macro_rules! m { ($e:expr) => {{ fn f() {} f() }}; }"));
        assert!(!makes("macro_rules! m { ($n:ident) => { let $n = 1; }; }"));
        assert!(!makes("macro_rules! m { () => { const { 1 } }; }"));
    }

    #[test]
    fn what_a_macro_writes_becomes_visible() {
        check(
            "macro_rules! m { ($n:ident { $($f:ident: $t:ty),* }) => { struct $n { $($f: $t),*, x: u8 } impl $n { fn f(&self) {} const C: u8 = 1; } }; }",
            "macro_rules! m { ($n:ident { $($f:ident: $t:ty),* }) => { pub struct $n { $(pub $f: $t),*, pub x: u8 } impl $n { pub fn f(&self) {} pub const C: u8 = 1; } }; }",
        );
        check(
            "macro_rules! m { ($v:vis $n:ident, $t:ty) => { $v struct $n($t, pub u8); fn $n() {} }; }",
            "macro_rules! m { ($v:vis $n:ident, $t:ty) => { pub struct $n(pub $t, pub u8); pub fn $n() {} }; }",
        );
    }

    #[test]
    fn members_of_a_traits_impl_stay_as_they_are() {
        for code in [
            "macro_rules! m { ($t:ty) => { impl A for $t { const C: u8 = 1; fn f(&self) {} } }; }",
            "macro_rules! m { () => { fn f(&self) -> u8 { 1 } }; }",
            "macro_rules! m { ($e:expr) => { const SIZE: usize = $e; type Output = u8; }; }",
            "macro_rules! m { ($e:expr) => { let x = $e; struct A; }; }",
        ] {
            check(code, code);
        }
    }
}
