//! `:vars`: the variables of the session, and what they are like.
//!
//! Names and types are known here. Shapes and lengths are asked of the host by a small cell that looks at each
//! variable, written when somebody asks, so that no other cell pays for it.

use std::collections::HashMap;

use oxtorch_protocol::Described;
use oxtorch_session::{CellError, ErrorKind};

use crate::cell::{Execution, NativeEngine};
use crate::perform::table::table;
use crate::perform::{Shown, show};
use crate::report::type_names::readable_type;
use crate::source::fragment::CellText;
use crate::source::identifiers::{Names, raw};
use crate::source::parse::ParsedCell;

/// Errors after which there is nothing left to show.
const GONE: [ErrorKind; 2] = [ErrorKind::Interrupted, ErrorKind::HostDied];

impl NativeEngine {
    /// Shows the variables, and why others are not there.
    pub(super) async fn show_variables(&mut self, call: Execution<'_>) -> Result<(), CellError> {
        let names = self.state.variables.live.keys().cloned().collect();
        let described = match self.describe_variables(names, call).await {
            Ok(described) => described,
            Err(error) if GONE.contains(&error.kind) => return Err(error),
            Err(error) => {
                // A `Debug` of the user's may panic, for one.
                call.tell(&[format!("the values cannot be shown: {}", error.evalue)]).await;
                Vec::new()
            }
        };
        let described: HashMap<&str, &Described> =
            described.iter().map(|described| (described.name.as_str(), described)).collect();
        let variables = &self.state.variables;
        let rows: Vec<[String; 5]> = variables
            .live
            .iter()
            .map(|(name, variable)| {
                let described = described.get(name.as_str());
                [
                    name.clone(),
                    readable_type(variable.spelled()),
                    described.map_or_else(String::new, |described| described.what.clone()),
                    described.and_then(|described| described.device.clone()).unwrap_or_default(),
                    format!("[{}]", variable.declared.cell.number()),
                ]
            })
            .collect();
        let mut parts = vec![match rows.is_empty() {
            true => Shown::text("There are no variables."),
            false => table(["Name", "Type", "Shape or value", "Device", "Cell"], &rows),
        }];
        let lost: Vec<String> = variables
            .lost
            .iter()
            .filter(|(name, _)| !name.starts_with('_'))
            .map(|(name, loss)| format!("{}.", loss.explain(name)))
            .collect();
        if !lost.is_empty() {
            parts.push(Shown::text(format!("Gone:\n{}", lost.join("\n"))));
        }
        parts.extend(self.fewer_threads.as_deref().map(Shown::text));
        show(call, Shown::stacked(parts)).await;
        Ok(())
    }

    /// Has the host say what variables are like.
    pub(crate) async fn describe_variables(
        &mut self,
        names: Names,
        call: Execution<'_>,
    ) -> Result<Vec<Described>, CellError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut code =
            "{ use ::oxtorch::cell::{DescribedByItself as _, DescribedBySize as _, DescribedByText as _}; ".to_owned();
        for name in &names {
            let variable = raw(name);
            code += &format!("(&&&::oxtorch::cell::Show(&{variable})).oxtorch_describe({name:?}); ");
        }
        code += "}";
        let text = CellText::new(call.request.execution_count, call.request.code);
        let cell = ParsedCell::ours(&text, code, names);
        Ok(self.run_cell(&text, Ok(cell), call).await?.described)
    }
}
