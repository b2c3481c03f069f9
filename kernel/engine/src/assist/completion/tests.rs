//! What Tab offers where a cell says `@`, in an empty session.

use std::path::Path;

use oxtorch_session::Candidate;

use super::complete;
use crate::compile::state::State;

fn candidates(marked: &str) -> Vec<Candidate> {
    let cursor = marked.find('@').expect("marks the cursor");
    let cell = marked.replace('@', "");
    complete(&State::default(), Path::new(""), &cell, cursor).with(Vec::new()).candidates
}

fn offers(marked: &str) -> Vec<String> {
    candidates(marked).into_iter().map(|candidate| candidate.text).collect()
}

#[track_caller]
fn begins(marked: &str, first: &[&str]) {
    let offered = offers(marked);
    assert_eq!(offered.iter().take(first.len()).collect::<Vec<_>>(), first, "{marked}");
}

#[track_caller]
fn check(marked: &str, there: &[&str], absent: &[&str]) {
    let offered = offers(marked);
    let has = |name: &&&str| offered.iter().any(|offer| offer == **name);
    assert_eq!(
        there.iter().filter(|name| !has(name)).collect::<Vec<_>>(),
        Vec::<&&str>::new(),
        "{marked}: {offered:?}"
    );
    assert_eq!(absent.iter().filter(has).collect::<Vec<_>>(), Vec::<&&str>::new(), "{marked}: {offered:?}");
}

#[test]
fn variants_and_constants_of_enums_come_first() {
    begins("Ordering::@", &["Less", "Equal", "Greater"]);
    begins("std::sync::atomic::Ordering::@", &["Relaxed"]);
    begins("Option::@", &["Some", "None"]);
    check("f64::@", &["MAX", "EPSILON", "from"], &["consts"]);
    check("Duration::@", &["from_secs", "ZERO", "MAX"], &["push"]);
}

#[test]
fn crates_that_cells_use_as_they_are_offer_their_names() {
    check("rand::@", &["rng", "Rng", "seq", "rngs", "random_range"], &[]);
    check("use rand::seq::@", &["IndexedRandom", "SliceRandom", "IteratorRandom"], &[]);
    check("let mut rng = rand::rng();\nrng.@", &["random_range", "random_bool", "next_u64"], &["matmul", "r"]);
    check("let v = vec![1.5];\nv.@", &["choose", "shuffle", "len"], &[]);
    check("use rand::{SeedableRng, rngs::StdRng};\nStdRng::@", &["seed_from_u64"], &[]);
    check("distributions::Uniform::@", &["new"], &["new_inclusive"]);
}

#[test]
fn a_method_that_makes_any_type_offers_the_usual_ones() {
    begins("let v = x.iter().collect::<@", &["Vec<_>", "HashMap<_, _>"]);
    begins("let v = x.iter().collect::<H@", &["HashMap<_, _>", "HashSet<_>"]);
    begins("let total = x.iter().sum::<@", &["f64", "f32"]);
}

#[test]
fn names_of_other_libraries_are_replaced_by_ours() {
    begins("let layer = nn.Linea@", &["nn::linear("]);
    begins("x = torch.relu@", &["x.relu()"]);
    check("F.cross@", &["nn::cross_entropy("], &["x.relu()"]);
    check("plt.@", &["Figure::new()"], &[]);
    check("let np = vec![1.5];\nnp.@", &["len"], &["x.abs()"]);
    let cell = "let y = 1;\nlet layer = torch.nn.Linea";
    let completion = complete(&State::default(), Path::new(""), cell, cell.len()).with(Vec::new());
    assert_eq!(&cell[completion.range], "torch.nn.Linea");
}

#[test]
fn what_the_cell_defines_is_offered_before_it_runs() {
    let cell = "#[derive(Clone)]\nenum Mode { Train, Test(f64) }\nimpl Mode {\n    const ALL: usize = 2;\n    fn new() -> Self { \
                Mode::Train }\n    fn rate(&self) -> f64 { 0.1 }\n}\n";
    begins(&format!("{cell}let m = Mode::@;"), &["Train", "Test", "ALL", "new", "rate"]);
    begins(&format!("{cell}let m = Mode::new();\nm.@"), &["rate", "clone"]);
    let train = candidates(&format!("{cell}Mode::Te@"));
    assert_eq!(train[0].signature, "Test(f64)");
    let inside = "struct Net { rate: f64 }\nimpl Net {\n    fn new() -> Self { Net { rate: 0.1 } }\n    fn step(&self) {\n        ";
    begins(&format!("{inside}self.@"), &["rate"]);
}

#[test]
fn behind_a_value_stand_the_methods_of_its_type() {
    begins("let v = vec![1.0, 2.0];\nv.iter().@", &["map", "filter", "collect"]);
    check("let v = vec![1.0, 2.0];\nv.iter().ma@", &["map", "max", "map_while"], &["matmul", "masked_fill"]);
    check("let v = vec![1.0];\nv.@", &["push", "iter", "len", "sort_by", "clone"], &["matmul", "powi"]);
    check("let v = vec![1.0];\nv.iter().map(|x| x.@", &["powi", "sqrt"], &["push", "map"]);
    check("\"a b\".@", &["split_whitespace", "to_string", "parse"], &["push_str"]);
    check("let s = String::new();\ns.@", &["push_str", "trim", "to_uppercase"], &["sqrt"]);
    check("let mut m = HashMap::new();\nm.@", &["insert", "entry", "contains_key"], &["push"]);
    check("5_usize.@", &["pow", "saturating_sub"], &["sqrt"]);
    check("Some(1).@", &["unwrap", "map", "is_some"], &["push"]);
    check("Figure::new().@", &["line", "title"], &["push"]);
}

#[test]
fn behind_a_value_of_unknown_type_stands_what_is_used_most_of_any() {
    check("unknown().ma@", &["map", "max", "map_err"], &["push"]);
    check("unknown().@", &["len", "map", "iter", "unwrap"], &["get_many_mut", "map_while"]);
    begins("unknown().ma@", &["map"]);
}

#[test]
fn the_standard_library_is_offered_by_its_paths() {
    begins("std::@", &["collections", "fs", "time"]);
    begins("std::collections::@", &["HashMap", "HashSet"]);
    begins("std::collections::HashM@", &["HashMap"]);
    begins("use std::collections::{HashMap, HashS@", &["HashSet"]);
    begins("use std::time::{@", &["Instant", "Duration"]);
    check("std::fs::@", &["read_to_string", "File"], &[]);
    check("std::f64::consts::@", &["PI"], &[]);
    check("HashMap::<String, f64>::@", &["new"], &["iter_mut_x"]);
}

#[test]
fn every_usual_name_of_the_standard_library_is_offered() {
    for (owner, value) in [
        ("Iterator", "[1].iter()"),
        ("Option", "Some(1)"),
        ("Vec", "vec![1]"),
        ("String", "String::new()"),
        ("str", "\"\""),
        ("HashMap", "HashMap::new()"),
        ("HashSet", "HashSet::new()"),
        ("f64", "1.0"),
        ("i32", "1_i32"),
        ("usize", "1_usize"),
        ("array", "[1]"),
    ] {
        check(&format!("{value}.@"), &super::usual::names(&format!("{owner}.")), &[]);
    }
    for owner in ["std", "std::collections", "std::time", "Option", "Result", "Vec", "String", "HashMap", "f64", "f32"]
    {
        check(&format!("{owner}::@"), &super::usual::names(&format!("{owner}::")), &[]);
    }
}
