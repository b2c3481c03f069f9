//! What is known of the name at the cursor.

use std::time::Duration;

use oxtorch_session::{CellRequest, Documentation, Engine};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use ra_ap_rustc_lexer::TokenKind;

use crate::assist::completion::{self, behind::COMMON};
use crate::assist::markdown::{Part, documentation};
use crate::assist::standard;
use crate::assist::types::definitions::Definitions;
use crate::assist::types::receiver::{expression_at_end, expression_of, significant};
use crate::assist::types::{Found, Place, Type};
use crate::cell::{Execution, NativeEngine};
use crate::host::Host;
use crate::source::identifiers::Names;
use crate::source::words::{closes, closing, first_name, in_name};

/// A value that does not describe itself within this time is left out.
const LOOK: Duration = Duration::from_secs(1);

impl NativeEngine {
    /// The documentation of the name at the byte `cursor`, or of the function whose arguments are being typed there;
    /// for a variable its type and what it is like now; the source where that is wanted.
    ///
    /// What the session and the libraries tell of a name comes first. Of what a name is where only the types around it
    /// tell, rust-analyzer knows more.
    pub(crate) async fn inspection(&mut self, cell: &str, cursor: usize, with_source: bool) -> Option<Documentation> {
        let name = name_at(cell, cursor);
        let known = name.filter(|name| self.knows_path(name));
        let target = name.map(|name| self.target(cell, name));
        let mut parts = match &target {
            Some(target) if known.is_some() => self.documented(target).await,
            _ => None,
        };
        if parts.is_none()
            && let Some((analyzer, document)) = self.analyzer_for(cell, cursor)
        {
            let patience = Self::patience(name.is_some_and(|name| name.contains("::")));
            let text = if is_on_name(cell, cursor) {
                self.within(patience, analyzer.name(&document)).await
            } else {
                self.within(patience, analyzer.call(&document)).await
            };
            parts = text.map(|text| vec![Part::Verbatim(text)]);
        }
        if parts.is_none() {
            parts = self.own_help(target.as_ref()?).await;
        }
        if parts.is_none() {
            parts = self.help_of_likeliest(cell, cursor).await;
        }
        let mut parts = parts?;
        if let Some(told) = target.as_ref().and_then(Target::told_associated) {
            parts.insert(1.min(parts.len()), told);
        }
        let variable = name.filter(|name| self.state.variables.live.contains_key(*name));
        if let Some(name) = variable {
            parts.extend(self.value_of(name).await.map(Part::Verbatim));
        } else if with_source {
            parts.extend(self.source(name, cell, cursor).await.map(Part::Code));
        }
        Some(documentation(&parts))
    }

    /// Whether it is known what the name belongs to.
    fn knows_path(&self, path: &str) -> bool {
        match path.split_once('.') {
            Some((owner, rest)) => self.state.variables.live.contains_key(owner) && !rest.contains('.'),
            None => self.state.knows(path.split("::").next().unwrap_or(path).trim_end_matches('!')),
        }
    }

    /// What is asked for by a name, or by what stands behind the last dot of an expression.
    fn target(&self, cell: &str, expression: &str) -> Target {
        let definitions = Definitions::new(&self.state, cell);
        let place = Place::new(&definitions, ahead_of(cell, expression));
        match parted(expression) {
            Some((receiver, name)) => Target::of_method(place, receiver, name),
            None => Target::of_path(place, expression),
        }
    }

    /// Its documentation, or else its declaration.
    async fn own_help(&self, target: &Target) -> Option<Vec<Part>> {
        match self.documented(target).await {
            Some(parts) => Some(parts),
            None => self.declared(target).await,
        }
    }

    async fn documented(&self, target: &Target) -> Option<Vec<Part>> {
        if let Some(declaration) = &target.local {
            return Some(vec![Part::Code(declaration.clone())]);
        }
        let parts = self.documentation(&target.path).await.ok()?;
        Some(parts).filter(|parts| !target.is_without_page(parts))
    }

    /// Its declaration; of a name of the standard library also where its page is.
    async fn declared(&self, target: &Target) -> Option<Vec<Part>> {
        let declaration = target.declaration.clone().filter(|text| !text.is_empty())?;
        let told = if target.is_standard { self.documentation(&target.path).await.ok() } else { None };
        let address = told.filter(|parts| target.is_without_page(parts)).into_iter().flatten().skip(1);
        Some(std::iter::once(Part::Code(declaration)).chain(address).collect())
    }

    /// Of a name that is typed in part, what is known of the one that Tab offers first.
    async fn help_of_likeliest(&self, cell: &str, cursor: usize) -> Option<Vec<Part>> {
        let dir = self.current_dir().unwrap_or_default();
        let own = completion::complete(&self.state, &dir, cell, cursor);
        let typed = own.typed();
        let completion = own.with(Vec::new());
        let first = completion.candidates.first().filter(|_| typed > 0)?;
        let whole = format!("{}{}", &cell[..completion.range.start], first.text);
        let path = expression_at_end(&whole);
        (path.contains("::") || path.contains('.')).then_some(())?;
        self.own_help(&self.target(&whole, path)).await
    }

    /// The source of the session's own items, and with rust-analyzer of everything.
    async fn source(&mut self, path: Option<&str>, cell: &str, cursor: usize) -> Option<String> {
        if let Some(live) = path.and_then(|path| self.state.scope.find(path)) {
            return Some(live.item.fragment.text().to_owned());
        }
        let (analyzer, document) = self.analyzer_for(cell, cursor)?;
        self.within(Self::patience(false), analyzer.source(&document)).await
    }

    /// What a variable is like: shape and device, length, or value.
    async fn value_of(&mut self, name: &str) -> Option<String> {
        // A host that is gone is for the next cell to notice, which tells the user.
        if !self.host.as_mut().is_some_and(Host::is_alive) {
            return None;
        }
        let interrupter = self.interrupter();
        let request = CellRequest::new(name, 0);
        let (events, mut shown) = mpsc::channel(16);
        let names = Names::from_iter([name.to_owned()]);
        let mut described = std::pin::pin!(self.describe_variables(names, Execution { request, events: &events }));
        let deadline = Instant::now() + LOOK;
        let mut waits = true;
        let described = loop {
            tokio::select! {
                described = &mut described => break described,
                // What a value's own `Debug` prints is for nobody.
                Some(_) = shown.recv() => {}
                () = sleep_until(deadline), if waits => {
                    waits = false;
                    interrupter.interrupt();
                }
            }
        };
        let described = described.ok()?.pop()?;
        let device = described.device.map(|device| format!(" on {device}")).unwrap_or_default();
        Some(format!("{}{device}", described.what))
    }
}

/// A name that is asked for.
struct Target {
    /// What it is documented under.
    path: String,
    /// Of a name that the cell itself declares, the declaration.
    local: Option<String>,
    declaration: Option<String>,
    is_standard: bool,
    /// The associated types in the declaration of a method, and what they are for its receiver.
    associated: Vec<(String, String)>,
}

impl Target {
    fn of_method(place: Place, receiver: &str, name: &str) -> Self {
        let ty = place.type_of(receiver);
        // Where the type is not known, the method is most likely one of a common type.
        let common = || COMMON.iter().find_map(|ty| place.member(&Type::simple(ty), name));
        let found = if ty.is_known() { place.member(&ty, name) } else { common() };
        let associated =
            found.as_ref().map(|found| place.associated_types(&found.member.signature, &ty)).unwrap_or_default();
        Self { associated, ..Self::of(found.as_ref().map(|found| format!("{}::{name}", found.owner)), found, name) }
    }

    fn of_path(place: Place, path: &str) -> Self {
        let found = place.declared(path);
        let is_of_type = |found: &Found| !found.is_standard || standard::find(&found.owner).is_some();
        let known = match &found {
            // A variant is explained with its enum.
            Some(found) if found.member.is_variant() && is_of_type(found) => Some(found.owner.clone()),
            Some(found) if found.is_standard && !path.contains("::") => None,
            _ => Some(path.to_owned()),
        };
        Self { local: place.declaration(path), ..Self::of(known, found, path) }
    }

    fn of(path: Option<String>, found: Option<Found>, name: &str) -> Self {
        let is_standard = path.is_some() && found.as_ref().is_some_and(|found| found.is_standard);
        let path = path.unwrap_or_else(|| name.to_owned());
        let root = if is_standard && !path.starts_with("std::") { "std::" } else { "" };
        let declaration = found.map(|found| found.member.signature);
        Self { path: format!("{root}{path}"), local: None, declaration, is_standard, associated: Vec::new() }
    }

    /// What the associated types in the declaration are.
    fn told_associated(&self) -> Option<Part> {
        let told = self.associated.iter().map(|(name, ty)| format!("`{name}` is `{ty}`")).collect::<Vec<_>>();
        (!told.is_empty()).then(|| Part::Text(format!("Here {}.", told.join(", "))))
    }

    /// Whether a documentation says nothing but where the page would be.
    fn is_without_page(&self, parts: &[Part]) -> bool {
        self.is_standard && parts.first() == Some(&Part::Place(self.path.clone()))
    }
}

/// The receiver and the name of `x.relu().sum`; `None` where there is no dot outside of brackets.
fn parted(expression: &str) -> Option<(&str, &str)> {
    let found = significant(expression);
    let dot = found.len().checked_sub(2).filter(|dot| found[*dot].0 == TokenKind::Dot)?;
    Some((&expression[..found[dot].1.start], &expression[found[dot + 1].1.clone()]))
}

/// The cell up to the place where a part of it begins.
fn ahead_of<'a>(cell: &'a str, part: &str) -> &'a str {
    let start = part.as_ptr().addr().checked_sub(cell.as_ptr().addr());
    start.and_then(|start| cell.get(..start)).unwrap_or_default()
}

/// Whether the cursor is at a name, and not between parentheses.
fn is_on_name(cell: &str, cursor: usize) -> bool {
    !with_name_at(cell, cursor).is_empty()
}

/// The cell up to the end of the name at the cursor; empty where no name is there, but a number or a string, say.
fn with_name_at(cell: &str, cursor: usize) -> &str {
    let text = &cell[..cursor + first_name(&cell[cursor..]).len()];
    let is_name = match significant(text)[..] {
        [.., (TokenKind::Dot, _), (TokenKind::Literal { .. }, _)] => true,
        [.., (kind, _)] => matches!(kind, TokenKind::Ident | TokenKind::RawIdent),
        [] => false,
    };
    if is_name && text.ends_with(in_name) { text } else { "" }
}

/// `nn::linear` or `x.relu().sum` at any of the last name's characters, and between the brackets of its call.
fn name_at(cell: &str, cursor: usize) -> Option<&str> {
    let text = with_name_at(cell, cursor);
    if !text.is_empty() {
        return Some(expression_at_end(text)).filter(|name| !name.is_empty()).map(|name| with_bang(cell, name));
    }
    let found = significant(&cell[..cursor]);
    let mut closed = 0;
    let mut open = found.len();
    while let Some(at) = open.checked_sub(1) {
        open = at;
        let kind = found[at].0;
        if closes(kind) {
            closed += 1;
        } else if closing(kind).is_some() && closed > 0 {
            closed -= 1;
        } else if closing(kind).is_some() {
            let is_macro = at > 0 && found[at - 1].0 == TokenKind::Bang;
            let callee = expression_of(cell, &found[..at - usize::from(is_macro)]);
            match kind {
                _ if callee.ends_with(in_name) && (is_macro || kind == TokenKind::OpenParen) => {
                    return Some(with_bang(cell, callee));
                }
                TokenKind::OpenBrace => return None,
                _ => {}
            }
        }
    }
    None
}

/// A name of the cell as that of a macro, if it is one there: `println!`.
fn with_bang<'a>(cell: &'a str, name: &'a str) -> &'a str {
    let start = ahead_of(cell, name).len();
    let end = start + name.len();
    let is_macro = cell[end..].starts_with('!') && !cell[end..].starts_with("!=");
    if is_macro { &cell[start..=end] } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(marked: &str, name: Option<&str>) {
        let cursor = marked.find('|').expect("marks the cursor");
        assert_eq!(name_at(&marked.replace('|', ""), cursor), name, "{marked}");
    }

    #[test]
    fn a_name_is_found_at_any_of_its_characters() {
        check("let y = |scale(2);", Some("scale"));
        check("let y = sc|ale(2);", Some("scale"));
        check("let y = scale|(2);", Some("scale"));
        check("nn::lin|ear(vs)", Some("nn::linear"));
        check("n|n::linear(vs)", Some("nn"));
        check("x.matmul|(&y)", Some("x.matmul"));
        check("f(x).relu|()", Some("f(x).relu"));
        check("变|量 + 1", Some("变量"));
    }

    #[test]
    fn between_parentheses_the_function_is_meant() {
        check("scale(|)", Some("scale"));
        check("scale(f(1), |)", Some("scale"));
        check("x.matmul(&|)", Some("x.matmul"));
        check("println!(|)", Some("println!"));
        check("println!(\"{})\", x.sum(|", Some("x.sum"));
        check("assert!(x.size(|), [2]);", Some("x.size"));
        check("vec![|", Some("vec!"));
        check("for|mat!(\"{x}\")", Some("format!"));
        check("x| != y", Some("x"));
        check("x|!=y", Some("x"));
        check("Tensor::randint(10|", Some("Tensor::randint"));
        check("Tensor::randint(|10, [2])", Some("Tensor::randint"));
        check("Tensor::randint(1|0, [2])", Some("Tensor::randint"));
        check("x.view([2, -1|])", Some("x.view"));
        check("f(\"some wo|rds\")", Some("f"));
        check("pair.0|", Some("pair.0"));
        check("vec![Tensor::ze|]", Some("Tensor::ze"));
        check("nn::linear(vs.root(), &[|", Some("nn::linear"));
        check("if ok { f(); |", None);
    }
}
