//! The type of a name that the cell itself declares ahead of a place: by `let`, as a parameter, in a loop or a closure.

use ra_ap_rustc_lexer::TokenKind;
use syn::{Expr, Pat, Stmt};

use crate::assist::types::receiver::{Token, opening, significant, start_of};
use crate::assist::types::{Bindings, Place, Type, signatures};
use crate::source::nesting::parsed;
use crate::source::words::{closes, closing};

/// A text by its tokens.
struct Cell<'a> {
    text: &'a str,
    found: Vec<Token>,
}

impl Cell<'_> {
    fn kind(&self, at: usize) -> Option<TokenKind> {
        self.found.get(at).map(|(kind, _)| *kind)
    }

    fn word(&self, at: usize) -> &str {
        self.found.get(at).map_or("", |(_, range)| &self.text[range.clone()])
    }

    /// The text of some tokens.
    fn code(&self, from: usize, to: usize) -> &str {
        if from >= to { "" } else { &self.text[self.found[from].1.start..self.found[to - 1].1.end] }
    }

    /// Whether a name is among some tokens.
    fn has(&self, name: &str, from: usize, to: usize) -> bool {
        (from..to).any(|at| self.word(at) == name)
    }

    /// The first token from here on of such a kind outside of brackets; the end of the text where there is none.
    fn end(&self, from: usize, ends: &[TokenKind]) -> usize {
        let mut open = 0_i32;
        (from..self.found.len())
            .find(|at| {
                let kind = self.found[*at].0;
                let is_end = open == 0 && ends.contains(&kind);
                if closing(kind).is_some() {
                    open += 1;
                } else if closes(kind) {
                    open -= 1;
                }
                is_end || open < 0
            })
            .unwrap_or(self.found.len())
    }
}

impl Place<'_> {
    /// `let half: usize` of a name that the cell declares; without the type where that is not known.
    pub(crate) fn declaration(self, name: &str) -> Option<String> {
        let ty = self.local(name)?;
        Some(if ty.is_known() { format!("let {name}: {ty}") } else { format!("let {name}") })
    }

    /// The type of a name that the cell declares; `None` where it does not. `self` is the type of the impl around.
    pub(super) fn local(self, name: &str) -> Option<Type> {
        let key = (name.to_owned(), self.before.len());
        let known = self.definitions.locals.lock().get(&key).cloned();
        known.unwrap_or_else(|| {
            let found = self.find_local(name);
            self.definitions.locals.lock().insert(key, found.clone());
            found
        })
    }

    fn find_local(self, name: &str) -> Option<Type> {
        let cell = Cell { text: self.before, found: significant(self.before) };
        let mut at = cell.found.len();
        // Where the closed blocks begin that were passed: what is declared for them ends with them.
        let mut closed = Vec::new();
        while let Some(token) = at.checked_sub(1) {
            at = token;
            if cell.kind(at).is_some_and(closes) {
                at = opening(&cell.found, at)?;
                closed.push(at);
                continue;
            }
            if let Some(ty) = self.declared_at(&cell, at, name, &closed) {
                return Some(ty);
            }
        }
        None
    }

    fn declared_at(self, cell: &Cell, at: usize, name: &str, closed: &[usize]) -> Option<Type> {
        match (cell.word(at), cell.kind(at)?) {
            ("let", _) if matches!(cell.word(at.wrapping_sub(1)), "if" | "while") => {
                let body = cell.end(at, &[TokenKind::OpenBrace]);
                let pattern = cell.end(at, &[TokenKind::Eq]);
                (!closed.contains(&body) && cell.has(name, at, pattern)).then(|| {
                    let code = format!("if {} {{}}", cell.code(at, body));
                    parsed(&code, |it: syn::ExprIf| match &*it.cond {
                        Expr::Let(it) => self.ahead(cell, at).bound(&it.pat, &it.expr, name),
                        _ => None,
                    })
                    .flatten()
                    .unwrap_or_else(Type::unknown)
                })
            }
            ("let", _) => {
                let end = cell.end(at, &[TokenKind::Semi]);
                let pattern = cell.end(at, &[TokenKind::Eq, TokenKind::Semi]);
                // What is being declared is not there in its own value.
                (end < cell.found.len() && cell.has(name, at, pattern)).then(|| {
                    let read = parsed(cell.code(at, end + 1), |it: Stmt| match it {
                        Stmt::Local(it) => match &it.init {
                            Some(init) => self.ahead(cell, at).bound(&it.pat, &init.expr, name),
                            None => self.matched(&it.pat, &Type::unknown(), name),
                        },
                        _ => None,
                    });
                    read.flatten().unwrap_or_else(Type::unknown)
                })
            }
            ("for", _) => {
                let body = cell.end(at, &[TokenKind::OpenBrace]);
                let pattern = (at..body).find(|at| cell.word(*at) == "in")?;
                (body < cell.found.len() && !closed.contains(&body) && cell.has(name, at, pattern)).then(|| {
                    let code = format!("{} {{}}", cell.code(at, body));
                    let read = parsed(&code, |it: syn::ExprForLoop| {
                        let place = self.ahead(cell, at);
                        place.matched(&it.pat, &place.item_of(&place.infer(&it.expr)), name)
                    });
                    read.flatten().unwrap_or_else(Type::unknown)
                })
            }
            ("fn", _) => {
                let body = cell.end(at, &[TokenKind::OpenBrace]);
                (body < cell.found.len() && !closed.contains(&body) && cell.has(name, at, body)).then_some(())?;
                let code = format!("{} {{}}", cell.code(at, body));
                let read = parsed(&code, |it: syn::ItemFn| {
                    it.sig.inputs.iter().find_map(|input| match input {
                        syn::FnArg::Typed(it) => self.matched(&it.pat, &Type::read(&it.ty, &Bindings::new()), name),
                        syn::FnArg::Receiver(_) => None,
                    })
                });
                read.flatten()
            }
            ("impl", _) if matches!(name, "self" | "Self") => {
                let body = cell.end(at, &[TokenKind::OpenBrace]);
                let code = format!("{} {{}}", cell.code(at, body));
                (body < cell.found.len() && !closed.contains(&body)).then_some(())?;
                parsed(&code, |it: syn::ItemImpl| Type::read(&it.self_ty, &Bindings::new()))
            }
            (_, TokenKind::Or) => self.in_closure(cell, at, name),
            _ => None,
        }
    }

    fn ahead(self, cell: &Cell, at: usize) -> Self {
        self.up_to(cell.found[at].1.start)
    }

    /// A parameter of the closure whose parameters end with the bar at `end`.
    fn in_closure(self, cell: &Cell, end: usize, name: &str) -> Option<Type> {
        let start = (0..end).rev().find(|at| cell.kind(*at) == Some(TokenKind::Or))?;
        let before = start.checked_sub(1);
        let before = before.and_then(|at| if cell.word(at) == "move" { at.checked_sub(1) } else { Some(at) });
        let begins = before.and_then(|at| cell.kind(at));
        let begins = begins.is_none_or(|kind| {
            matches!(kind, TokenKind::OpenParen | TokenKind::Comma | TokenKind::Eq | TokenKind::OpenBrace)
        });
        if !begins || !cell.has(name, start, end) {
            return None;
        }
        let given = before.and_then(|at| self.given(cell, at)).unwrap_or_default();
        let code = format!("{} ()", cell.code(start, end + 1));
        let read = parsed(&code, |it: syn::ExprClosure| {
            let unknown = Type::unknown();
            let mut inputs = it.inputs.iter().enumerate();
            inputs.find_map(|(index, pattern)| self.matched(pattern, given.get(index).unwrap_or(&unknown), name))
        });
        Some(read.flatten().unwrap_or_else(Type::unknown))
    }

    /// What the closure is given that is an argument behind this bracket or comma.
    fn given(self, cell: &Cell, at: usize) -> Option<Vec<Type>> {
        let mut argument = 0;
        let mut open = at;
        while cell.kind(open)? != TokenKind::OpenParen {
            match cell.kind(open)? {
                kind if closes(kind) => open = opening(&cell.found, open)?,
                kind if closing(kind).is_some() => return None,
                TokenKind::Comma => argument += 1,
                _ => {}
            }
            open = open.checked_sub(1)?;
        }
        let dot = open.checked_sub(2).filter(|dot| cell.kind(*dot) == Some(TokenKind::Dot))?;
        let receiver = start_of(cell.text, &cell.found[..dot])?;
        let place = self.ahead(cell, receiver);
        let ty = place.type_of(cell.code(receiver, dot));
        let found = place.member(&ty, cell.word(open - 1))?;
        signatures::given_to_closure(&found.member.signature, argument, found.bound)
    }

    /// The type that a pattern gives a name where it takes this value apart.
    fn bound(self, pattern: &Pat, value: &Expr, name: &str) -> Option<Type> {
        self.matched(pattern, &self.infer(value), name)
    }

    fn matched(self, pattern: &Pat, ty: &Type, name: &str) -> Option<Type> {
        match pattern {
            Pat::Ident(it) if it.ident == name => Some(ty.clone()),
            Pat::Ident(it) => self.matched(&it.subpat.as_ref()?.1, ty, name),
            Pat::Paren(it) => self.matched(&it.pat, ty, name),
            Pat::Reference(it) => self.matched(&it.pat, ty, name),
            Pat::Slice(it) => it.elems.iter().find_map(|part| self.matched(part, &ty.argument(0), name)),
            Pat::Struct(it) => {
                it.fields.iter().find_map(|part| self.matched(&part.pat, &self.field(ty, &part.member), name))
            }
            Pat::Tuple(it) => {
                let part = |(at, part)| self.matched(part, &ty.argument(at), name);
                it.elems.iter().enumerate().find_map(part)
            }
            Pat::TupleStruct(it) => {
                let carries = it.path.segments.last().is_some_and(|last| last.ident == "Some" || last.ident == "Ok");
                let inner = if carries { ty.argument(0) } else { Type::unknown() };
                it.elems.iter().find_map(|part| self.matched(part, &inner, name))
            }
            Pat::Type(it) => self.matched(&it.pat, &Type::read(&it.ty, &Bindings::new()), name),
            _ => None,
        }
    }
}
