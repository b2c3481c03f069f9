//! Expressions in cells, and their types.

use super::definitions::Definitions;
use super::{Place, Type};
use crate::compile::state::State;
use crate::plan::variables::Variable;
use crate::source::fragment::CellText;
use crate::source::source_map::Place as Declared;

/// The type of an expression behind a cell, as text.
#[track_caller]
fn check(cell: &str, expression: &str, expected: &str) {
    let state = State::default();
    let definitions = Definitions::new(&state, cell);
    let ty = Place::new(&definitions, cell).type_of(expression);
    assert_eq!(ty.to_string(), expected, "{cell} {expression}");
}

#[test]
fn literals_and_operators_have_types() {
    for (expression, expected) in [
        ("1", "i32"),
        ("2.5_f32", "f32"),
        ("\"a\"", "str"),
        ("'a'", "char"),
        ("1 < 2", "bool"),
        ("(1, \"a\")", "(i32, str)"),
        ("vec![1.0, 2.0]", "Vec<f64>"),
        ("[0u8; 4]", "array<u8>"),
        ("vec![(1, 2.0)][0].1", "f64"),
        ("-2.0 * 3.0", "f64"),
        ("2.0 * unknown", "_"),
        ("7 as usize", "usize"),
        ("&mut 1.0", "f64"),
        ("format!(\"{}\", 1)", "String"),
        ("0..10", "ops::Range<i32>"),
        ("unknown", "_"),
        ("unknown()", "_"),
        ("|x| x", "_"),
        ("if c { 1.5 } else { 2.5 }", "f64"),
        ("if c { unknown() } else if d { 'a' } else { 'b' }", "char"),
        ("match n { 0 => panic!(), 1 => \"a\", _ => { return } }", "str"),
        ("{ f(); 1.5 }", "f64"),
        ("{ let x = 'a'; x }", "_"),
        ("if c { 1.5; }", "_"),
    ] {
        check("", expression, expected);
    }
}

#[test]
fn associated_types_are_those_of_the_receiver() {
    let maze =
        "struct Maze;\nimpl Env for Maze {\n    type Observation = Vec<f32>;\n    type Action = (usize, usize);\n}\n";
    let cell = format!("{maze}let cart = rl::cart_pole();\nlet limited: rl::TimeLimit<Maze> = todo!();\n");
    let state = State::default();
    let definitions = Definitions::new(&state, &cell);
    let place = Place::new(&definitions, &cell);
    let told = |receiver: &str| {
        let signature = "fn step(&mut self, action: Self::Action) -> Step<Self::Observation>";
        place.associated_types(signature, &place.type_of(receiver)).into_iter().map(|(_, ty)| ty).collect::<Vec<_>>()
    };
    assert_eq!(told("cart")[0], "usize");
    assert_eq!(told("limited"), ["(usize, usize)", "Vec<f32>"]);
    assert_eq!(told("1.5"), Vec::<String>::new());
}

#[test]
fn a_branch_decides_the_type_of_a_variable() {
    let cell = "let c = true;\nlet x = if c { Tensor::zeros([2], k) } else { unknown };\n";
    check(cell, "x", "Tensor");
    check("let rng = rand::rng();\n", "rng", "ThreadRng");
}

#[test]
fn calls_have_the_types_that_their_signatures_say() {
    let cell = "let v: Vec<f64> = Vec::new();\nlet text = String::from(\"a\");\nlet map: HashMap<String, usize> = \
                HashMap::new();\n";
    for (expression, expected) in [
        ("v.len()", "usize"),
        ("v.iter()", "slice::Iter<f64>"),
        ("v.iter().max()", "Option<f64>"),
        ("v.iter().max().unwrap()", "f64"),
        ("v.iter().enumerate().next().unwrap()", "(usize, f64)"),
        ("v.iter().filter(|x| **x > 0.0).next()", "Option<f64>"),
        ("v.iter().collect()", "_"),
        ("v.iter().copied().collect::<Vec<f64>>()", "Vec<f64>"),
        ("v.first().copied().unwrap_or(0.0).sqrt()", "f64"),
        ("v[0]", "f64"),
        ("v[1..].to_vec()", "Vec<f64>"),
        ("text.chars().rev()", "Rev<Chars>"),
        ("text.trim().split_whitespace().count()", "usize"),
        ("map.get(\"a\").copied()", "Option<usize>"),
        ("map[\"a\"]", "usize"),
        ("map.keys()", "hash_map::Keys<String, usize>"),
        ("Some(1.0).unwrap()", "f64"),
        ("std::fs::read_to_string(\"f\")?", "String"),
        ("std::time::Instant::now().elapsed()", "Duration"),
        ("std::time::Instant::now().elapsed().as_secs_f64()", "f64"),
        ("f64::MAX", "f64"),
        ("std::cmp::Ordering::Less", "cmp::Ordering"),
        ("10_i32.pow(2)", "i32"),
        ("Figure::new().title(\"a\")", "Figure"),
    ] {
        check(cell, expression, expected);
    }
}

#[test]
fn a_cell_tells_the_types_of_its_own_names() {
    check("let a = 1.0;\nlet a = vec![a];\n", "a", "Vec<f64>");
    check("let (a, b) = (1, \"x\");\n", "b", "str");
    check("if let Some(a) = Some(2.0) {\n", "a", "f64");
    check("let v = vec![1.5];\nfor (i, x) in v.iter().enumerate() {\n", "x", "f64");
    check("let v = vec![1.5];\nfor x in &v {\n", "x", "f64");
    check("for i in 0..10 {\n", "i", "i32");
    check("fn f(a: &[String], b: usize) {\n", "a[0]", "String");
    check("let v = vec![1.5];\nlet w = v.iter().map(|x| ", "x", "f64");
    check("let v = vec![(1, 'a')];\nlet w = v.iter().map(|(n, c)| ", "c", "char");
    check("let v = vec![1.5];\nlet w = v.iter().fold(0.0, |a: f64, b| ", "b", "f64");
    check("let f = |x: &str| ", "x", "str");
}

#[test]
fn names_that_are_used_often_are_looked_for_once() {
    let mut cell = "let x0 = 1.5;\n".to_owned();
    for n in 1..16 {
        let before = n - 1;
        cell += &format!("let x{n} = (x{before} + x{before} * x{before} - x{before} / x{before}).sqrt();\n");
    }
    check(&cell, "x15", "f64");
}

#[test]
fn what_a_closed_block_declared_is_gone() {
    check("{ let a = 1; }\n", "a", "_");
    check("let a = 'x';\n{ let a = 1; }\n", "a", "char");
    check("for a in 0..3 { }\n", "a", "_");
    check("fn f(a: f64) -> f64 { a }\n", "a", "_");
    check("let b = 'x';\nlet w = [1].iter().map(|b| b + 1);\n", "b", "char");
}

#[test]
fn the_items_of_a_cell_have_fields_methods_and_generics() {
    let cell = "struct Stack<T> { items: Vec<T>, name: String }\nimpl<T> Stack<T> {\n    fn new() -> Self { todo!() }\n    \
                fn top(&self) -> Option<&T> { self.items.last() }\n}\nenum Shape { Circle(f64), Empty }\nconst RATE: f64 \
                = 0.1;\nfn shapes(n: usize) -> Vec<Shape> { Vec::new() }\nlet s: Stack<char> = Stack::new();\n";
    for (expression, expected) in [
        ("s.items", "Vec<char>"),
        ("s.top()", "Option<char>"),
        ("s.name.len()", "usize"),
        ("Stack::new()", "Stack"),
        ("Shape::Circle(1.0)", "Shape"),
        ("Shape::Empty", "Shape"),
        ("shapes(3)[0]", "Shape"),
        ("RATE.sqrt()", "f64"),
    ] {
        check(cell, expression, expected);
    }
    check("struct Net { rate: f64 }\nimpl Net {\n    fn step(&self) -> f64 {\n        ", "self.rate", "f64");
}

#[test]
fn the_structs_of_the_libraries_have_their_public_fields() {
    check("let layer = nn::linear(vs.root(), 2, 3, Default::default());\n", "layer.ws", "Tensor");
    check("let karate = karate_club();\n", "karate.labels", "Tensor");
    check("let karate = karate_club();\n", "karate.no_such_field", "_");
}

#[test]
fn variables_of_the_session_have_their_types_unless_the_cell_declares_them_anew() {
    let mut state = State::default();
    let declared = Declared { cell: CellText::new(1, ""), range: 0..0 };
    let ty = "::std::vec::Vec<::std::string::String>".to_owned();
    state
        .variables
        .live
        .insert("names".into(), Variable { mutable: false, ty, spelled: None, declared, moved_home: false });
    let of = |cell: &str| {
        let definitions = Definitions::new(&state, cell);
        Place::new(&definitions, cell).type_of("names")
    };
    assert_eq!(of("").to_string(), "Vec<String>");
    assert_eq!(of("let names = 1;\n"), Type::simple("i32"));
}
