//! Large cells and long sessions.

mod session;

use std::fmt::Write;

use session::Notebook;

/// A program of many functions, statements and comments with that many lines.
fn long_cell(lines: usize) -> String {
    let mut cell = String::from("let mut total = 0u64;\nlet mut names: Vec<String> = Vec::new();\n");
    let mut number = 0;
    while cell.lines().count() + 8 <= lines {
        number += 1;
        let _ = write!(
            cell,
            "/// Step {number}: the string below holds a brace {{.\n\
             fn step_{number}(x: u64) -> u64 {{\n    let y = x + {number};\n    y % 7\n}}\n\
             total += step_{number}(total);\n\
             if total % 100 == {} {{ names.push(format!(\"{{total}} }}}} after {number}\")); }}\n",
            number % 100
        );
    }
    while cell.lines().count() < lines - 1 {
        cell.push_str("// filled up\n");
    }
    cell
}

#[tokio::test]
async fn a_cell_of_two_thousand_lines_runs_and_its_errors_stand_on_their_lines() {
    let mut notebook = Notebook::start().await;
    let shown = notebook.run(&format!("{}total > 0", long_cell(2000))).await;
    assert_eq!((shown.ending(), shown.text()), ("ok", Some("true")), "{:?}", shown.report());

    let shown = notebook.run("(step_1(0), step_250(0), names.len() < 250)").await;
    assert_eq!(shown.text(), Some("(1, 5, true)"), "{:?}", shown.report());

    let shown = notebook.run(&format!("{}total + undefined", long_cell(2000))).await;
    assert!(shown.report().is_some_and(|report| report.contains(":2000:9")), "{:?}", shown.report());
    notebook.end().await;
}

#[tokio::test]
async fn a_session_of_three_hundred_cells_remembers_its_first() {
    let mut notebook = Notebook::start().await;
    let shown =
        notebook.run("fn value_0() -> u64 { 1 }\nlet mut sum = 0u64;\nlet first = String::from(\"first\");").await;
    assert_eq!(shown.ending(), "ok", "{:?}", shown.report());
    for number in 1..=99 {
        // Of three cells one defines, one computes, one makes a variable; each leans on those before it.
        let before = number - 1;
        let shown = notebook.run(&format!("fn value_{number}() -> u64 {{ value_{before}() + 1 }}")).await;
        assert_eq!(shown.ending(), "ok", "{:?}", shown.report());
        let shown = notebook.run(&format!("sum += value_{number}();\nsum")).await;
        let expected = (2..=number + 1).sum::<u64>().to_string();
        assert_eq!(shown.text(), Some(expected.as_str()), "{:?}", shown.report());
        let shown = notebook.run(&format!("let part_{number} = vec![sum; {number}];")).await;
        assert_eq!(shown.ending(), "ok", "{:?}", shown.report());
    }
    let shown = notebook.run("(first.len(), part_1[0], part_99.len(), value_50())").await;
    assert_eq!(shown.text(), Some("(5, 2, 99, 51)"), "{:?}", shown.report());

    // The first function again: all that lean on it follow.
    let shown = notebook.run("fn value_0() -> u64 { 1001 }\nvalue_99()").await;
    assert_eq!(shown.text(), Some("1100"), "{:?}", shown.report());
    notebook.end().await;
}
