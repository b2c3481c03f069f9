//! What may run for long, so that a stop has to take effect within it.

use syn::visit::{self, Visit};
use syn::{Block, Expr};

/// Whether there is a loop.
pub(super) struct Loops(pub bool);

impl<'ast> Visit<'ast> for Loops {
    fn visit_expr(&mut self, it: &'ast Expr) {
        self.0 |= matches!(it, Expr::ForLoop(_) | Expr::While(_) | Expr::Loop(_));
        visit::visit_expr(self, it);
    }
}

/// Whether a closure's body calls a function or a macro that may run for long. Methods alone, as in `|x| x.sqrt()`, and
/// what makes a value, as in `|x| Some(x)`, do not count.
pub(super) fn may_run_long(body: &Expr) -> bool {
    struct Calls(bool);
    impl<'ast> Visit<'ast> for Calls {
        fn visit_expr_call(&mut self, it: &'ast syn::ExprCall) {
            let makes_value = |last: &syn::PathSegment| last.ident.to_string().starts_with(char::is_uppercase);
            let makes_value = |path: &syn::ExprPath| path.path.segments.last().is_some_and(makes_value);
            self.0 |= !matches!(&*it.func, Expr::Path(path) if makes_value(path));
            visit::visit_expr_call(self, it);
        }
        fn visit_macro(&mut self, _: &'ast syn::Macro) {
            self.0 = true;
        }
        // A closure in it has a checkpoint of its own, or needs none.
        fn visit_expr_closure(&mut self, _: &'ast syn::ExprClosure) {}
    }
    let mut calls = Calls(false);
    calls.visit_expr(body);
    calls.0
}

/// Whether the block calls anything, macros included: it may then run for long.
pub(super) fn calls(block: &Block) -> bool {
    struct Calls(bool);
    impl<'ast> Visit<'ast> for Calls {
        fn visit_expr(&mut self, it: &'ast Expr) {
            self.0 |= matches!(it, Expr::Call(_) | Expr::MethodCall(_) | Expr::Macro(_) | Expr::Await(_));
            visit::visit_expr(self, it);
        }
        fn visit_stmt_macro(&mut self, _: &'ast syn::StmtMacro) {
            self.0 = true;
        }
    }
    let mut calls = Calls(false);
    calls.visit_block(block);
    calls.0
}
