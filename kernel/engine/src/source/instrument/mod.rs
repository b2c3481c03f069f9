//! What is inserted into the user's code: visibility, so that later cells can use an item, checkpoints, so that a loop
//! can be interrupted, and what writes tensors as numbers.

pub(crate) mod format;
pub(crate) mod impl_trait;
mod long_running;
pub(crate) mod numbers;
mod publish;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{AttrStyle, Attribute, Block, Expr, ExprPath, Token};

use self::long_running::{Loops, calls, may_run_long};
pub use self::publish::makes_statics;
use crate::crate_names::FILE;
use crate::source::files;
use crate::source::fragment::{CellText, Edit};
use crate::source::identifiers::{Names, unraw};

/// The call that ends a cell which is interrupted.
pub const CHECKPOINT: &str = "::oxtorch::checkpoint();";

/// How many macros within each other are read for what is inserted: to read the arguments of one is to read all that is
/// within.
const DEEPEST_MACRO: usize = 64;

/// What is known of a macro by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacroKind {
    /// Its arguments are expressions that run where the call stands, and it shows nobody their text.
    OfExpressions,
    /// Another one that cells call as a statement and that makes no items: to ask rustc about it would only cost time.
    Statement,
    /// Any other.
    Unknown,
}

impl MacroKind {
    /// What is known of a macro of that name.
    pub fn of(name: &str) -> Self {
        match name {
            "print" | "println" | "eprint" | "eprintln" | "format" | "format_args" | "write" | "writeln" | "panic"
            | "todo" | "unreachable" | "unimplemented" | "assert_eq" | "assert_ne" | "debug_assert_eq"
            | "debug_assert_ne" | "vec" | "matches" | "anyhow" | "bail" | "join" => Self::OfExpressions,
            "dbg" | "assert" | "ensure" | "json" => Self::Statement,
            _ => Self::Unknown,
        }
    }
}

/// The edits of one item or statement, and what its visit has found out.
#[derive(Debug, Default)]
pub struct Edits {
    /// In order of position once [`Edits::finish`]ed.
    edits: Vec<Edit>,
    /// Whether it holds a loop, a closure or a function: code that is worth optimising.
    pub heavy: bool,
    /// Inside a const item, const fn or const block, where a checkpoint cannot be called.
    const_depth: usize,
    loop_depth: usize,
    /// At the top level of a cell, where `return` ends the cell.
    at_top_level: bool,
    /// What relative paths of files start from.
    folder: Option<PathBuf>,
    /// How many macros enclose the place.
    macro_depth: usize,
    /// The parameters of the impl that encloses the place; none where its functions are those of a trait.
    impl_parameters: Option<Vec<String>>,
    /// How many modules enclose the place.
    module_depth: usize,
    /// What the files hold that it reads: with other contents it is other code.
    pub stamps: String,
    /// The names that these mention.
    pub mentions_in_files: Names,
}

impl Edits {
    /// The edits of a statement at the top level of a cell.
    pub fn of_statement(statement: &syn::Stmt, cell: &CellText) -> Self {
        let mut edits = Self { at_top_level: true, ..Self::of(cell) };
        edits.visit_stmt(statement);
        edits
    }

    /// Edits of a cell, none yet.
    pub fn of(cell: &CellText) -> Self {
        Self { folder: cell.folder.clone(), ..Self::default() }
    }

    /// The edits in order of position.
    pub fn finish(mut self) -> Vec<Edit> {
        self.edits.sort_by_key(|edit| edit.at);
        self.edits
    }

    /// Inserts text at a place, where there is one.
    pub fn insert(&mut self, at: Option<usize>, text: &str) {
        if let Some(at) = at {
            self.edits.push(Edit { at, replaces: 0, insert: text.to_owned() });
        }
    }

    /// Inserts text ahead of all that is inserted at the place.
    fn insert_first(&mut self, at: usize, insert: String) {
        self.edits.insert(0, Edit { at, replaces: 0, insert });
    }

    /// Puts text in place of other text, with the columns behind it kept where the new text is not longer.
    pub fn replace(&mut self, range: Range<usize>, text: &str) {
        let insert = format!("{text:<width$}", width = range.len());
        self.edits.push(Edit { at: range.start, replaces: range.len(), insert });
    }

    /// Lets an interrupt end the code ahead of a statement.
    pub fn checkpoint_ahead_of(&mut self, statement: &syn::Stmt) {
        self.insert(Some(statement.span().byte_range().start), CHECKPOINT);
    }

    fn checkpoint(&mut self, block: &Block, attributes: &[Attribute]) {
        if self.const_depth == 0 {
            let open = block.brace_token.span.open().byte_range().end;
            let inner = attributes.iter().filter(|attribute| matches!(attribute.style, AttrStyle::Inner(_)));
            let after = inner.map(|attribute| attribute.span().byte_range().end).max();
            self.insert(Some(after.unwrap_or(open).max(open)), CHECKPOINT);
        }
    }

    /// What an iterator calls again and again can be interrupted as a loop can; an arithmetic closure is left to the
    /// compiler to vectorise, as an inner loop is.
    fn checkpoint_of_closure(&mut self, it: &syn::ExprClosure) {
        if self.const_depth > 0 || it.constness.is_some() || !may_run_long(&it.body) {
            return;
        }
        match &*it.body {
            Expr::Block(body) if body.label.is_none() => self.checkpoint(&body.block, &body.attrs),
            body => {
                let range = body.span().byte_range();
                // In parentheses: a statement that begins with a block would end behind it, `match x { .. } + 1`.
                self.insert(Some(range.start), &format!("{{ {CHECKPOINT} ("));
                self.insert(Some(range.end), ") }");
            }
        }
    }

    /// A `return` of the cell has to fit every stage, whatever that gives to the next.
    fn end_of_cell(&mut self, it: &syn::ExprReturn) {
        let Some(value) = &it.expr else {
            let end = it.return_token.span.byte_range().end;
            return self.insert(Some(end), " ::oxtorch::cell::end_cell(())");
        };
        // Nothing else would say what the error of `Ok(())` is.
        let hint =
            if lacks_error_type(value) { "::<_, ::core::result::Result<_, ::oxtorch::cell::Error>>" } else { "" };
        let range = value.span().byte_range();
        self.insert(Some(range.start), &format!("::oxtorch::cell::end_cell{hint}("));
        self.insert(Some(range.end), ")");
    }

    /// A module in a file of its own stands beside the notebook. It is declared in a module with that folder, where
    /// rustc looks for it and for the modules in it as it does beside any file.
    fn read_module(&mut self, it: &syn::ItemMod) {
        let (Some(folder), 0) = (self.folder.clone(), self.module_depth) else { return };
        let (range, name) = (it.span().byte_range(), unraw(&it.ident.to_string()));
        let path = it.attrs.iter().find(|attribute| attribute.path().is_ident("path"));
        if let Some(syn::Meta::NameValue(value)) = path.map(|attribute| &attribute.meta) {
            self.read_file(&value.value.to_token_stream());
        } else if it.content.is_none() {
            let (root, module) = (literal_of(&folder), format!("{FILE}{name}"));
            let stamp = self.holds(files::of_module(&folder, &name));
            let within = format!("#[path = {root}] mod {module} {{ {stamp} #[allow(unused_imports)] use super::*; ");
            self.insert_first(range.start, within);
            self.insert(Some(range.end), &format!(" }} pub use crate::{module}::{};", it.ident));
        } else if files::holds_modules_in_files(it) {
            let root = literal_of(&folder.join(&name));
            let stamp = self.holds(files::of_module(&folder, &name));
            self.insert_first(range.start, format!("#[path = {root}] {stamp} "));
        }
    }

    /// A path in a literal starts from the folder that the cell runs in.
    fn read_file(&mut self, tokens: &TokenStream) {
        let Some(folder) = &self.folder else { return };
        let Ok(literal) = syn::parse2::<syn::LitStr>(tokens.clone()) else { return };
        let (range, path) = (literal.span().byte_range(), folder.join(literal.value()));
        let stamp = self.holds(files::of_file(&path));
        let insert = format!("{} {stamp}", literal_of(&path));
        self.edits.push(Edit { at: range.start, replaces: range.len(), insert });
    }

    /// Files that the arguments of some macro include.
    fn read_files_in(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            let TokenTree::Group(group) = token else { continue };
            match &tokens[at.saturating_sub(2)..at] {
                [TokenTree::Ident(name), TokenTree::Punct(mark)]
                    if mark.as_char() == '!' && files::is_include(&name.to_string()) =>
                {
                    self.read_file(&group.stream());
                }
                _ => self.read_files_in(group.stream()),
            }
        }
    }

    /// What files hold as code, which is other code where they have changed.
    fn holds(&mut self, files: files::FileContents) -> String {
        self.mentions_in_files.extend(files.mentions);
        self.stamps.push_str(&files.stamp);
        format!("/* {} */", files.stamp)
    }

    fn in_loop(&mut self, body: &Block) {
        self.heavy = true;
        self.loop_depth += 1;
        self.visit_block(body);
        self.loop_depth -= 1;
    }

    fn in_const(&mut self, visit: impl FnOnce(&mut Self)) {
        self.const_depth += 1;
        visit(self);
        self.const_depth -= 1;
    }

    /// Code whose `return` is its own.
    fn in_body(&mut self, visit: impl FnOnce(&mut Self)) {
        let at_top_level = std::mem::replace(&mut self.at_top_level, false);
        visit(self);
        self.at_top_level = at_top_level;
    }

    fn function(&mut self, signature: &syn::Signature, block: &Block, attributes: &[Attribute]) {
        self.heavy = true;
        let outer_loops = std::mem::take(&mut self.loop_depth);
        let at_top_level = std::mem::replace(&mut self.at_top_level, false);
        self.visit_signature(signature);
        if signature.constness.is_some() {
            self.in_const(|edits| edits.visit_block(block));
        } else {
            // Unwinding out of an `extern "C"` function would abort the process.
            if signature.abi.is_none() {
                self.checkpoint(block, attributes);
            }
            self.visit_block(block);
        }
        self.loop_depth = outer_loops;
        self.at_top_level = at_top_level;
    }

    /// Has what a function returns hold no more than it says.
    fn narrow(&mut self, signature: &syn::Signature, outer: &[String]) {
        for (at, text) in impl_trait::insertions(signature, outer) {
            self.insert(Some(at), &text);
        }
    }
}

/// A path as code.
fn literal_of(path: &Path) -> String {
    format!("{:?}", path.to_string_lossy())
}

/// Where an item's own tokens start, after its attributes and doc comments.
pub fn after_attributes(tokens: TokenStream) -> Option<usize> {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is_attribute = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '#')
            && matches!(tokens.peek(), Some(TokenTree::Group(_)));
        if !is_attribute {
            return Some(start_of(&token));
        }
        tokens.next();
    }
    None
}

/// Where a token begins.
pub fn start_of(token: &TokenTree) -> usize {
    match token {
        TokenTree::Group(group) => group.span_open().byte_range().start,
        other => other.span().byte_range().start,
    }
}

/// Visits what is in these nodes as code that is computed while the cell is compiled.
macro_rules! in_const {
    ($($visit:ident($node:ident)),*) => {$(
        fn $visit(&mut self, it: &'ast syn::$node) {
            self.in_const(|edits| visit::$visit(edits, it));
        }
    )*};
}

impl<'ast> Visit<'ast> for Edits {
    fn visit_expr_for_loop(&mut self, it: &'ast syn::ExprForLoop) {
        self.visit_expr(&it.expr);
        // The outer loop has a checkpoint, and without one the compiler can vectorise the inner loop.
        if self.loop_depth == 0 || calls(&it.body) {
            self.checkpoint(&it.body, &it.attrs);
        }
        self.in_loop(&it.body);
    }

    fn visit_expr_while(&mut self, it: &'ast syn::ExprWhile) {
        self.visit_expr(&it.cond);
        self.checkpoint(&it.body, &it.attrs);
        self.in_loop(&it.body);
    }

    fn visit_expr_loop(&mut self, it: &'ast syn::ExprLoop) {
        self.checkpoint(&it.body, &it.attrs);
        self.in_loop(&it.body);
    }

    fn visit_expr_closure(&mut self, it: &'ast syn::ExprClosure) {
        self.heavy = true;
        self.checkpoint_of_closure(it);
        self.in_body(|edits| visit::visit_expr_closure(edits, it));
    }

    fn visit_expr_async(&mut self, it: &'ast syn::ExprAsync) {
        self.in_body(|edits| visit::visit_expr_async(edits, it));
    }

    fn visit_expr_return(&mut self, it: &'ast syn::ExprReturn) {
        if self.at_top_level {
            self.end_of_cell(it);
        }
        visit::visit_expr_return(self, it);
    }

    fn visit_macro(&mut self, it: &'ast syn::Macro) {
        let name = it.path.segments.last().map(|segment| segment.ident.to_string());
        if name.as_deref().is_some_and(files::is_include) {
            self.read_file(&it.tokens);
        }
        let of_expressions = name.as_deref().filter(|name| MacroKind::of(name) == MacroKind::OfExpressions);
        let Some(name) = of_expressions.filter(|_| self.macro_depth < DEEPEST_MACRO) else {
            return self.read_files_in(it.tokens.clone());
        };
        self.macro_depth += 1;
        // A closure that is only shown the values of is not worth the time that optimising takes; a loop is.
        let heavy = std::mem::replace(&mut self.heavy, false);
        let mut loops = Loops(false);
        let arguments = leading_expressions.parse2(it.tokens.clone()).unwrap_or_default();
        for argument in &arguments {
            self.visit_expr(argument);
            loops.visit_expr(argument);
        }
        for (at, text) in format::insertions(name, &it.tokens, &arguments) {
            self.insert(Some(at), &text);
        }
        self.macro_depth -= 1;
        self.heavy = heavy || loops.0;
    }

    fn visit_item_mod(&mut self, it: &'ast syn::ItemMod) {
        self.read_module(it);
        self.module_depth += 1;
        visit::visit_item_mod(self, it);
        self.module_depth -= 1;
    }

    fn visit_item_fn(&mut self, it: &'ast syn::ItemFn) {
        self.narrow(&it.sig, &[]);
        self.function(&it.sig, &it.block, &it.attrs);
    }

    fn visit_item_impl(&mut self, it: &'ast syn::ItemImpl) {
        let parameters = it.trait_.is_none().then(|| impl_trait::parameters(&it.generics));
        let outer = std::mem::replace(&mut self.impl_parameters, parameters);
        visit::visit_item_impl(self, it);
        self.impl_parameters = outer;
    }

    fn visit_impl_item_fn(&mut self, it: &'ast syn::ImplItemFn) {
        if let Some(outer) = self.impl_parameters.clone() {
            self.narrow(&it.sig, &outer);
        }
        self.function(&it.sig, &it.block, &it.attrs);
    }

    fn visit_trait_item_fn(&mut self, it: &'ast syn::TraitItemFn) {
        if let Some(block) = &it.default {
            self.function(&it.sig, block, &it.attrs);
        }
    }

    in_const! {
        visit_item_const(ItemConst), visit_impl_item_const(ImplItemConst), visit_trait_item_const(TraitItemConst),
        visit_item_static(ItemStatic), visit_expr_const(ExprConst), visit_variant(Variant), visit_type(Type),
        visit_generic_argument(GenericArgument)
    }

    fn visit_expr_repeat(&mut self, it: &'ast syn::ExprRepeat) {
        self.visit_expr(&it.expr);
        self.in_const(|edits| edits.visit_expr(&it.len));
    }
}

/// The expressions that a macro's arguments begin with: `matches!` has a pattern behind.
fn leading_expressions(input: ParseStream<'_>) -> syn::Result<Vec<Expr>> {
    let mut expressions = Vec::new();
    while let Ok(expression) = input.parse() {
        expressions.push(expression);
        if input.peek(Token![,]) || input.peek(Token![;]) {
            input.parse::<TokenTree>()?;
        } else {
            break;
        }
    }
    input.parse::<TokenStream>()?;
    Ok(expressions)
}

/// Whether the expression is an `Ok(...)`, or an `Err(...)` whose error is still to be turned into something.
fn lacks_error_type(expr: &Expr) -> bool {
    let Expr::Call(call) = expr else { return false };
    let Expr::Path(function) = &*call.func else { return false };
    let ends_with = |path: &ExprPath, name: &str| path.path.segments.last().is_some_and(|last| last.ident == name);
    let is_into = |argument: &Expr| match argument {
        Expr::MethodCall(it) => it.method == "into",
        Expr::Call(it) => matches!(&*it.func, Expr::Path(path) if ends_with(path, "into") || ends_with(path, "from")),
        _ => false,
    };
    ends_with(function, "Ok") || (ends_with(function, "Err") && call.args.iter().any(is_into))
}
