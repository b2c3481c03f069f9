//! How much of the user's text to underline for a failure at run time, of which only the starting point is known.

use std::ops::Range;

use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{Block, Expr};

use crate::source::nesting::{depth, read};
use crate::source::source_map::Place;
use crate::source::words::first_name;

/// In a cell that nests deeper only words are underlined.
const DEEPEST: usize = 1000;

/// The text that a reader looks for at a place: the name that was called, the operation that overflowed, the expression
/// ahead of a `?`.
pub fn extent(place: &Place, message: &str) -> Range<usize> {
    let word = word(place);
    // To know where an expression ends all of it is looked at, on each level anew.
    if depth(&place.cell.text) > DEEPEST {
        return word;
    }
    let found = read(Block::parse_within, &place.cell.text, |statements| {
        let mut finder = Finder { at: place.range.start, arithmetic: message.starts_with("attempt to "), found: None };
        statements.ok()?.iter().for_each(|statement| finder.visit_stmt(statement));
        finder.found
    });
    // An expression over several lines would be drawn as a bracket along all of them.
    found.ok().flatten().filter(|range| !place.cell.text[range.clone()].contains('\n')).unwrap_or(word)
}

/// The word at a place, or the one character.
fn word(place: &Place) -> Range<usize> {
    let start = place.range.start;
    let rest = &place.cell.text[start..];
    let one = rest.chars().next().filter(|char| *char != '\n').map_or(0, char::len_utf8);
    start..start + first_name(rest).len().max(one)
}

/// Finds the outermost expression that a failure at one point can be about.
struct Finder {
    at: usize,
    arithmetic: bool,
    found: Option<Range<usize>>,
}

impl Finder {
    /// What to underline of an expression if it can have failed at the point.
    fn part(&self, expr: &Expr) -> Option<Range<usize>> {
        let range = expr.span().byte_range();
        let starts_here = range.start == self.at;
        match expr {
            Expr::Index(it) if it.bracket_token.span.open().byte_range().start == self.at => Some(range),
            Expr::Try(_) | Expr::Index(_) if starts_here && !self.arithmetic => Some(range),
            Expr::Binary(_) | Expr::Unary(_) if starts_here => Some(range),
            Expr::Call(it) if starts_here && !self.arithmetic => Some(it.func.span().byte_range()),
            Expr::Macro(_) if starts_here && !self.arithmetic => Some(range),
            _ => None,
        }
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_expr(&mut self, expr: &'ast Expr) {
        if self.found.is_none() {
            self.found = self.part(expr);
            syn::visit::visit_expr(self, expr);
        }
    }

    fn visit_stmt_macro(&mut self, it: &'ast syn::StmtMacro) {
        let range = it.mac.span().byte_range();
        if self.found.is_none() && range.start == self.at && !self.arithmetic {
            self.found = Some(range);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::fragment::CellText;

    fn check(text: &str, at: &str, message: &str, expected: &str) {
        let start = text.find(at).expect("the point is in the text");
        let place = Place { cell: CellText::new(1, text), range: start..start };
        assert_eq!(&text[extent(&place, message)], expected, "{text}");
    }

    #[test]
    fn the_expression_that_failed_is_underlined() {
        check("let x = list[5];", "[5]", "index out of bounds", "list[5]");
        check("let t = read(path)?;", "read", "no such file", "read(path)?");
        check("let t = Tensor::cat(&[a], 0);", "Tensor", "sizes", "Tensor::cat");
        check("list[0] / zero", "list", "attempt to divide by zero", "list[0] / zero");
        check("let s = &a + &b;", "&a", "sizes", "&a + &b");
        check("panic!(\"no\");", "panic", "no", "panic!(\"no\")");
        check("x.view([4])", "view", "shape", "view");
        check("if a { x.unwrap(); }", "unwrap", "None", "unwrap");
    }
}
