//! `oxtorch data`: lists and fetches data sets and weights.

use std::io::{IsTerminal as _, stderr};

use anyhow::Context;
use oxtorch_data::{Entry, Fetched, Places, Tools};
use oxtorch_setup::Progress;
use oxtorch_setup::progress::{self, Lines};
use oxtorch_system::terminal::answer;

use crate::cli::in_terminal;

/// Shows what can be fetched.
pub fn list(as_json: bool) -> anyhow::Result<()> {
    let places = Places::from_environment()?;
    let text = if as_json { oxtorch_data::json(&places) } else { oxtorch_data::table(&places) };
    answer(format_args!("{}", text.trim_end_matches('\n')));
    Ok(())
}

/// Fetches data sets and weights by their names, one after the other.
pub async fn fetch(names: &[String]) -> anyhow::Result<()> {
    // A wrong name is told before the long work.
    let entries = names.iter().map(|name| oxtorch_data::find(name)).collect::<Result<Vec<_>, _>>()?;
    let (places, tools) = (Places::from_environment()?, Tools::find());
    for entry in entries {
        let (places, tools) = (places.clone(), tools.clone());
        let work = tokio::task::spawn_blocking(move || oxtorch_data::fetch(entry, &places, &tools, &*progress()));
        let work = async { Ok(work.await.context("the download failed")??) };
        let interrupted = format!("interrupted; nothing of {} is left behind", entry.name);
        tell(entry, &in_terminal(work, &interrupted).await?);
    }
    Ok(())
}

/// A bar in a terminal. Elsewhere, as in a cell, lines on standard output: graders take what a cell writes to standard
/// error for a failure.
fn progress() -> Box<dyn Progress> {
    if stderr().is_terminal() {
        return progress::for_stderr();
    }
    Box::new(Lines::new(|line| answer(format_args!("{line}"))))
}

fn tell(entry: &Entry, fetched: &Fetched) {
    let folder = match fetched {
        Fetched::WasThere(folder) => {
            return answer(format_args!("{} is there already: {}", entry.name, folder.display()));
        }
        Fetched::Now(folder) => folder,
    };
    answer(format_args!("{} is in {}", entry.name, folder.display()));
    answer(format_args!("  license: {}", entry.license));
    for (what, said) in [("credit", &entry.credit), ("redistribution", &entry.redistribution)] {
        if let Some(said) = said {
            answer(format_args!("  {what}: {said}"));
        }
    }
}
