//! Compiles the cells that will probably come next while a cell runs.
//!
//! They are compiled against the state that the session will be in if every cell ends as it should. What comes out is
//! only what the compiler remembers: a cell that comes in another state, or not at all, costs nothing but the time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::commands::{Segment, segments};
use crate::compile::state::State;
use crate::compile::{CompiledCell, Compiler, Purpose};
use crate::emit::VariableId;
use crate::plan::scope::CrateName;
use crate::source::fragment::CellText;
use crate::source::parse::parse;

/// What is expected, and what is being done for it.
#[derive(Debug, Default)]
pub(crate) struct Speculation {
    expected: Vec<String>,
    work: Option<Work>,
}

/// Cells that are being compiled, the next one first.
#[derive(Debug)]
struct Work {
    cells: VecDeque<String>,
    /// How many of them were taken since the work began.
    taken: usize,
    /// The crates of those that are compiled.
    compiled: watch::Receiver<Vec<CrateName>>,
    task: JoinHandle<()>,
}

impl Drop for Work {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Speculation {
    /// Names the cells that will probably follow the one that comes next.
    pub fn expect(&mut self, cells: Vec<String>) {
        self.expected = cells;
    }

    /// Ends whatever is under way: the cell that it was to follow was interrupted.
    pub fn end(&mut self) {
        self.work = None;
    }

    /// Waits until the cell that comes now is compiled, if that is under way; else whatever is under way is of no use.
    pub async fn wait_for(&mut self, code: &str) {
        let Some(work) = &mut self.work else { return };
        if work.cells.front().is_none_or(|next| next != code) {
            self.work = None;
            return;
        }
        work.cells.pop_front();
        work.taken += 1;
        let taken = work.taken;
        // The sender is gone when the work has ended, with this cell or before it.
        let _ = work.compiled.wait_for(|compiled| compiled.len() >= taken).await;
    }

    /// Goes on with the cells behind the one that is now to run, or begins with them.
    pub fn go_on(&mut self, compiler: &Arc<Compiler>, state: &State, running: &CompiledCell) {
        let foretold = self.work.as_ref().is_some_and(|work| {
            let compiled = work.compiled.borrow();
            !work.cells.is_empty()
                && compiled.get(work.taken.wrapping_sub(1)) == Some(&running.name)
                && work.cells.iter().eq(self.expected.iter().take(work.cells.len()))
                && (!work.task.is_finished() || work.taken < compiled.len())
        });
        let cells = std::mem::take(&mut self.expected);
        if foretold || cells.is_empty() {
            return;
        }
        let mut state = state.clone();
        state.commit_variables(running, &probably_kept(running), 0);
        let (done, compiled) = watch::channel(Vec::new());
        let task = tokio::spawn(compile(Arc::clone(compiler), state, cells.clone(), done));
        self.work = Some(Work { cells: cells.into(), taken: 0, compiled, task });
    }
}

async fn compile(compiler: Arc<Compiler>, mut state: State, cells: Vec<String>, done: watch::Sender<Vec<CrateName>>) {
    for code in cells {
        // What a command does is not foretold.
        let segments = segments(&code, &|name| state.knows(name));
        let [Segment::Code(code)] = segments.as_slice() else { return };
        let text = CellText::new(0, code);
        let Ok(mut cell) = parse(&text, &state.item_macros()) else { return };
        let Ok(ready) = compiler.compile(&state, &text, &mut cell, Purpose::RunLater).await else { return };
        if ready.library {
            state.commit_items(&ready, &cell, 0);
            state.commit_variables(&ready, &probably_kept(&ready), 0);
        }
        done.send_modify(|compiled| compiled.push(ready.name));
    }
}

/// The variables that a cell leaves in the store if it runs to its end.
fn probably_kept(ready: &CompiledCell) -> Vec<VariableId> {
    let decisions = &ready.lessons.decisions;
    let last: BTreeMap<&str, VariableId> =
        ready.emission.variables.iter().enumerate().map(|(id, variable)| (variable.name.as_str(), id)).collect();
    let kept = last.into_values().filter(|id| !decisions.moved.contains(id) && !decisions.not_kept.contains(id));
    kept.collect()
}
