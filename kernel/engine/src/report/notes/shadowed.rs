//! A `let` in a loop that was to change a variable ahead of it: `let w = &w - &step;` makes another `w` in each round.

use syn::Block;
use syn::spanned::Spanned as _;
use syn::visit::Visit;

use crate::source::nesting::read;
use crate::source::source_map::line_of;
use crate::source::words::in_name;

/// What the user reads of the `let`s in a cell's loops whose variable nothing uses, and whose value mentions the
/// variable of that name ahead of the loop.
pub fn notes(text: &str) -> Vec<String> {
    if !["for ", "while ", "loop"].iter().any(|word| text.contains(word)) {
        return Vec::new();
    }
    let read = read(Block::parse_within, text, |statements| {
        let mut loops = Loops { text, found: Vec::new() };
        statements.iter().flatten().for_each(|statement| loops.visit_stmt(statement));
        loops.found
    });
    let found = read.unwrap_or_default();
    let note = |(name, at): (String, usize)| {
        format!(
            "line {}: this `let` makes another `{name}` in each round of the loop, and nothing uses it. To change the one \
             ahead of the loop, which has to be `mut`, write `{name} = ...;`",
            line_of(text, at)
        )
    };
    found.into_iter().map(note).collect()
}

/// The loops of a text.
struct Loops<'a> {
    text: &'a str,
    /// The names, and where their `let`s are.
    found: Vec<(String, usize)>,
}

impl Loops<'_> {
    fn look_at(&mut self, body: &Block) {
        let end = body.brace_token.span.close().byte_range().start;
        for (at, statement) in body.stmts.iter().enumerate() {
            let syn::Stmt::Local(local) = statement else { continue };
            let Some(init) = &local.init else { continue };
            let (range, value) = (local.span().byte_range(), init.expr.span().byte_range());
            let (Some(behind), Some(value)) = (self.text.get(range.end..end), self.text.get(value)) else { continue };
            let earlier = body.stmts[..at].iter().flat_map(declared).collect::<Vec<_>>();
            let is_lost = |name: &String| mentions(value, name) && !mentions(behind, name) && !earlier.contains(name);
            self.found.extend(names(&local.pat).into_iter().filter(is_lost).map(|name| (name, range.start)));
        }
    }
}

impl<'ast> Visit<'ast> for Loops<'_> {
    fn visit_expr_for_loop(&mut self, it: &'ast syn::ExprForLoop) {
        self.look_at(&it.body);
        syn::visit::visit_expr_for_loop(self, it);
    }

    fn visit_expr_while(&mut self, it: &'ast syn::ExprWhile) {
        self.look_at(&it.body);
        syn::visit::visit_expr_while(self, it);
    }

    fn visit_expr_loop(&mut self, it: &'ast syn::ExprLoop) {
        self.look_at(&it.body);
        syn::visit::visit_expr_loop(self, it);
    }
}

/// The names that a statement declares.
fn declared(statement: &syn::Stmt) -> Vec<String> {
    match statement {
        syn::Stmt::Local(local) => names(&local.pat),
        _ => Vec::new(),
    }
}

/// The names of a pattern that is one, or a tuple of them.
fn names(pattern: &syn::Pat) -> Vec<String> {
    match pattern {
        syn::Pat::Ident(it) if it.by_ref.is_none() => vec![it.ident.to_string()],
        syn::Pat::Type(it) => names(&it.pat),
        syn::Pat::Tuple(it) => it.elems.iter().flat_map(names).collect(),
        _ => Vec::new(),
    }
}

/// Whether a name is a word of a text, also of a format string in it. As a field or a method of something it is
/// another.
fn mentions(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let (before, behind) = (&text[..at], &text[at + name.len()..]);
        !before.ends_with(|char| in_name(char) || char == '.') && !behind.starts_with(in_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(text: &str) -> usize {
        notes(text).len()
    }

    #[test]
    fn a_variable_that_each_round_makes_anew_is_told() {
        assert_eq!(noted("let w = 1.0;\nfor _ in 0..3 {\n    let w = w - 0.1;\n}\nw"), 1);
        assert_eq!(noted("fn f() { loop { let (logits, past) = step(&past); choose(&logits); } }"), 1);
        assert_eq!(noted("while i < 3 { let i: i64 = i + 1; }"), 1);
        let note = &notes("let mut 步 = 1;\nfor _ in 0..3 { let 步 = 步 * 2; }")[0];
        assert!(note.starts_with("line 2: this `let` makes another `步`"), "{note}");
    }

    #[test]
    fn what_a_round_needs_for_itself_is_none() {
        for text in [
            "for x in xs { let x = x.relu(); sum += &x; }",
            "for x in &xs { let x = x + 1; println!(\"{x}\"); }",
            "for _ in 0..3 { let y = x + 1; }",
            "let w = w - 0.1;",
            "for _ in 0..3 { let a = f(); let a = a + 1; }",
            "for net in nets { let loss = net.loss(); }",
            "for _ in 0..3 { let w = w - 0.1; if done(&w) { break; } }",
        ] {
            assert_eq!(noted(text), 0, "{text}");
        }
        assert_eq!(noted("this is no Rust {"), 0);
    }
}
