//! Tells the `let`s that nothing can go wrong in, so that they need no stage of their own.

use syn::{Expr, Local, Member, Pat, Stmt, UnOp};

/// Whether a statement is a `let` with a value that is there at once: no code of the user's runs for it, so it neither
/// panics nor fails nor runs long.
pub fn is_sure(statement: &Stmt) -> bool {
    let Stmt::Local(Local { pat, init: Some(init), .. }) = statement else { return false };
    // A type may turn a reference into another by code of the user's, a `Deref`.
    let coerced = matches!(pat, Pat::Type(_));
    init.diverge.is_none() && is_there(&init.expr, !coerced)
}

/// Whether the value of an expression is there at once; `places` says whether it may be a variable, or a reference.
fn is_there(expr: &Expr, places: bool) -> bool {
    match expr {
        Expr::Lit(_) | Expr::Closure(_) | Expr::Async(_) => true,
        Expr::Path(_) => places,
        Expr::Unary(it) => matches!(it.op, UnOp::Neg(_)) && matches!(&*it.expr, Expr::Lit(_)),
        Expr::Paren(it) => is_there(&it.expr, places),
        Expr::Group(it) => is_there(&it.expr, places),
        Expr::Reference(it) => is_there(&it.expr, places),
        Expr::RawAddr(it) => is_there(&it.expr, places),
        Expr::Tuple(it) => it.elems.iter().all(|element| is_there(element, places)),
        Expr::Array(it) => it.elems.iter().all(|element| is_there(element, places)),
        Expr::Repeat(it) => matches!(&*it.len, Expr::Lit(_)) && is_there(&it.expr, places),
        Expr::Struct(it) => {
            let mut fields = it.fields.iter();
            it.rest.is_none() && fields.all(|it| matches!(it.member, Member::Named(_)) && is_there(&it.expr, false))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, expected: bool) {
        let statement: Stmt = crate::source::nesting::tree(code);
        assert_eq!(is_sure(&statement), expected, "{code}");
    }

    #[test]
    fn values_that_are_there_are_sure() {
        for code in [
            "let a = 1;",
            "let mut a: f64 = -1.0;",
            "let (a, b) = (x, \"text\");",
            "let p = &mut numbers;",
            "let p = &raw mut number;",
            "let p: *mut f64 = 0;",
            "let f = |x| x.unwrap();",
            "let a = [[0.0; 3]; 4];",
            "let p = Point { x: 1.0, y: -2.0 };",
            "let task = async { f().await };",
        ] {
            check(code, true);
        }
    }

    #[test]
    fn whatever_may_run_code_is_not() {
        for code in [
            "let a = f();",
            "let a = x + 1;",
            "let a = -x;",
            "let a = *x;",
            "let a = x.field;",
            "let a = vec![1];",
            "let a = x[0];",
            "let a: &str = &text;",
            "let a = Point { x: &text };",
            "let a = Point { x: 1.0, ..p };",
            "let a;",
            "let Some(a) = b else { return };",
            "let a = if b { 1 } else { 2 };",
            "a;",
        ] {
            check(code, false);
        }
    }
}
