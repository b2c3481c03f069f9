//! The type of an expression, by what its names and the signatures of its calls say.

use proc_macro2::TokenStream;
use syn::{BinOp, Expr, ExprCall, ExprMethodCall, ExprPath, Lit, Member as FieldName, Stmt, UnOp};

use crate::assist::runtime_index::declarations;
use crate::assist::types::{Bindings, DEEPEST, Place, Type, arguments_of, signatures};
use crate::assist::{runtime_index, standard};
use crate::plan::prelude::exports_of_runtime;
use crate::source::nesting::parsed;

impl Place<'_> {
    /// The type of an expression that stands at this place.
    pub(crate) fn type_of(self, expression: &str) -> Type {
        parsed(expression, |expression: Expr| self.infer(&expression)).unwrap_or_else(Type::unknown)
    }

    pub(super) fn infer(self, expression: &Expr) -> Type {
        if self.depth > DEEPEST {
            return Type::unknown();
        }
        let inner = Self { depth: self.depth + 1, ..self };
        match expression {
            Expr::Block(it) => inner.last_of(&it.block),
            Expr::If(it) => {
                let branches =
                    [Some(inner.last_of(&it.then_branch)), it.else_branch.as_ref().map(|(_, it)| inner.infer(it))];
                first_known(branches.into_iter().flatten())
            }
            Expr::Match(it) => first_known(it.arms.iter().map(|arm| inner.infer(&arm.body))),
            Expr::Unsafe(it) => inner.last_of(&it.block),
            Expr::Array(it) => {
                Type::new("array", it.elems.first().map(|first| inner.infer(first)).into_iter().collect())
            }
            Expr::Binary(it) => inner.binary(it),
            Expr::Call(it) => inner.call(it),
            Expr::Cast(it) => Type::read(&it.ty, &Bindings::new()),
            Expr::Field(it) => inner.field(&inner.infer(&it.base), &it.member),
            Expr::Group(it) => inner.infer(&it.expr),
            Expr::Index(it) => inner.element(&inner.infer(&it.expr), &it.index),
            Expr::Lit(it) => literal(&it.lit),
            Expr::Macro(it) => inner.of_macro(&it.mac),
            Expr::MethodCall(it) => inner.method_call(it),
            Expr::Paren(it) => inner.infer(&it.expr),
            Expr::Path(it) => inner.path(it),
            Expr::Range(it) => {
                let bound = it.start.as_ref().or(it.end.as_ref());
                Type::new("ops::Range", bound.map(|bound| inner.infer(bound)).into_iter().collect())
            }
            Expr::Reference(it) => inner.infer(&it.expr),
            Expr::Repeat(it) => Type::new("array", vec![inner.infer(&it.expr)]),
            Expr::Struct(it) => inner.named(&it.path),
            Expr::Try(it) => inner.tried(&inner.infer(&it.expr)),
            Expr::Tuple(it) => Type::new(Type::TUPLE, it.elems.iter().map(|part| inner.infer(part)).collect()),
            Expr::Unary(it) if matches!(it.op, UnOp::Deref(_) | UnOp::Neg(_) | UnOp::Not(_)) => inner.infer(&it.expr),
            _ => Type::unknown(),
        }
    }

    /// The value of a block; names that it declares itself are not looked for.
    fn last_of(self, block: &syn::Block) -> Type {
        match block.stmts.as_slice() {
            [.., Stmt::Expr(last, None)] if !block.stmts.iter().any(|it| matches!(it, Stmt::Local(_))) => {
                self.infer(last)
            }
            _ => Type::unknown(),
        }
    }

    fn binary(self, it: &syn::ExprBinary) -> Type {
        let compares =
            matches!(it.op, BinOp::Eq(_) | BinOp::Ne(_) | BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_));
        if compares || matches!(it.op, BinOp::And(_) | BinOp::Or(_)) {
            return Type::simple("bool");
        }
        let (left, right) = (self.infer(&it.left), self.infer(&it.right));
        // A number and a tensor make a tensor, so that one side alone tells nothing else.
        match (left.is_known(), right.is_known()) {
            _ if right.name == "Tensor" => right,
            _ if left.name == "Tensor" => left,
            (true, true) => left,
            _ => Type::unknown(),
        }
    }

    /// What `?` and `.unwrap()` leave.
    fn tried(self, ty: &Type) -> Type {
        if matches!(ty.name.as_str(), "Option" | "Result") { ty.argument(0) } else { Type::unknown() }
    }

    pub(super) fn field(self, owner: &Type, name: &FieldName) -> Type {
        let name = match name {
            FieldName::Named(name) => name.to_string(),
            FieldName::Unnamed(index) => index.index.to_string(),
        };
        let field = self.fields(owner).into_iter().find(|field| field.name == name);
        field.map_or_else(Type::unknown, |field| field.ty)
    }

    fn element(self, owner: &Type, index: &Expr) -> Type {
        if matches!(index, Expr::Range(_)) {
            let slice = matches!(owner.name.as_str(), "Vec" | "array" | "slice");
            return if slice { Type::new("slice", vec![owner.argument(0)]) } else { Type::simple("str") };
        }
        match owner.name.as_str() {
            "HashMap" | "BTreeMap" => owner.argument(1),
            "Vec" | "VecDeque" | "array" | "slice" => owner.argument(0),
            _ => Type::unknown(),
        }
    }

    fn of_macro(self, it: &syn::Macro) -> Type {
        let Some(name) = it.path.segments.last().map(|last| last.ident.to_string()) else { return Type::unknown() };
        match name.as_str() {
            "format" => Type::simple("String"),
            "vec" => {
                let first = first_expression(it.tokens.clone()).map(|first| self.type_of(&first));
                Type::new("Vec", vec![first.unwrap_or_else(Type::unknown)])
            }
            _ => Type::unknown(),
        }
    }

    fn method_call(self, it: &ExprMethodCall) -> Type {
        let receiver = self.infer(&it.receiver);
        let Some(found) = self.member(&receiver, &it.method.to_string()) else { return Type::unknown() };
        let turbofish = it.turbofish.as_ref().map(|it| syn::PathArguments::AngleBracketed(it.clone()));
        let turbofish = turbofish.map_or_else(Vec::new, |it| arguments_of(&it, &Bindings::new()));
        signatures::returned(&found.member.signature, found.bound, &turbofish)
    }

    fn call(self, it: &ExprCall) -> Type {
        let Expr::Path(callee) = &*it.func else { return Type::unknown() };
        let segments: Vec<_> = callee.path.segments.iter().collect();
        let Some((last, owners)) = segments.split_last() else { return Type::unknown() };
        let name = last.ident.to_string();
        let turbofish = arguments_of(&last.arguments, &Bindings::new());
        let Some(owner) = owners.last() else { return self.call_by_name(&name, &turbofish, it) };
        if let Some((_, signature)) = function_of_module(&owner.ident.to_string(), &name) {
            return signatures::returned(&signature, Bindings::new(), &turbofish);
        }
        let owner = self.owner(owners);
        let Some(found) = self.member(&owner, &name) else { return self.of_module(owners, &name, &turbofish) };
        if found.member.is_variant() {
            owner
        } else {
            signatures::returned(&found.member.signature, found.bound, &turbofish)
        }
    }

    fn of_module(self, owners: &[&syn::PathSegment], name: &str, turbofish: &[Type]) -> Type {
        let path: Vec<String> = owners.iter().map(|owner| owner.ident.to_string()).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let function = standard::names_in(&path).into_iter().find(|member| member.name == name);
        let signature = function.map(|it| it.signature).or_else(|| {
            // A module may offer a function of another one.
            declarations::function(&format!("{}::{name}", path.join("::")))
        });
        signature.map_or_else(Type::unknown, |it| signatures::returned(&it, Bindings::new(), turbofish))
    }

    /// A function, or the constructor of a tuple struct or of a variant that is in scope.
    fn call_by_name(self, name: &str, turbofish: &[Type], it: &ExprCall) -> Type {
        let first = || it.args.first().map_or_else(Type::unknown, |first| self.infer(first));
        if let Some(signature) = self.definitions.function(name) {
            return signatures::returned(&signature, Bindings::new(), turbofish);
        }
        match name {
            "Some" => return Type::new("Option", vec![first()]),
            "Ok" => return Type::new("Result", vec![first()]),
            _ if self.is_own(name) => return Type::simple(name),
            _ => {}
        }
        let export = exports_of_runtime().iter().find(|(other, _)| other == name);
        let module = export.and_then(|(_, code)| code.rsplit("::").nth(1));
        let signature = module.and_then(|module| function_of_module(module, name));
        signature.map_or_else(Type::unknown, |(_, text)| signatures::returned(&text, Bindings::new(), turbofish))
    }

    fn path(self, it: &ExprPath) -> Type {
        let segments: Vec<_> = it.path.segments.iter().collect();
        let Some((last, owners)) = segments.split_last() else { return Type::unknown() };
        let name = last.ident.to_string();
        if owners.is_empty() {
            let local = || self.local(&name);
            return local().or_else(|| self.definitions.value(&name)).unwrap_or_else(Type::unknown);
        }
        let owner = self.owner(owners);
        let Some(found) = self.member(&owner, &name) else { return Type::unknown() };
        match found.member.kind {
            _ if found.member.is_variant() => owner,
            oxtorch_session::CandidateKind::Instance => signatures::constant(&found.member.signature, &found.bound),
            _ => Type::unknown(),
        }
    }

    /// The type that a path names.
    fn named(self, path: &syn::Path) -> Type {
        let segments: Vec<_> = path.segments.iter().collect();
        let ty = self.owner(&segments);
        // A variant with named fields is of its enum.
        let is_type = segments.len() < 2 || self.is_own(&ty.name) || standard::find(&ty.name).is_some();
        if is_type { ty } else { self.owner(&segments[..segments.len() - 1]) }
    }

    fn owner(self, segments: &[&syn::PathSegment]) -> Type {
        match segments {
            [only] if only.ident == "Self" => self.local("Self").unwrap_or_else(Type::unknown),
            _ => Type::of_segments(segments, &Bindings::new()),
        }
    }

    /// What a loop over a value gives.
    pub(super) fn item_of(self, ty: &Type) -> Type {
        match ty.item() {
            item if item.is_known() => item,
            _ => {
                let iter = self.member(ty, "iter").filter(|found| found.member.takes_self());
                iter.map_or_else(Type::unknown, |it| signatures::returned(&it.member.signature, it.bound, &[]).item())
            }
        }
    }
}

/// What all branches are, of which some may be unknown or end elsewhere.
fn first_known(mut types: impl Iterator<Item = Type>) -> Type {
    types.find(Type::is_known).unwrap_or_else(Type::unknown)
}

fn function_of_module(module: &str, name: &str) -> Option<runtime_index::Method> {
    declarations::functions_in(module).into_iter().find(|(other, _)| other == name)
}

fn literal(literal: &Lit) -> Type {
    let suffix = |suffix: &str, plain: &str| Type::simple(if suffix.is_empty() { plain } else { suffix });
    match literal {
        Lit::Bool(_) => Type::simple("bool"),
        Lit::Byte(_) => Type::simple("u8"),
        Lit::ByteStr(_) => Type::new("array", vec![Type::simple("u8")]),
        Lit::Char(_) => Type::simple("char"),
        Lit::Float(it) => suffix(it.suffix(), "f64"),
        Lit::Int(it) => suffix(it.suffix(), "i32"),
        Lit::Str(_) => Type::simple("str"),
        _ => Type::unknown(),
    }
}

/// The first of the expressions in `vec![a, b]` or `vec![a; n]`, as code.
fn first_expression(tokens: TokenStream) -> Option<String> {
    let first = tokens
        .into_iter()
        .take_while(|token| !matches!(token, proc_macro2::TokenTree::Punct(it) if matches!(it.as_char(), ',' | ';')));
    let first: TokenStream = first.collect();
    (!first.is_empty()).then(|| first.to_string())
}
