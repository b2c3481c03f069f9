//! How one value stands in a table, from its `Debug` form.

/// Longer ones are cut in the middle.
const MOST_CHARS: usize = 60;
const SIGNIFICANT: i32 = 6;

/// The text for a cell: strings without their quotes, numbers with six significant digits, long text cut in the middle.
pub(super) fn presentable(debug: &str) -> String {
    let debug = debug.trim();
    if let Some(text) = unquoted(debug) {
        return cut(&text);
    }
    if let Some(inner) = debug.strip_prefix("Some(").and_then(|rest| rest.strip_suffix(')')) {
        return presentable(inner);
    }
    match debug {
        "None" => String::new(),
        debug if is_number(debug) => rounded(debug),
        debug => cut(debug),
    }
}

/// Whether a cell's text is a number.
pub(super) fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

/// A string or character as it was before `Debug` put it in quotes.
fn unquoted(debug: &str) -> Option<String> {
    let quote = debug.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let inner = debug.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        // Line ends and the like stay escaped: a cell has one line.
        match char {
            '\\' => match chars.next()? {
                escaped @ ('"' | '\'' | '\\') => text.push(escaped),
                escaped => text.extend(['\\', escaped]),
            },
            char if char == quote => return None,
            char => text.push(char),
        }
    }
    Some(text)
}

/// A floating-point number without the digits that say nothing; whole numbers as they are.
fn rounded(debug: &str) -> String {
    let digits = debug.chars().filter(char::is_ascii_digit).count();
    if !debug.contains(['.', 'e']) || digits <= SIGNIFICANT as usize {
        return debug.to_owned();
    }
    let Ok(value) = debug.parse::<f64>() else { return debug.to_owned() };
    let magnitude = value.abs().log10().floor() as i32;
    if !(-5..=12).contains(&magnitude) {
        let text = format!("{value:.*e}", SIGNIFICANT as usize - 1);
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", digits.trim_end_matches('0').trim_end_matches('.'));
    }
    let text = format!("{value:.*}", (SIGNIFICANT - 1 - magnitude).max(1) as usize);
    let short = text.trim_end_matches('0');
    if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
}

fn cut(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let text = if text.contains('\n') { &lines.join(" ") } else { text };
    let count = text.chars().count();
    if count <= MOST_CHARS {
        return text.to_owned();
    }
    let half = MOST_CHARS / 2 - 2;
    let head: String = text.chars().take(half).collect();
    let tail: String = text.chars().skip(count - half).collect();
    format!("{head}...{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_a_reader_writes_them() {
        for (debug, shown) in [
            ("3", "3"),
            ("1234567890123", "1234567890123"),
            ("0.30000000000000004", "0.3"),
            ("0.12345678", "0.123457"),
            ("12345.678901", "12345.7"),
            ("1234567.8912", "1234567.9"),
            ("99999.99999", "100000.0"),
            ("1.0000000001", "1.0"),
            ("-1.2345678e-9", "-1.23457e-9"),
            ("-9.999999717180685e-10", "-1e-9"),
            ("NaN", "NaN"),
            ("\"a \\\"b\\\" \\n c\"", "a \"b\" \\n c"),
            ("'x'", "x"),
            ("\"a\", \"b\"", "\"a\", \"b\""),
            ("Some(\"a\")", "a"),
            ("None", ""),
            ("[1, 2]", "[1, 2]"),
            ("[[1, 2],\n [3, 4]]", "[[1, 2], [3, 4]]"),
        ] {
            assert_eq!(presentable(debug), shown, "{debug}");
        }
    }

    #[test]
    fn a_long_text_keeps_both_ends() {
        let shown = presentable(&format!("\"{}\"", "损".repeat(100) + "end"));
        assert!(
            shown.chars().count() <= MOST_CHARS && shown.starts_with("损损") && shown.ends_with("损end"),
            "{shown}"
        );
    }
}
