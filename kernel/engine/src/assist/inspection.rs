//! What is known of the name at the cursor.

use std::time::Duration;

use oxtorch_session::{CellRequest, Documentation, Engine};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::assist::completion::type_name;
use crate::assist::markdown::{Part, documentation};
use crate::cell::{Execution, NativeEngine};
use crate::host::Host;
use crate::source::identifiers::Names;
use crate::source::words::{first_name, in_name};

/// A value that does not describe itself within this time is left out.
const LOOK: Duration = Duration::from_secs(1);

impl NativeEngine {
    /// The documentation of the name at the byte `cursor`, or of the function whose arguments are being typed there;
    /// for a variable its type and what it is like now; the source where that is wanted.
    ///
    /// What the session and the libraries tell of a name comes first. Of what a name is where only the types around it
    /// tell, rust-analyzer knows more.
    pub(crate) async fn inspection(&mut self, cell: &str, cursor: usize, with_source: bool) -> Option<Documentation> {
        let path = name_at(cell, cursor).map(str::to_owned);
        let known = path.as_deref().filter(|path| self.knows_path(path));
        let mut parts = match known {
            Some(path) => self.own_help(path).await,
            None => None,
        };
        if parts.is_none()
            && let Some((analyzer, document)) = self.analyzer_for(cell, cursor)
        {
            let patience = Self::patience(path.as_deref().is_some_and(|path| path.contains("::")));
            let text = if is_on_name(cell, cursor) {
                self.within(patience, analyzer.name(&document)).await
            } else {
                self.within(patience, analyzer.call(&document)).await
            };
            parts = text.map(|text| vec![Part::Verbatim(text)]);
        }
        if parts.is_none() && known.is_none() {
            parts = self.own_help(path.as_deref()?).await;
        }
        let mut parts = parts?;
        let variable = path.as_deref().filter(|path| self.state.variables.live.contains_key(*path));
        if let Some(name) = variable {
            parts.extend(self.value_of(name).await.map(Part::Verbatim));
        } else if with_source {
            parts.extend(self.source(path.as_deref(), cell, cursor).await.map(Part::Code));
        }
        Some(documentation(&parts))
    }

    /// Whether it is known what the name belongs to.
    fn knows_path(&self, path: &str) -> bool {
        match path.split_once('.') {
            Some((owner, rest)) => self.state.variables.live.contains_key(owner) && !rest.contains('.'),
            None => self.state.knows(path.split("::").next().unwrap_or(path)),
        }
    }

    async fn own_help(&self, path: &str) -> Option<Vec<Part>> {
        let path = match path.split_once('.') {
            Some((owner, rest)) => self.of_type(owner, rest),
            None => path.to_owned(),
        };
        self.documentation(&path).await.ok()
    }

    /// The source of the session's own items, and with rust-analyzer of everything.
    async fn source(&mut self, path: Option<&str>, cell: &str, cursor: usize) -> Option<String> {
        if let Some(live) = path.and_then(|path| self.state.scope.find(path)) {
            return Some(live.item.fragment.text().to_owned());
        }
        let (analyzer, document) = self.analyzer_for(cell, cursor)?;
        self.within(Self::patience(false), analyzer.source(&document)).await
    }

    /// What a variable is like: shape and device, length, or value.
    async fn value_of(&mut self, name: &str) -> Option<String> {
        // A host that is gone is for the next cell to notice, which tells the user.
        if !self.host.as_mut().is_some_and(Host::is_alive) {
            return None;
        }
        let interrupter = self.interrupter();
        let request = CellRequest { code: name, execution_count: 0, allow_stdin: false, cell_id: None };
        let (events, mut shown) = mpsc::channel(16);
        let names = Names::from_iter([name.to_owned()]);
        let mut described = std::pin::pin!(self.describe_variables(names, Execution { request, events: &events }));
        let deadline = Instant::now() + LOOK;
        let mut waits = true;
        let described = loop {
            tokio::select! {
                described = &mut described => break described,
                // What a value's own `Debug` prints is for nobody.
                Some(_) = shown.recv() => {}
                () = sleep_until(deadline), if waits => {
                    waits = false;
                    interrupter.interrupt();
                }
            }
        };
        let described = described.ok()?.pop()?;
        let device = described.device.map(|device| format!(" on {device}")).unwrap_or_default();
        Some(format!("{}{device}", described.what))
    }

    /// `Tensor::matmul` of `weights.matmul`; the last name alone where it is not known what it is of.
    fn of_type(&self, owner: &str, rest: &str) -> String {
        let variable = self.state.variables.live.get(owner);
        let ty = variable.and_then(|variable| type_name(variable.spelled()));
        match ty {
            Some(ty) if !rest.contains('.') => format!("{ty}::{rest}"),
            _ => rest.rsplit('.').next().unwrap_or(rest).to_owned(),
        }
    }
}

/// Whether the cursor is at a name, and not between parentheses.
fn is_on_name(cell: &str, cursor: usize) -> bool {
    cell[..cursor].ends_with(in_name) || cell[cursor..].starts_with(in_name)
}

/// `nn::linear` at any of its characters, and between its parentheses.
fn name_at(cell: &str, cursor: usize) -> Option<&str> {
    let path = path_before(&cell[..cursor + first_name(&cell[cursor..]).len()]);
    if path.ends_with(in_name) {
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
    Some(path_before(callee)).filter(|path| path.ends_with(in_name))
}

/// The path or chain of names at the end of a text.
fn path_before(text: &str) -> &str {
    let ahead = text.trim_end_matches(|char| in_name(char) || matches!(char, ':' | '.'));
    text[ahead.len()..].trim_start_matches(['.', ':'])
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
