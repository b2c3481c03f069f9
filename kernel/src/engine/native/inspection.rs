//! What is known of the name at the cursor.

use syn::Type;

use super::NativeEngine;
use super::completion::type_name;

impl NativeEngine {
    /// The documentation of the name at the byte `cursor`, or of the function whose arguments are being typed there; the
    /// source where that is wanted and is of the session.
    pub(super) async fn inspection(&self, cell: &str, cursor: usize, with_source: bool) -> Option<String> {
        let path = name_at(cell, cursor)?;
        let path = match path.split_once('.') {
            Some((owner, rest)) => self.of_type(owner, rest),
            None => path.to_owned(),
        };
        let live = self.state.scope.find(&path).filter(|_| with_source);
        let source = live.map(|live| format!("\n\n{}", live.item.fragment.text()));
        let documentation = self.documentation(&path).await.ok()?;
        Some(documentation.text + &source.unwrap_or_default())
    }

    /// `Tensor::matmul` of `weights.matmul`; the last name alone where it is not known what it is of.
    fn of_type(&self, owner: &str, rest: &str) -> String {
        let variable = self.state.variables.live.get(owner);
        let ty = variable.and_then(|variable| type_name(&syn::parse_str::<Type>(&variable.ty).ok()?));
        match ty {
            Some(ty) if !rest.contains('.') => format!("{ty}::{rest}"),
            _ => rest.rsplit('.').next().unwrap_or(rest).to_owned(),
        }
    }
}

/// `nn::linear` at any of its characters, and between its parentheses.
fn name_at(cell: &str, cursor: usize) -> Option<&str> {
    let is_name = |char: char| char == '_' || char.is_alphanumeric();
    let end = cursor + cell[cursor..].find(|char| !is_name(char)).unwrap_or(cell.len() - cursor);
    let path = path_before(&cell[..end]);
    if path.ends_with(is_name) {
        return Some(path);
    }
    let mut closed = 0;
    let open = cell[..cursor].rfind(|char| {
        match char {
            ')' => closed += 1,
            '(' if closed == 0 => return true,
            '(' => closed -= 1,
            _ => {}
        }
        false
    })?;
    let callee = cell[..open].trim_end_matches('!');
    Some(path_before(callee)).filter(|path| path.ends_with(is_name))
}

/// The path or chain of names at the end of a text.
fn path_before(text: &str) -> &str {
    let of_path = |char: char| matches!(char, '_' | ':' | '.') || char.is_alphanumeric();
    let start =
        text.rfind(|char| !of_path(char)).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    text[start..].trim_start_matches(['.', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(marked: &str, name: Option<&str>) {
        let cursor = marked.find('|').expect("marks the cursor");
        assert_eq!(name_at(&marked.replace('|', ""), cursor), name, "{marked}");
    }

    #[test]
    fn a_name_is_found_at_any_of_its_characters() {
        check("let y = |scale(2);", Some("scale"));
        check("let y = sc|ale(2);", Some("scale"));
        check("let y = scale|(2);", Some("scale"));
        check("nn::lin|ear(vs)", Some("nn::linear"));
        check("n|n::linear(vs)", Some("nn"));
        check("x.matmul|(&y)", Some("x.matmul"));
        check("f(x).relu|()", Some("relu"));
        check("变|量 + 1", Some("变量"));
    }

    #[test]
    fn between_parentheses_the_function_is_meant() {
        check("scale(|)", Some("scale"));
        check("scale(f(1), |)", Some("scale"));
        check("x.matmul(&|)", Some("x.matmul"));
        check("println!(|)", Some("println"));
        check("1 + |", None);
        check("|", None);
    }
}
