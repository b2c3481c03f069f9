//! Finds out whether a statement awaits something at the top level of its cell, macro arguments included.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::Stmt;
use syn::visit::{self, Visit};

/// Macros that await what they are given.
const AWAITING: [&str; 3] = ["join", "try_join", "select"];

/// Whether the statement awaits; what stands in a closure, an async block or an item of its own does not count.
pub fn awaits(statement: &Stmt) -> bool {
    let mut awaits = Awaits(false);
    awaits.visit_stmt(statement);
    awaits.0
}

struct Awaits(bool);

impl<'ast> Visit<'ast> for Awaits {
    fn visit_expr_await(&mut self, _: &'ast syn::ExprAwait) {
        self.0 = true;
    }

    fn visit_macro(&mut self, it: &'ast syn::Macro) {
        let awaiting = it.path.segments.last().is_some_and(|last| AWAITING.iter().any(|name| last.ident == name));
        self.0 |= awaiting || awaits_in(it.tokens.clone());
        visit::visit_macro(self, it);
    }

    fn visit_expr_async(&mut self, _: &'ast syn::ExprAsync) {}
    fn visit_expr_closure(&mut self, _: &'ast syn::ExprClosure) {}
    fn visit_item(&mut self, _: &'ast syn::Item) {}
}

/// Whether `.await` stands among a macro's arguments, other than in an `async` block.
fn awaits_in(tokens: TokenStream) -> bool {
    let (mut after_dot, mut after_async) = (false, false);
    for token in tokens {
        match &token {
            TokenTree::Ident(ident) if after_dot && ident == "await" => return true,
            TokenTree::Group(group) => {
                let is_async_block = after_async && group.delimiter() == Delimiter::Brace;
                if !is_async_block && awaits_in(group.stream()) {
                    return true;
                }
            }
            _ => {}
        }
        after_dot = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '.');
        after_async = match &token {
            TokenTree::Ident(ident) => ident == "async" || (after_async && ident == "move"),
            _ => false,
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, expected: bool) {
        let statement: Stmt = crate::source::nesting::tree(code);
        assert_eq!(awaits(&statement), expected, "{code}");
    }

    #[test]
    fn an_await_counts_wherever_the_cell_itself_awaits() {
        check("let x = f().await;", true);
        check("for i in 0..3 { if a { g(i).await?; } }", true);
        check("println!(\"{}\", f().await);", true);
        check("let (a, b) = tokio::join!(f(), g());", true);
    }

    #[test]
    fn an_await_of_something_else_does_not() {
        check("let task = tokio::spawn(async move { f().await });", false);
        check("let f = async |x| g(x).await;", false);
        check("async fn f() { g().await }", false);
        check("let all = vec![async move { f().await }];", false);
        check("let b = x.awaits;", false);
    }
}
