//! `:opt`, `:cache` and `:reset`.

use oxtorch_protocol::{Outcome, Run};
use oxtorch_session::CellError;

use crate::cell::{Execution, NativeEngine};
use crate::commands::Optimise;
use crate::compile::state::State;
use crate::perform::say;
use crate::plan::variables::Variables;
use crate::report::errors::{command_error, internal};

impl NativeEngine {
    /// Changes how later cells are optimised, and says how they are.
    pub(super) fn optimise(&mut self, change: Option<Optimise>) -> String {
        self.state.optimise = change.unwrap_or(self.state.optimise);
        match self.state.optimise {
            Optimise::Auto => "opt-level auto: 2 for cells with loops, closures or functions, 0 for others".to_owned(),
            Optimise::Level(level) => format!("opt-level {level} for every cell"),
        }
    }

    /// Says how full the cache is, or empties it.
    pub(super) fn cache(&self, clear: bool) -> Result<String, CellError> {
        let cache = self.compiler.cache();
        let refused =
            |what: &str, error: std::io::Error| command_error(&format!("the cache cannot be {what}: {error}"), &[]);
        let usage = cache.usage().map_err(|error| refused("read", error))?;
        let Some(folder) = &usage.folder else {
            return Ok("there is no cache: OXTORCH_CACHE_MB is 0".to_owned());
        };
        if clear {
            cache.clear().map_err(|error| refused("emptied", error))?;
            return Ok(format!("removed {} compiled cells, {}", usage.cells, megabytes(usage.bytes)));
        }
        let (cells, bytes, limit) = (usage.cells, megabytes(usage.bytes), megabytes(usage.limit));
        let found = format!("{} of {} cells of this session were found in it", usage.hits, usage.hits + usage.misses);
        Ok(format!("{cells} compiled cells, {bytes} of at most {limit}, in {}\n{found}", folder.display()))
    }

    /// Forgets variables, or everything that cells have made; then a new host begins. What is shown as the variables
    /// are dropped is this cell's.
    pub(super) async fn reset(&mut self, keep_items: bool, call: Execution<'_>) -> Result<(), CellError> {
        let count = match self.state.variables.live.len() {
            1 => "1 variable".to_owned(),
            count => format!("{count} variables"),
        };
        if keep_items {
            let forget: Vec<String> = self.state.variables.live.keys().cloned().collect();
            let outcome = if forget.is_empty() {
                Outcome::Ok
            } else {
                self.run(Run { forget, ..Run::default() }, call).await?.outcome
            };
            self.state.variables = Variables::default();
            self.outcome(outcome)?;
            say(call, &format!("forgot {count}; functions and types stay")).await;
            return Ok(());
        }
        // What the user has set, rather than made, stays.
        self.state = State { optimise: self.state.optimise, ..State::default() };
        let new = self.standby.take(&self.surroundings).map_err(|error| internal(format!("{error:#}")))?;
        if let Some(old) = self.host.replace(new) {
            let aside = self.aside.clone().unwrap_or_default().to(call.events.clone());
            // The next cell may open a file that a variable of an earlier one has yet to write.
            old.shutdown(Some(&aside)).await;
        }
        say(call, &format!("forgot {count} and all items")).await;
        Ok(())
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
