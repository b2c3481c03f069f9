//! Students whose code is alike, also if names and values were changed. It is for somebody to look at, and never a
//! mark: short exercises have one obvious solution.

mod fingerprints;
mod tokens;

use std::collections::{BTreeSet, HashMap, HashSet};

use self::fingerprints::{fingerprints, hashes};
use self::tokens::tokens;
use crate::master::{Master, Part, Role, text_of};
use crate::release::given;
use crate::results::Graded;

/// The least share of pairs that are told.
const ALIKE: f64 = 0.5;
/// With fewer fingerprints, of some 45 tokens, a student has written too little to say anything.
const FEWEST: usize = 10;
/// What more than half of a class has written is how it is done. But what so few have written is told in a small class
/// as well.
const FEW: usize = 4;
/// Nobody writes more tokens in a cell by hand. It bounds what a cell of some megabytes costs.
const LONGEST: usize = 50_000;

/// Two students whose code is alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Who they are, in the order of the class.
    pub students: [String; 2],
    /// How much of what the one wrote who wrote less is in the other's, from 0 to 1.
    pub share: f64,
    /// The cells that are alike: their places among all cells of either notebook, from 1.
    pub cells: Vec<[usize; 2]>,
}

/// The pairs of students whose code is alike, the most alike first. What students got from the master counts for
/// nothing, nor does what most of the class has written.
pub fn alike(master: &Master, class: &[Graded]) -> Vec<Pair> {
    let known = masters_hashes(master);
    let mut written: Vec<Written> = class.iter().map(|graded| Written::read(graded, &known)).collect();
    leave_out_what_most_have(&mut written);
    let counts = shared_counts(&written);
    let mut pairs = Vec::new();
    for (at, one) in written.iter().enumerate() {
        for (behind, other) in written.iter().enumerate().skip(at + 1) {
            pairs.extend(pair(one, other, counts[at * written.len() + behind]));
        }
    }
    // A stable sort: pairs that are as much alike stay in the order of the class.
    pairs.sort_by(|one: &Pair, other| other.share.total_cmp(&one.share));
    pairs
}

/// The hashes of all code that is the master's: what students got, and tests with what is hidden of them, which grading
/// puts back.
fn masters_hashes(master: &Master) -> HashSet<u64> {
    let mut known = HashSet::new();
    let mut learn = |text: &str| known.extend(hashes(&tokens(text).collect::<Vec<_>>()));
    for cell in master.cells.iter().filter(|cell| cell.part == Part::Code) {
        learn(&given(cell));
        if matches!(cell.role, Role::Test { .. }) {
            learn(&cell.source);
        }
    }
    known
}

/// The code that one student has written.
struct Written<'a> {
    student: &'a str,
    /// The place of the first cell that has a fingerprint, by fingerprint.
    cells: HashMap<u64, usize>,
}

impl<'a> Written<'a> {
    fn read(graded: &'a Graded, known: &HashSet<u64>) -> Self {
        let mut cells = HashMap::new();
        for (place, cell) in (1..).zip(graded.notebook["cells"].as_array().into_iter().flatten()) {
            if cell["cell_type"] == "code" {
                let tokens: Vec<u8> = tokens(&text_of(&cell["source"])).take(LONGEST).collect();
                for fingerprint in fingerprints(&tokens, known) {
                    cells.entry(fingerprint).or_insert(place);
                }
            }
        }
        Self { student: &graded.student, cells }
    }
}

fn leave_out_what_most_have(written: &mut [Written<'_>]) {
    let mut counts: HashMap<u64, usize> = HashMap::new();
    for fingerprint in written.iter().flat_map(|written| written.cells.keys()) {
        *counts.entry(*fingerprint).or_default() += 1;
    }
    let most = FEW.max(written.len() / 2);
    for written in written {
        written.cells.retain(|fingerprint, _| counts[fingerprint] <= most);
    }
}

/// How many fingerprints each two share: a row for each student, of which only what is behind the diagonal is filled.
fn shared_counts(written: &[Written<'_>]) -> Vec<usize> {
    let mut holders: HashMap<u64, Vec<usize>> = HashMap::new();
    for (at, written) in written.iter().enumerate() {
        for fingerprint in written.cells.keys() {
            holders.entry(*fingerprint).or_default().push(at);
        }
    }
    let mut counts = vec![0; written.len() * written.len()];
    for holders in holders.values() {
        for (at, one) in holders.iter().enumerate() {
            for other in &holders[at + 1..] {
                counts[one * written.len() + other] += 1;
            }
        }
    }
    counts
}

/// Two students, if they share enough.
fn pair(one: &Written<'_>, other: &Written<'_>, shared: usize) -> Option<Pair> {
    let fewer = one.cells.len().min(other.cells.len());
    let share = shared as f64 / fewer.max(1) as f64;
    (fewer >= FEWEST && share >= ALIKE).then(|| {
        let cells = one.cells.iter().filter_map(|(fingerprint, cell)| Some([*cell, *other.cells.get(fingerprint)?]));
        let cells: BTreeSet<[usize; 2]> = cells.collect();
        Pair { students: [one, other].map(|it| it.student.to_owned()), share, cells: cells.into_iter().collect() }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::master::tests::{cell, notebook};

    const GIVEN: &str = "let mut rows = Vec::new();
        for line in text.lines().skip(1) {
            let row: Vec<f64> = line.split(',').map(|x| x.parse()).collect::<Result<_, _>>()?;
            rows.push(row);
        }";
    const STUB: &str = "fn train(data: &[f64], rate: f64) -> f64 {
            // BEGIN SOLUTION
            0.0
            // END SOLUTION
        }";
    const TEST: &str = "assert!(train(&[1.0], 0.1) > 0.9);
        // BEGIN HIDDEN TESTS
        for rate in [0.1, 0.2, 0.3] {
            let weight = train(&[1.0, 2.0, 3.0], rate);
            assert!((weight - 2.0).abs() < 1e-6, \"the weight is {weight} for the rate {rate}\");
        }
        // END HIDDEN TESTS";
    const LOOP: &str = "fn train(data: &[f64], rate: f64) -> f64 {
            let mut weight = 0.0;
            for epoch in 0..100 {
                let mut slope = 0.0;
                for x in data {
                    slope += 2.0 * (weight - x) / data.len() as f64;
                }
                weight -= rate * slope;
                if slope.abs() < 1e-9 {
                    println!(\"{epoch}\");
                    break;
                }
            }
            weight
        }";
    const RENAMED: &str = "// my own work
        fn fit(xs: &[f32], eta: f32) -> f32 {
          let mut w = 1.5;
          for _i in 1..5000 {
            let mut g = 0.5;
            for value in xs { g += 3.0 * (w - value) / xs.len() as f32; }
            w -= eta * g;
            if g.abs() < 0.1 { print!(\"done\"); break; }
          }
          w
        }";
    const FOLD: &str = "fn train(data: &[f64], rate: f64) -> f64 {
            let slope = |w: f64| data.iter().map(|x| w - x).sum::<f64>() * 2.0 / data.len() as f64;
            (0..100).fold(0.0, |w, _| w - rate * slope(w))
        }";

    fn master() -> Master {
        let cells = [
            cell("code", "read", "l", None, GIVEN),
            cell("code", "train", "s", None, STUB),
            cell("code", "test", "gl", Some(1.0), TEST),
        ];
        Master::read(&notebook(&cells)).expect("makes sense")
    }

    /// A student who has written some code into a cell of the master's and some into one more.
    fn student(name: &str, solution: &str, more: &str) -> Graded {
        let own = json!({"cell_type": "code", "metadata": {}, "source": more});
        let cells = json!([
            cell("code", "read", "l", None, GIVEN),
            cell("code", "train", "s", None, solution),
            cell("code", "test", "gl", Some(1.0), TEST),
            own
        ]);
        Graded {
            student: name.to_owned(),
            questions: vec![],
            flags: vec![],
            problem: None,
            handed_in: None,
            fingerprint: String::new(),
            seconds: 0.0,
            notebook: json!({"cells": cells}),
        }
    }

    /// Code that nobody else has, from a seed.
    fn own_code(seed: u64) -> String {
        const PARTS: [&str; 8] = [
            "let a = b + 1;",
            "if a { b(c); }",
            "for a in b {}",
            "a.b().c();",
            "a[0] *= b;",
            "match a { _ => 2 }",
            "while !a { b -= c; }",
            "fn a(b: C) -> D { b }",
        ];
        let next = |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        let states = std::iter::successors(Some(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)), next).skip(3);
        states.take(100).map(|state| PARTS[(state >> 61) as usize]).collect()
    }

    fn names(pairs: &[Pair]) -> Vec<[&str; 2]> {
        pairs.iter().map(|pair| pair.students.each_ref().map(String::as_str)).collect()
    }

    #[test]
    fn code_with_other_names_and_values_is_alike_and_other_code_is_not() {
        let class = [student("ada", LOOP, ""), student("bob", FOLD, ""), student("eve", "", RENAMED)];
        let pairs = alike(&master(), &class);
        assert_eq!(names(&pairs), [["ada", "eve"]]);
        assert!(pairs[0].share > 0.8, "{}", pairs[0].share);
        assert_eq!(pairs[0].cells, [[2, 4]]);
    }

    #[test]
    fn what_students_were_given_counts_for_nothing() {
        // The second has copied it into a cell of the own.
        let class = [student("ada", STUB, GIVEN), student("bob", STUB, GIVEN)];
        assert_eq!(alike(&master(), &class), []);
    }

    #[test]
    fn what_most_of_a_class_has_written_counts_for_nothing() {
        let mut class: Vec<Graded> = (0..10).map(|n| student(&format!("student {n}"), LOOP, &own_code(n))).collect();
        assert_eq!(alike(&master(), &class), []);
        class[7] = student("eve", LOOP, &own_code(3));
        let pairs = alike(&master(), &class);
        assert_eq!(names(&pairs), [["student 3", "eve"]]);
        assert_eq!((pairs[0].share, pairs[0].cells.as_slice()), (1.0, [[4, 4]].as_slice()));
        // Two of two are most of them as well, and yet to be looked at.
        let two = ["ada", "bob"].map(|name| student(name, LOOP, ""));
        assert_eq!(alike(&master(), &two).len(), 1);
    }

    #[test]
    fn pairs_are_sorted_and_the_same_each_time() {
        let half = own_code(1).split_inclusive(';').take(60).collect::<String>() + &own_code(2);
        let class = [("a", own_code(1)), ("b", half), ("c", own_code(1)), ("d", own_code(5)), ("e", own_code(5))]
            .map(|(name, code)| student(name, "", &code));
        let pairs = alike(&master(), &class);
        assert_eq!(names(&pairs)[..2], [["a", "c"], ["d", "e"]]);
        assert!(pairs.is_sorted_by(|one, other| one.share >= other.share), "{pairs:?}");
        assert!((0..5).all(|_| alike(&master(), &class) == pairs));
    }

    #[test]
    fn no_text_of_a_student_stops_it() {
        let line = "x+".repeat(500_000);
        let texts = [line.as_str(), "\"open", "/* open", "\0\u{202e}", "<script>", "'", "r#\"", "}}}}"];
        let class = texts.map(|text| student("ada", text, text));
        alike(&master(), &class);
        let broken =
            Graded { notebook: json!({"cells": [5, null, {"cell_type": "code", "source": 7}]}), ..class[0].clone() };
        assert_eq!(alike(&master(), &[broken]), []);
    }
}
