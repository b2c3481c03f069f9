//! Numbers without a type on the left of an operator, as in `1.0 - &x`.
//!
//! A literal gets its type when all else is inferred. Several types of numbers can stand to the left of a tensor, so
//! until then rustc does not know what `(1.0 - &x)` is, and refuses `(1.0 - &x).log()`. Here are the literals that
//! need a suffix for that.

use std::collections::BTreeSet;
use std::ops::Range;

use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{BinOp, Block, Expr, Lit, Pat, Stmt, UnOp};

use super::leading_expressions;
use crate::source::identifiers::unraw;
use crate::source::nesting;

/// A literal without a type, and what gives it the one that it has by default, or that tensors know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Untyped {
    /// Where it ends.
    pub end: usize,
    /// What to put there.
    pub suffix: &'static str,
}

/// Literals that what rustc could not infer may depend on.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What is at the place depends on these.
    pub deciding: Vec<Untyped>,
    /// Without these rustc would probably ask next: it names one place of a function at a time.
    pub likely: Vec<Untyped>,
}

/// Finds the literals that what stands at a place depends on: an expression, an operator, or the pattern of a `let`.
/// The text is one of items and statements.
pub fn left_of_operators(text: &str, place: Range<usize>) -> Found {
    let parser = |input: ParseStream<'_>| Block::parse_within(input);
    let found = nesting::read(parser, text, |statements| {
        let mut reader = Reader::new(place);
        statements.ok()?.iter().for_each(|statement| reader.visit_stmt(statement));
        Some(reader.found())
    });
    found.ok().flatten().unwrap_or_default()
}

/// An operator with nothing but literals on its left.
struct Operation {
    literals: Vec<Untyped>,
    /// Whether a reference is on its right.
    borrows: bool,
}

struct Let {
    end: usize,
    names: Vec<String>,
    value: Expr,
}

struct Reader {
    place: Range<usize>,
    /// In the order of their ends.
    lets: Vec<Let>,
    /// What stands at the place.
    asked: Vec<Expr>,
    /// The innermost statement around the place, and its values.
    statement: Option<(Range<usize>, Vec<Expr>)>,
    /// What methods are called on.
    receivers: Vec<Expr>,
}

impl Reader {
    fn new(place: Range<usize>) -> Self {
        Self { place, lets: Vec::new(), asked: Vec::new(), statement: None, receivers: Vec::new() }
    }

    fn found(&self) -> Found {
        let around = self.statement.as_ref();
        let asked = if self.asked.is_empty() { around.map_or(&[][..], |(_, values)| values) } else { &self.asked };
        let mut deciding = Values::new(&self.lets);
        asked.iter().for_each(|value| deciding.add(value));
        let mut likely = Vec::new();
        for receiver in &self.receivers {
            let is_near = around.is_some_and(|(range, _)| range.contains(&receiver.span().byte_range().start));
            // Without following names: these may be settled elsewhere.
            let mut values = Values::new(&[]);
            values.add(receiver);
            likely.extend(values.operations.into_iter().filter(|operation| is_near || operation.borrows));
        }
        let literals = |operations: Vec<Operation>| operations.into_iter().flat_map(|it| it.literals).collect();
        Found { deciding: literals(deciding.operations), likely: literals(likely) }
    }

    fn is_around(&self, range: &Range<usize>) -> bool {
        range.start <= self.place.start && self.place.end <= range.end
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_stmt(&mut self, it: &'ast Stmt) {
        let range = it.span().byte_range();
        if self.is_around(&range) {
            self.statement = Some((range, values_of(it)));
        }
        visit::visit_stmt(self, it);
    }

    fn visit_local(&mut self, it: &'ast syn::Local) {
        visit::visit_local(self, it);
        let Some(init) = &it.init else { return };
        let value = (*init.expr).clone();
        if self.is_around(&it.pat.span().byte_range()) {
            self.asked.push(value.clone());
        }
        self.lets.push(Let { end: it.span().byte_range().end, names: names_of(&it.pat), value });
    }

    fn visit_expr(&mut self, it: &'ast Expr) {
        let operator = match it {
            Expr::Binary(it) => Some(it.op.span().byte_range()),
            _ => None,
        };
        if it.span().byte_range() == self.place || operator.as_ref() == Some(&self.place) {
            self.asked.push(it.clone());
        }
        visit::visit_expr(self, it);
    }

    fn visit_expr_method_call(&mut self, it: &'ast syn::ExprMethodCall) {
        self.receivers.push((*it.receiver).clone());
        visit::visit_expr_method_call(self, it);
    }

    fn visit_macro(&mut self, it: &'ast syn::Macro) {
        arguments(it).iter().for_each(|argument| self.visit_expr(argument));
    }
}

/// Follows what a value is made of to the operators whose result it is.
struct Values<'a> {
    lets: &'a [Let],
    /// Those of them that were followed.
    followed: BTreeSet<usize>,
    operations: Vec<Operation>,
}

impl<'a> Values<'a> {
    fn new(lets: &'a [Let]) -> Self {
        Self { lets, followed: BTreeSet::new(), operations: Vec::new() }
    }

    fn add(&mut self, value: &Expr) {
        match value {
            Expr::Binary(it) if is_arithmetic(&it.op) => {
                match self.literals(&it.left, true) {
                    Some(literals) => self.operations.push(Operation { literals, borrows: is_reference(&it.right) }),
                    None => self.add(&it.left),
                }
                self.add(&it.right);
            }
            Expr::Unary(it) => self.add(&it.expr),
            Expr::Paren(it) => self.add(&it.expr),
            Expr::Group(it) => self.add(&it.expr),
            Expr::Reference(it) => self.add(&it.expr),
            Expr::Try(it) => self.add(&it.expr),
            Expr::Field(it) => self.add(&it.base),
            Expr::Index(it) => self.add(&it.expr),
            Expr::Repeat(it) => self.add(&it.expr),
            Expr::ForLoop(it) => self.add(&it.expr),
            Expr::Assign(it) => self.add(&it.right),
            Expr::Closure(it) => self.add(&it.body),
            Expr::Return(it) => it.expr.iter().for_each(|value| self.add(value)),
            Expr::Tuple(it) => it.elems.iter().for_each(|element| self.add(element)),
            Expr::Array(it) => it.elems.iter().for_each(|element| self.add(element)),
            Expr::Macro(it) => arguments(&it.mac).iter().for_each(|argument| self.add(argument)),
            Expr::Match(it) => it.arms.iter().for_each(|arm| self.add(&arm.body)),
            Expr::Block(it) => self.add_block(&it.block),
            Expr::If(it) => {
                self.add_block(&it.then_branch);
                it.else_branch.iter().for_each(|(_, otherwise)| self.add(otherwise));
            }
            // `Some(1.0 - &x)`; or a closure with a name, `f(&x)`.
            Expr::Call(it) if makes_value(&it.func) => it.args.iter().for_each(|argument| self.add(argument)),
            Expr::Call(it) => self.add(&it.func),
            // `tensors.iter().map(|t| 1.0 - t)`
            Expr::MethodCall(it) => {
                self.add(&it.receiver);
                let closures = it.args.iter().filter(|argument| matches!(argument, Expr::Closure(_)));
                closures.for_each(|closure| self.add(closure));
            }
            Expr::Path(it) => {
                if let Some(declared) = self.declaration(it).filter(|it| self.followed.insert(*it)) {
                    let lets = self.lets;
                    self.add(&lets[declared].value);
                }
            }
            _ => {}
        }
    }

    fn add_block(&mut self, block: &Block) {
        if let Some(last) = block.stmts.last() {
            values_of(last).iter().for_each(|value| self.add(value));
        }
    }

    /// The literals that the value is computed from, where it is from nothing else but, if these are followed, a
    /// variable.
    fn literals(&self, value: &Expr, follows: bool) -> Option<Vec<Untyped>> {
        match value {
            Expr::Lit(it) => untyped(&it.lit).map(|literal| vec![literal]),
            Expr::Paren(it) => self.literals(&it.expr, follows),
            Expr::Group(it) => self.literals(&it.expr, follows),
            Expr::Unary(it) if matches!(it.op, UnOp::Neg(_)) => self.literals(&it.expr, follows),
            Expr::Binary(it) if is_arithmetic(&it.op) => {
                let (left, right) = (self.literals(&it.left, follows)?, self.literals(&it.right, follows)?);
                Some([left, right].concat())
            }
            Expr::Path(it) if follows => self.literals(&self.lets[self.declaration(it)?].value, false),
            _ => None,
        }
    }

    /// The `let` that declares a variable.
    fn declaration(&self, variable: &syn::ExprPath) -> Option<usize> {
        let name = unraw(&variable.path.get_ident()?.to_string());
        let start = variable.span().byte_range().start;
        self.lets.iter().rposition(|it| it.end <= start && it.names.contains(&name))
    }
}

fn arguments(it: &syn::Macro) -> Vec<Expr> {
    leading_expressions.parse2(it.tokens.clone()).unwrap_or_default()
}

fn values_of(statement: &Stmt) -> Vec<Expr> {
    match statement {
        Stmt::Local(it) => it.init.iter().map(|init| (*init.expr).clone()).collect(),
        Stmt::Expr(value, _) => vec![value.clone()],
        Stmt::Macro(it) => arguments(&it.mac),
        Stmt::Item(_) => Vec::new(),
    }
}

fn names_of(pattern: &Pat) -> Vec<String> {
    struct Names(Vec<String>);
    impl<'ast> Visit<'ast> for Names {
        fn visit_pat_ident(&mut self, it: &'ast syn::PatIdent) {
            self.0.push(unraw(&it.ident.to_string()));
        }
    }
    let mut names = Names(Vec::new());
    names.visit_pat(pattern);
    names.0
}

/// Those that numbers have with tensors.
fn is_arithmetic(operator: &BinOp) -> bool {
    matches!(operator, BinOp::Add(_) | BinOp::Sub(_) | BinOp::Mul(_) | BinOp::Div(_))
}

fn is_reference(value: &Expr) -> bool {
    match value {
        Expr::Reference(_) => true,
        Expr::Paren(it) => is_reference(&it.expr),
        Expr::Unary(it) => is_reference(&it.expr),
        _ => false,
    }
}

/// Whether a function is a constructor by its name: `Some`, `Ok`.
fn makes_value(function: &Expr) -> bool {
    let Expr::Path(path) = function else { return false };
    path.path.segments.last().is_some_and(|last| last.ident.to_string().starts_with(char::is_uppercase))
}

fn untyped(literal: &Lit) -> Option<Untyped> {
    let suffix = match literal {
        Lit::Int(it) if it.suffix().is_empty() => "i64",
        // `1.f64` would be a field.
        Lit::Float(it) if it.suffix().is_empty() && it.to_string().ends_with('.') => "0f64",
        Lit::Float(it) if it.suffix().is_empty() => "f64",
        _ => return None,
    };
    Some(Untyped { end: literal.span().byte_range().end, suffix })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with the suffixes that decide what is between `«` and `»`, and with those that are likely besides.
    fn typed(marked: &str) -> [String; 2] {
        let text = marked.replace(['«', '»'], "");
        let start = marked.find('«').expect("a place is marked");
        let end = marked.find('»').expect("a place is marked") - '«'.len_utf8();
        let found = left_of_operators(&text, start..end);
        let edited = |mut literals: Vec<Untyped>| {
            literals.sort_by_key(|literal| literal.end);
            literals.dedup();
            let mut edited = text.clone();
            literals.iter().rev().for_each(|it| edited.insert_str(it.end, it.suffix));
            edited
        };
        [edited(found.deciding.clone()), edited([found.deciding, found.likely].concat())]
    }

    fn check(marked: &str, expected: &str) {
        assert_eq!(typed(marked)[0], expected);
    }

    #[test]
    fn a_literal_on_the_left_decides_what_an_expression_is() {
        check("let y = «(1.0 - &x)».log();", "let y = (1.0f64 - &x).log();");
        check("«(1 - &x)».sum(Kind::Float)", "(1i64 - &x).sum(Kind::Float)");
        check("«(1. - &x)».log()", "(1.0f64 - &x).log()");
        check("«(-1.0 * &x)».log()", "(-1.0f64 * &x).log()");
        check("«((1.0 + 2.0) * &x)».log()", "((1.0f64 + 2.0f64) * &x).log()");
        check("«(0.5 * (1.0 - &x))».log()", "(0.5f64 * (1.0f64 - &x)).log()");
        check("«-(y.log() * (1 - y))».log()", "-(y.log() * (1i64 - y)).log()");
        check("«(x.i(2 * n) * 3 + a[2 * n])».log()", "(x.i(2 * n) * 3 + a[2 * n]).log()");
    }

    #[test]
    fn a_literal_with_a_type_stays_as_it_is() {
        check("«(1.0f32 - &x)».log()", "(1.0f32 - &x).log()");
    }

    #[test]
    fn a_literal_in_the_arguments_of_a_macro_or_the_body_of_a_closure_is_found() {
        check("println!(\"{}\", «(1.0 - &x)».log());", "println!(\"{}\", (1.0f64 - &x).log());");
        check(
            "fn f(x: &Tensor) { v.map(|t| «(1.0 - t)».log()) }",
            "fn f(x: &Tensor) { v.map(|t| (1.0f64 - t).log()) }",
        );
        check("v.map(|t| 1.0 - t).map(|«t»| t.log());", "v.map(|t| 1.0f64 - t).map(|t| t.log());");
    }

    #[test]
    fn a_variable_depends_on_what_it_was_declared_with() {
        check("let «y» = 2 * &x; y.log()", "let y = 2i64 * &x; y.log()");
        check("let «(a, b)» = (1.0 - &x, 2); a.log()", "let (a, b) = (1.0f64 - &x, 2); a.log()");
        check("let y = 1.0 - &x; «(&y * &y)».log()", "let y = 1.0f64 - &x; (&y * &y).log()");
        check("let lr = 0.1; «(lr * &x)».log()", "let lr = 0.1f64; (lr * &x).log()");
        check("let lr = 0.1; let lr = rate(lr); «(lr * &x)».log()", "let lr = 0.1; let lr = rate(lr); (lr * &x).log()");
        check("let y = 1.0; let y = y - &x; «(&y * y)».log()", "let y = 1.0f64; let y = y - &x; (&y * y).log()");
    }

    #[test]
    fn what_rustc_would_ask_next_is_likely() {
        let [_, all] =
            typed("let a = «(1.0 - &x)».log() * (2.0 * y).exp(); let b = (1.0 - &x).log() + (2.0 * n).sqrt();");
        let expected =
            "let a = (1.0f64 - &x).log() * (2.0f64 * y).exp(); let b = (1.0f64 - &x).log() + (2.0 * n).sqrt();";
        assert_eq!(all, expected);
    }
}
