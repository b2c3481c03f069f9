//! `:type`: asks rustc for the type of an expression, and runs nothing.

use oxtorch_session::CellError;

use crate::cell::{Execution, NativeEngine};
use crate::diagnostic::Diagnostic;
use crate::report::errors::{command_error, interrupted};
use crate::report::type_names::readable_type;
use crate::source::fragment::CellText;
use crate::source::parse::parse_as_one;

/// What the lint's message calls the type around the one that we ask for.
const AROUND: &str = "oxtorch::cell::TypeOf<";

impl NativeEngine {
    /// The type of an expression, as the user would write it.
    pub(super) async fn type_of(&self, code: String, call: Execution<'_>) -> Result<String, CellError> {
        let text = CellText::part(call.request, code, self.dir());
        // The lint that rustc is called with says what type an unused value has.
        let begin = "{ ::oxtorch::cell::type_of({".to_owned();
        let ours = [(0, begin), (text.text.len(), "\n}); }".to_owned())];
        let cell = match parse_as_one(&text, &ours) {
            Ok(cell) => cell,
            Err(error) => return Err(self.compiler.syntax_error(&self.state, &text, &error).await),
        };
        let told = tokio::select! {
            told = self.compiler.check(&self.state, &text, &cell) => told?,
            () = self.cancelled() => return Err(interrupted()),
        };
        let ty = told.iter().filter(|told| told.code() == "unused_results").find_map(named);
        ty.map(readable_type).ok_or_else(|| command_error("the compiler does not give the type", &[]))
    }
}

fn named(diagnostic: &Diagnostic) -> Option<&str> {
    let (_, rest) = diagnostic.message.split_once(AROUND)?;
    rest.rsplit_once(">`").map(|(ty, _)| ty)
}
