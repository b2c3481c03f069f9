//! Numbers whose type has not the method that is called, such as the square root of an integer, or is still open.

use ra_ap_rustc_lexer::{LiteralKind, TokenKind};

use crate::crate_names::readable;
use crate::diagnostic::{Diagnostic, is_number, quoted};
use crate::report::hints::Advice;
use crate::report::python_hints::expressions::{arguments, as_variable, base};
use crate::report::python_hints::{Spot, write};
use crate::source::words::tokens;

/// Methods of floats that integers lack. A crate's traits would give some of them an integer as result.
const OF_FLOATS: [&str; 32] = [
    "sqrt",
    "cbrt",
    "exp",
    "exp2",
    "exp_m1",
    "ln",
    "ln_1p",
    "log",
    "log2",
    "log10",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "atan2",
    "sinh",
    "cosh",
    "tanh",
    "powf",
    "powi",
    "floor",
    "ceil",
    "round",
    "trunc",
    "fract",
    "recip",
    "hypot",
    "is_nan",
    "to_degrees",
    "to_radians",
];

/// Constants of mathematics, in `std::f64::consts`.
const CONSTANTS: [&str; 7] = ["PI", "E", "TAU", "SQRT_2", "LN_2", "LN_10", "FRAC_PI_2"];

/// Help for a method that a number lacks, or cannot have as long as its type is open.
pub(super) fn advice(error: &Diagnostic, spot: &Spot<'_>) -> Option<Advice> {
    let message = readable(&error.message);
    let mut told = quoted(&message);
    let (method, ty) = (told.next()?, told.next().unwrap_or_default().trim_start_matches('&'));
    if error.code() == "E0061" {
        let is_of_float = spot.word == "log" && error.labels().any(|label| label.contains("`f64` is missing"));
        return is_of_float
            .then(|| Advice::instead(format!("write `{}.ln()`, the natural logarithm", base(spot.before))));
    }
    if !is_number(ty) {
        return None;
    }
    if message.starts_with("no associated item") {
        return CONSTANTS.contains(&method).then(|| Advice::instead(format!("write `std::{ty}::consts::{method}`")));
    }
    let is_float = ty.starts_with('f') || ty == "{float}";
    let arguments = arguments(spot.after)?;
    let is_open = error.code() == "E0689";
    let method = match method {
        "pow" if is_float => power(arguments),
        "log" if arguments == "()" => "ln",
        _ if is_float && !is_open => return None,
        _ => method,
    };
    let receiver = base(spot.before);
    let number = if is_float && is_open {
        match typed(receiver) {
            Some(typed) => typed,
            None => return as_variable(receiver).map(where_it_is_made),
        }
    } else if is_float {
        receiver.to_owned()
    } else if OF_FLOATS.contains(&method) {
        as_float(receiver)
    } else {
        return None;
    };
    Some(Advice::instead(write(&format!("`{number}.{method}{arguments}`"))))
}

/// Help for a variable that could be of either type of floats.
fn where_it_is_made(variable: &str) -> Advice {
    Advice::instead(format!("say which float it is where it is made: `let {variable}: f64 = ...;`"))
}

/// The power that has this exponent.
fn power(arguments: &str) -> &'static str {
    let is_integer = arguments.chars().all(|char| char.is_ascii_digit() || "()-".contains(char));
    if is_integer { "powi" } else { "powf" }
}

/// An integer as a float.
fn as_float(integer: &str) -> String {
    if integer.chars().all(|char| char.is_ascii_digit()) {
        return format!("{integer}_f64");
    }
    format!("({integer} as f64)")
}

/// A float with a type.
fn typed(float: &str) -> Option<String> {
    let is_float = |kind| matches!(kind, TokenKind::Literal { kind: LiteralKind::Float { .. }, .. });
    let last = tokens(float).filter(|(kind, _)| is_float(*kind)).last();
    last.map(|(_, range)| format!("{}_f64{}", &float[..range.end], &float[range.end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_literal_gets_the_type() {
        assert_eq!(typed("((1.0 - 0.01) / 0.01)").as_deref(), Some("((1.0 - 0.01) / 0.01_f64)"));
        assert_eq!(typed("2.0").as_deref(), Some("2.0_f64"));
        assert_eq!(typed("z"), None);
    }

    #[test]
    fn an_exponent_chooses_the_power() {
        assert_eq!((power("(2)"), power("(-1)"), power("(0.5)"), power("(n)")), ("powi", "powi", "powf", "powf"));
    }
}
