//! What is inserted into code, by examples.

use syn::Item;

use super::*;

fn check(code: &str, expected: &str) {
    let item: Item = crate::source::nesting::tree(code);
    let mut edits = Edits::default();
    edits.publish(&item);
    edits.visit_item(&item);
    let mut edited = code.to_owned();
    for edit in edits.finish().iter().rev() {
        edited.replace_range(edit.at..edit.at + edit.replaces, &edit.insert);
    }
    assert_eq!(edited, expected.replace('@', CHECKPOINT));
}

#[test]
fn macros_within_macros_are_read_as_far_as_anybody_writes_them() {
    let within = |depth: usize, check: &str| {
        let (open, close) = ("vec![".repeat(depth), "]".repeat(depth));
        format!("pub static A: fn() = || {{ {open}|| loop {{{check} }}{close}; }};")
    };
    let count = |depth| {
        let item: Item = crate::source::nesting::tree(&within(depth, ""));
        let mut edits = Edits::default();
        let Item::Static(it) = &item else { panic!("is a static") };
        edits.visit_expr(&it.expr);
        edits.finish().iter().filter(|edit| edit.insert.contains(CHECKPOINT)).count()
    };
    assert_eq!(count(DEEPEST_MACRO), count(1));
    assert!(count(DEEPEST_MACRO + 1) < count(1));
}

#[test]
fn items_fields_and_methods_become_public() {
    check(
        "#[derive(Debug)] struct Net { a: i32, pub b: i32 }",
        "#[derive(Debug)] pub struct Net { pub a: i32, pub b: i32 }",
    );
    check("/// Doc.\nstruct P(f32, /* c */ f32);", "/// Doc.\npub struct P(pub f32, /* c */ pub f32);");
    check("pub(crate) fn f() {}", "pub        fn f() {@}");
    check("impl Net { fn new() -> Self { Self } }", "impl Net { pub fn new() -> Self {@ Self } }");
    check(
        "thread_local! { static A: i32 = 1; pub static B: i32 = 2; }",
        "thread_local! { pub static A: i32 = 1; pub static B: i32 = 2; }",
    );
    check("macro_rules! m { () => {} }", "#[macro_export] macro_rules! m { () => {} }");
}

#[test]
fn what_a_module_shows_to_its_crate_it_shows_to_the_session() {
    check(
        "mod m { pub(crate) fn f() {} pub(super) struct A { pub(crate) x: i32, y: i32 } mod n { pub(super) fn g() {} } }",
        "pub mod m { pub        fn f() {@} pub        struct A { pub        x: i32, y: i32 } mod n { pub(super) fn g() {@} } }",
    );
}

#[test]
fn a_return_of_the_cell_fits_every_stage_and_other_returns_stay() {
    let edited = |code: &str| {
        let statement: syn::Stmt = crate::source::nesting::tree(code);
        let mut edited = code.to_owned();
        for edit in Edits::of_statement(&statement, &CellText::new(1, code)).finish().iter().rev() {
            edited.insert_str(edit.at, &edit.insert);
        }
        edited.replace("::oxtorch::cell::", "").replace("::<_, ::core::result::Result<_, Error>>", "::<>")
    };
    assert_eq!(edited("if a { return; }"), "if a { return end_cell(()); }");
    assert_eq!(edited("return Ok(());"), "return end_cell::<>(Ok(()));");
    assert_eq!(edited("return Err(e);"), "return end_cell(Err(e));");
    assert_eq!(edited("let f = |x| { return x; };"), "let f = |x| { return x; };");
    assert_eq!(edited("let f = async { return Ok(1); };"), "let f = async { return Ok(1); };");
}

#[test]
fn a_trait_impl_and_enum_variants_stay_as_they_are() {
    check("impl A for B { fn f(&self); }".replace(';', " {}").as_str(), "impl A for B { fn f(&self) {@} }");
    check("enum E { A, B(i32) }", "pub enum E { A, B(i32) }");
}

#[test]
fn loops_and_functions_get_checkpoints_but_const_code_does_not() {
    check("fn f() { loop { g(); } }", "pub fn f() {@ loop {@ g(); } }");
    check("const fn f() { while true {} }", "pub const fn f() { while true {} }");
    check("const X: [i32; { loop {} }] = [];", "pub const X: [i32; { loop {} }] = [];");
    check("extern \"C\" fn f() { loop {} }", "pub extern \"C\" fn f() { loop {@} }");
}

#[test]
fn closures_that_may_run_long_get_checkpoints_and_arithmetic_does_not() {
    check("fn f() { g(|x| { h(x); }) }", "pub fn f() {@ g(|x| {@ h(x); }) }");
    check("fn f() { g(|x| h(x) + 1) }", "pub fn f() {@ g(|x| { @ (h(x) + 1) }) }");
    check("fn f() { g(|x| match x { _ => h(x) } + 1) }", "pub fn f() {@ g(|x| { @ (match x { _ => h(x) } + 1) }) }");
    check("fn f() { g(|x| Some(x.sqrt() + x)) }", "pub fn f() {@ g(|x| Some(x.sqrt() + x)) }");
    check("fn f() { g(|x| move |y| h(x, y)) }", "pub fn f() {@ g(|x| move |y| { @ (h(x, y)) }) }");
}

#[test]
fn loops_among_the_arguments_of_a_macro_get_checkpoints() {
    check(
        "fn f() { println!(\"{:.3} {x:.1} {n}\", y - 1.0) }",
        "pub fn f() {@ println!(\"{:.3} {x:.1} {n}\", ::oxtorch::number!(y - 1.0/**/), x = ::oxtorch::number!(x/**/)) }",
    );
    check("fn f() { println!(\"{x:.1}\",) }", "pub fn f() {@ println!(\"{x:.1}\", x = ::oxtorch::number!(x/**/)) }");
    check("fn f() { println!(\"{}\", { loop {} }) }", "pub fn f() {@ println!(\"{}\", { loop {@} }) }");
    check("fn f() { vec![{ while a {} 1 }; { loop {} }] }", "pub fn f() {@ vec![{ while a {@} 1 }; { loop {@} }] }");
    check(
        "fn f() { matches!({ loop {} }, Some(x) if x > 1) }",
        "pub fn f() {@ matches!({ loop {@} }, Some(x) if x > 1) }",
    );
    check("fn f() { stringify!({ loop {} }) }", "pub fn f() {@ stringify!({ loop {} }) }");
    check(
        "const A: &str = { assert_eq!({ loop {} }, 1); \"\" };",
        "pub const A: &str = { assert_eq!({ loop {} }, 1); \"\" };",
    );
}

#[test]
fn an_inner_loop_without_calls_can_be_vectorised() {
    check(
        "fn f() { for i in a { for j in b { s += x[i] * y[j]; } } }",
        "pub fn f() {@ for i in a {@ for j in b { s += x[i] * y[j]; } } }",
    );
    check("fn f() { for i in a { for j in b { g(j); } } }", "pub fn f() {@ for i in a {@ for j in b {@ g(j); } } }");
}
