//! Types as a user writes them: `Vec<Tensor>` for `::std::vec::Vec<::oxtorch::tch::Tensor>`.

use proc_macro2::{Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit_mut::VisitMut;

use crate::crate_names::{hashed_name, readable};
use crate::source::nesting::parsed;
use crate::source::words::{brackets, in_name};

/// A type's code, or its name in one of rustc's messages, as a user would write it.
pub fn readable_type(ty: &str) -> String {
    let written = parsed(ty, |mut ty: syn::Type| {
        Shorten.visit_type_mut(&mut ty);
        let mut text = String::new();
        write_tokens(ty.to_token_stream(), &mut text);
        text
    });
    // Closures and functions have names that are no code.
    written.unwrap_or_else(|| without_paths(&readable(&without_places(ty))))
}

/// The name alone of a type in one of rustc's messages: `Net` of `&mut my::Net<f64>`.
pub fn bare_name(ty: &str) -> &str {
    let ty = ty.trim_start_matches(['&', ' ']).trim_start_matches("mut ");
    let path = ty.split('<').next().unwrap_or(ty);
    path.rsplit("::").next().unwrap_or(path)
}

struct Shorten;

impl VisitMut for Shorten {
    fn visit_type_mut(&mut self, ty: &mut syn::Type) {
        if *ty == syn::parse_quote!(::oxtorch::cell::Never) {
            *ty = syn::parse_quote!(!);
        }
        syn::visit_mut::visit_type_mut(self, ty);
    }

    fn visit_path_mut(&mut self, path: &mut syn::Path) {
        path.leading_colon = None;
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let drop = hidden(&names.iter().map(String::as_str).collect::<Vec<_>>());
        path.segments = std::mem::take(&mut path.segments).into_iter().skip(drop).collect();
        syn::visit_mut::visit_path_mut(self, path);
    }
}

/// How many names at the start of a path a user leaves out.
fn hidden(path: &[&str]) -> usize {
    match path {
        // `io::Error` says more than `Error`.
        ["std" | "core" | "alloc", .., "Error" | "Iter" | "IntoIter" | "Keys" | "Values"] => path.len() - 2,
        ["oxtorch", "prelude", _, ..] => 2,
        // The prelude has `nn` and `Tensor`; what lies deeper in `tch` is named from there.
        ["oxtorch", "tch", _] | ["oxtorch", "tch", "nn", ..] => 2,
        ["oxtorch", "tch", ..] => 1,
        // The prelude has these modules, and their types are named from there.
        ["oxtorch", "distributions" | "nn" | "optim", _] => 1,
        // Crates that the runtime passes on, and its own modules, whose types are in the prelude.
        ["oxtorch", "ndarray" | "image" | "plotters" | "rand" | "anyhow", _, ..] => 1,
        ["oxtorch", ..] | ["std" | "core" | "alloc", ..] => path.len() - 1,
        [krate, _, ..] if hashed_name(krate).is_some_and(|len| len == krate.len()) => 1,
        ["crate", _, ..] => 1,
        _ => 0,
    }
}

/// `{closure}` for `{closure@cell.rs:1:2: 1:5}`.
fn without_places(text: &str) -> String {
    let mut short = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        short.push_str(&rest[..at]);
        rest = rest[at..].find('}').map_or("", |end| &rest[at + end..]);
    }
    short + rest
}

/// Paths of the standard library in text that is no type.
fn without_paths(text: &str) -> String {
    let mut short = String::new();
    let mut word = String::new();
    let flush = |word: &mut String, short: &mut String| {
        let names: Vec<&str> = word.split("::").collect();
        short.push_str(&names[hidden(&names).min(names.len() - 1)..].join("::"));
        word.clear();
    };
    for char in text.chars() {
        if in_name(char) || char == ':' {
            word.push(char);
        } else {
            flush(&mut word, &mut short);
            short.push(char);
        }
    }
    flush(&mut word, &mut short);
    short
}

/// Writes tokens with blanks where a type has them.
fn write_tokens(tokens: TokenStream, text: &mut String) {
    let mut joint = false;
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = brackets(&group);
                text.push_str(open);
                write_tokens(group.stream(), text);
                text.push_str(close);
            }
            TokenTree::Punct(punct) => {
                let char = punct.as_char();
                if !joint && matches!(char, '-' | '+' | '=') {
                    text.push(' ');
                }
                text.push(char);
                joint = punct.spacing() == Spacing::Joint;
                let ends_arrow = char == '>' && text.ends_with("->");
                if ends_arrow || (!joint && matches!(char, ',' | ';' | '+' | '=')) {
                    text.push(' ');
                }
            }
            word => {
                let word = word.to_string();
                // `&'a mut dyn Fn`, but not `&mut`.
                if text.ends_with(in_name) && !joint {
                    text.push(' ');
                }
                text.push_str(&word);
                joint = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ty: &str, expected: &str) {
        assert_eq!(readable_type(ty), expected);
    }

    #[test]
    fn types_are_as_a_user_writes_them() {
        check(":: std :: vec :: Vec < :: oxtorch :: tch :: Tensor >", "Vec<Tensor>");
        check("std::collections::HashMap<std::string::String, (i32, [f64; 3])>", "HashMap<String, (i32, [f64; 3])>");
        check("&mut std::boxed::Box<dyn std::ops::Fn(i32) -> f64 + Send>", "&mut Box<dyn Fn(i32) -> f64 + Send>");
        check("::cell_0123456789abcdef::Net", "Net");
        check("oxtorch::tch::nn::Linear", "nn::Linear");
        check("oxtorch::tch::vision::dataset::Dataset", "tch::vision::dataset::Dataset");
        check("oxtorch::prelude::nn::VarStore", "nn::VarStore");
        check("oxtorch::nn::VarStore", "nn::VarStore");
        check("oxtorch::plot::Figure", "Figure");
        check("std::result::Result<(), std::io::Error>", "Result<(), io::Error>");
        check("&'static str", "&'static str");
        check("serde_json::Value", "serde_json::Value");
        check("Box<dyn Iterator<Item = i32>>", "Box<dyn Iterator<Item = i32>>");
        check("fn(&i32) -> *const u8", "fn(&i32) -> *const u8");
    }

    #[test]
    fn what_has_no_type_in_code_is_readable_all_the_same() {
        check("fn(std::vec::Vec<i32>) -> i32 {sum}", "fn(Vec<i32>) -> i32 {sum}");
        check("std::boxed::Box<{closure@cell_0123456789abcdef.rs:1:2: 1:5}>", "Box<{closure}>");
    }
}
