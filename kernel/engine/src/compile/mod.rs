//! Compiles a cell, trying again with what rustc refuses left out, until it compiles or the errors are the user's.

pub(crate) mod cache;
pub(crate) mod compiler_failure;
pub(crate) mod deps;
pub(crate) mod rustc;
pub(crate) mod speculate;
pub(crate) mod state;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use oxtorch_session::CellError;
use oxtorch_setup::contents::Look;
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::compile::cache::Cache;
use crate::compile::compiler_failure::{
    cells_gone, misses_a_cell, not_compiled, not_started, runtime_damaged, speaks_of_crates,
};
use crate::compile::deps::Links;
pub(super) use crate::compile::rustc::Purpose;
use crate::compile::rustc::{Compiled, Crate, Rustc};
use crate::compile::state::State;
use crate::crate_names::Sources;
use crate::diagnostic::{Diagnostic, Span};
use crate::emit::repair::{answers, learn, probed_types};
use crate::emit::{self, CellVariable, Decisions, Emission, Input, VariableId};
use crate::plan::opaque::Naming;
use crate::plan::scope::CrateName;
use crate::plan::variables::{Unnamed, named};
use crate::plan::{Plan, expand};
use crate::report::brackets::unbalanced;
use crate::report::errors::{compile_error, internal};
use crate::report::notes::unused::{Unused, unused_values};
use crate::report::{python_hints, render};
use crate::source::fragment::{Author, CellText, Fragment};
use crate::source::identifiers::Names;
use crate::source::parse::{ParseError, ParsedCell};
use crate::source::source_map::{CrateSource, Place};

/// More tries than this would be a mistake in how refusals are read: every try decides at least one thing.
const MAX_TRIES: usize = 24;

/// What compiling a crate has taught.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Lessons {
    /// What had to be left out.
    pub decisions: Decisions,
    /// The types of the new variables, by their ids, as code of later cells.
    pub types: BTreeMap<VariableId, Result<String, Unnamed>>,
    /// The values that the cell does not use though it must.
    pub unused: Vec<Unused>,
}

/// A compiled cell that waits to be run.
#[derive(Debug)]
pub(super) struct CompiledCell {
    pub plan: Plan,
    pub emission: Emission,
    pub lessons: Lessons,
    /// The crate's name.
    pub name: CrateName,
    /// Whether there is a library at all: a cell of comments has none.
    pub library: bool,
}

/// One way to write the crate of a cell.
struct Draft {
    plan: Plan,
    emission: Emission,
    name: CrateName,
    decisions: Decisions,
    /// Crates that it names beside those that the session has asked for.
    externs: Vec<(String, PathBuf)>,
}

impl Draft {
    fn file(&self) -> String {
        format!("{}.rs", self.name)
    }

    /// The types of the new variables, from what rustc said when it compiled this.
    fn types(&self, diagnostics: &[Diagnostic]) -> BTreeMap<VariableId, Result<String, Unnamed>> {
        let local = self.local();
        let probed = probed_types(diagnostics, &self.emission, &self.file()).into_iter();
        let types = probed.map(|(id, ty)| match self.decisions.naming.get(&id) {
            Some(Naming::Named(aliased)) => (id, aliased.for_others(&self.name).ok_or(Unnamed::Untold)),
            _ => (id, named(&ty, &local, &self.name)),
        });
        types.collect()
    }

    /// What gives a name to types that have none, where that is not decided yet; from what rustc said when it compiled
    /// this.
    fn named_types(&self, diagnostics: &[Diagnostic]) -> Option<Decisions> {
        let local = self.local();
        let (emission, file) = (&self.emission, self.file());
        let answers = answers(diagnostics, emission, &file);
        let mut next = self.decisions.clone();
        for (id, message) in probed_types(diagnostics, emission, &file) {
            let is_open = matches!(next.naming.get(&id), None | Some(Naming::Asked(_)));
            if is_open && named(&message, &local, &self.name).is_err() {
                let CellVariable { name, mutable, .. } = &emission.variables[id];
                let answer = emission.questions.get(&id).copied().zip(answers.get(&id).map(String::as_str));
                next.naming.insert(id, Naming::of(name, *mutable, &message, answer, &local));
            }
        }
        (next != self.decisions).then_some(next)
    }

    /// The names of the items in it.
    fn local(&self) -> Vec<String> {
        self.plan.items().flat_map(|item| item.names.iter().cloned()).collect()
    }

    fn ready(self, lessons: Lessons, library: bool) -> CompiledCell {
        let Self { plan, emission, name, .. } = self;
        CompiledCell { plan, emission, lessons, name, library }
    }
}

/// Compiles the cells of a session. It only reads the session's state, so it can work on a foretold one as well.
#[derive(Debug)]
pub(super) struct Compiler {
    rustc: Rustc,
    cache: Arc<Cache>,
    /// What is being written to the cache.
    keeping: Mutex<JoinSet<()>>,
    /// The emitted sources of all cells, to find the user's places in messages.
    pub sources: Arc<RwLock<Sources>>,
    /// What compiling has taught about a crate, by its name at the first try.
    compiled: Mutex<HashMap<String, Lessons>>,
    /// What macros make of a source.
    expanded: Mutex<HashMap<String, String>>,
}

impl Compiler {
    /// A compiler that calls `rustc`, and keeps what it compiled.
    pub fn new(rustc: Rustc, cache: Arc<Cache>) -> Self {
        Self {
            rustc,
            cache,
            keeping: Mutex::default(),
            sources: Arc::default(),
            compiled: Mutex::default(),
            expanded: Mutex::default(),
        }
    }

    /// What keeps compiled cells on disk.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Where the compiled crates lie.
    pub fn rustc(&self) -> &Rustc {
        &self.rustc
    }

    /// Finds out what the calls of macros that may make items make.
    async fn expand(&self, state: &State, cell: &mut ParsedCell) -> Result<(), CellError> {
        if cell.calls.is_empty() && cell.derived.is_empty() {
            return Ok(());
        }
        let links = state.dependencies.links_for_rustc();
        let source = expand::source(cell, &state.scope, &state.item_macros());
        let known = self.expanded.lock().get(&source).cloned();
        let expanded = match known {
            Some(expanded) => expanded,
            None => self.rustc.expand(&source, links).await.map_err(|error| internal(format!("{error:#}")))?,
        };
        expand::resolve(cell, &expanded);
        self.expanded.lock().insert(source, expanded);
        Ok(())
    }

    /// Compiles a cell, trying again with what rustc refuses left out, until it compiles or the errors are the user's.
    /// What macros make of it is among its items afterwards.
    pub async fn compile(
        &self,
        state: &State,
        text: &Arc<CellText>,
        cell: &mut ParsedCell,
        purpose: Purpose,
    ) -> Result<CompiledCell, CellError> {
        self.expand(state, cell).await?;
        let cell = &*cell;
        let writer = Writer::new(&self.rustc, state, text, cell);
        let mut next = writer.draft(Decisions::default());
        if !next.emission.runs && next.plan.is_empty() && cell.uses.is_empty() {
            return Ok(next.ready(Lessons::default(), false));
        }
        // What is learnt is known by the first try's name, which is all that is there before anything is learnt.
        let first_name = next.name.clone();
        if let Some(lessons) = self.lessons(&first_name) {
            if lessons.decisions != next.decisions {
                next = writer.draft(lessons.decisions.clone());
            }
            if self.rustc.library(&next.name).exists() {
                self.remember_source(&next, purpose);
                return Ok(next.ready(lessons, true));
            }
        }
        let (next, compiled) = self.try_until_compiled(&writer, next, purpose).await?;
        let types = next.types(&compiled.diagnostics);
        let unused = unused_values(&compiled.diagnostics, &next.file());
        let lessons = Lessons { decisions: next.decisions.clone(), types, unused };
        self.learnt(first_name, &next.name, lessons.clone());
        self.remember_source(&next, purpose);
        Ok(next.ready(lessons, true))
    }

    /// What rustc says about a cell that is not to be run.
    pub async fn check(
        &self,
        state: &State,
        text: &Arc<CellText>,
        cell: &ParsedCell,
    ) -> Result<Vec<Diagnostic>, CellError> {
        let writer = Writer::new(&self.rustc, state, text, cell);
        let first = writer.draft(Decisions::default());
        let (_, compiled) = self.try_until_compiled(&writer, first, Purpose::Check).await?;
        Ok(compiled.diagnostics)
    }

    async fn try_until_compiled(
        &self,
        writer: &Writer<'_>,
        mut next: Draft,
        purpose: Purpose,
    ) -> Result<(Draft, Compiled), CellError> {
        let Writer { state, cell, .. } = *writer;
        for _ in 0..MAX_TRIES {
            let krate = Crate {
                name: &next.name,
                source: &next.emission.source.text,
                crates: &next.emission.crates,
                depth: next.emission.stages.len(),
                opt_level: state.opt_level(cell),
                full_paths: true,
                features: &next.emission.features,
                links: state.dependencies.links_for_rustc(),
                externs: &next.externs,
                purpose: if next.emission.questions.is_empty() { purpose } else { Purpose::Check },
                only_safe: writer.text.author == Author::Student,
            };
            let compiled = self.call(krate).await?;
            if compiled.library.is_some() {
                match next.named_types(&compiled.diagnostics).filter(|_| purpose != Purpose::Check) {
                    Some(decisions) => next = writer.draft(decisions),
                    None => return Ok((next, compiled)),
                }
                continue;
            }
            let errors: Vec<&Diagnostic> =
                compiled.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
            if errors.iter().any(|error| speaks_of_crates(error))
                && let Some(damage) = self.rustc.runtime().damage(Look::Hashes)
            {
                return Err(runtime_damaged(&damage));
            }
            if errors.iter().any(|error| misses_a_cell(error)) {
                return Err(cells_gone());
            }
            if errors.iter().all(|error| error.spans.is_empty()) {
                return Err(not_compiled(&errors, &compiled.other, compiled.status));
            }
            match learn(&errors, &next.emission, &next.file(), &next.decisions) {
                Some(decisions) => next = writer.draft(decisions),
                None => return Err(self.compile_error(state, krate, &errors, &next.emission).await?),
            }
        }
        Err(internal("rustc refused every way to run this cell".to_owned()))
    }

    fn lessons(&self, first_name: &str) -> Option<Lessons> {
        let compiled = || self.compiled.lock();
        if let Some(lessons) = compiled().get(first_name) {
            return Some(lessons.clone());
        }
        let lessons: Lessons = self.cache.get(first_name, self.rustc.folder())?;
        compiled().insert(first_name.to_owned(), lessons.clone());
        Some(lessons)
    }

    fn learnt(&self, first_name: CrateName, name: &str, lessons: Lessons) {
        let (cache, library) = (Arc::clone(&self.cache), self.rustc.library(name));
        self.compiled.lock().insert(first_name.clone(), lessons.clone());
        let mut keeping = self.keeping.lock();
        while keeping.try_join_next().is_some() {}
        keeping.spawn_blocking(move || {
            // A cell runs as well without being kept: the disk may be full, or the cache not ours to write.
            let _ = cache.put(&first_name, &library, &lessons);
        });
    }

    /// Waits until all that was compiled is kept.
    pub async fn finish(&self) {
        let mut keeping = std::mem::take(&mut *self.keeping.lock());
        while keeping.join_next().await.is_some() {}
    }

    /// The same crate may come from another cell, or from the same one under another number: the last one is the one
    /// that the user is looking at. That is none which waits to be run: it has no number yet, and the same crate may be
    /// running.
    fn remember_source(&self, draft: &Draft, purpose: Purpose) {
        if purpose == Purpose::Run {
            let mut sources = self.sources.write();
            sources.insert(draft.name.clone(), Arc::new(draft.emission.source.clone()));
        }
    }

    async fn call(&self, krate: Crate<'_>) -> Result<Compiled, CellError> {
        self.rustc.compile(krate).await.map_err(|error| not_started(format!("{error:#}")))
    }

    /// Draws the user's errors. Where they name types by their paths, rustc is asked once more, for types as a reader
    /// likes them, and where they are about unstable features, for what it says of them without flags of ours.
    async fn compile_error(
        &self,
        state: &State,
        krate: Crate<'_>,
        errors: &[&Diagnostic],
        emission: &Emission,
    ) -> Result<CellError, CellError> {
        let compiled;
        let mut errors = errors.to_vec();
        if errors.iter().any(|error| error.depends_on_flags()) {
            compiled = self.call(Crate { full_paths: false, ..krate }).await?;
            // It may have been killed meanwhile.
            if !compiled.placed_errors().is_empty() {
                errors = compiled.placed_errors();
            }
        }
        errors.retain(|error| !error.spans.is_empty());
        let (file, source) = (format!("{}.rs", krate.name), &emission.source);
        let errors: Vec<Diagnostic> = errors.into_iter().map(|error| at_declaration(error, emission, &file)).collect();
        let errors: Vec<&Diagnostic> = errors.iter().collect();
        let report = render::errors(&errors, source, &file, |error| state.known().advice(error, source, &file));
        Ok(compile_error(report))
    }

    /// rustc explains a syntax error better than syn does.
    pub async fn syntax_error(&self, state: &State, text: &Arc<CellText>, error: &ParseError) -> CellError {
        if let Some(found) = unbalanced(&text.text) {
            return compile_error(render::unbalanced_text(text, &found));
        }
        let mut source = CrateSource::default();
        source.glue("#![allow(unused)] fn __oxtorch_run() { ");
        source.fragment(&Fragment { cell: Arc::clone(text), range: 0..text.text.len(), edits: Vec::new() });
        let end = source.glue("\n}\n").start;
        let name = self.rustc.crate_name(0, &source.text);
        let (crates, links) = (BTreeSet::new(), Links::default());
        let krate = Crate {
            name: &name,
            source: &source.text,
            crates: &crates,
            depth: 0,
            opt_level: 0,
            full_paths: false,
            features: &BTreeSet::new(),
            links: &links,
            externs: &[],
            purpose: Purpose::Check,
            only_safe: false,
        };
        let mut compiled = match self.call(krate).await {
            Ok(compiled) => compiled,
            Err(error) => return error,
        };
        let file = format!("{name}.rs");
        compiled.diagnostics.iter_mut().for_each(|error| without_our_end(error, end, &file));
        let advice = |error: &Diagnostic| python_hints::of(error, &source, &file);
        // No name of the session or of the prelude is in scope here: that one is missing means nothing, but for a
        // habit, and of a name that the session has not.
        let known = state.known();
        let mut errors = compiled.placed_errors();
        // What has been said of a word that cannot be parsed is not said again of the name ahead of it.
        let syntax = errors.iter().filter(|error| error.is_syntax());
        let told: Vec<String> = syntax.flat_map(|error| advice(error).help).collect();
        let is_habit = |error: &Diagnostic| {
            let help = advice(error).help;
            !known.has_name_of(error) && help.first().is_some_and(|help| !told.contains(help))
        };
        errors.retain(|error| error.is_syntax() || is_habit(error));
        if !errors.is_empty() {
            return compile_error(render::errors(&errors, &source, &file, advice));
        }
        let place = Place { cell: Arc::clone(text), range: error.range.clone() };
        compile_error(render::failure("error", &error.message, &[place], &[]))
    }
}

/// An error about what only our own text does with a variable, such as that its type is open, with the place where the
/// user declares it.
fn at_declaration(error: &Diagnostic, emission: &Emission, file: &str) -> Diagnostic {
    let mut error = error.clone();
    let is_placed = |span: &Span| span.range_in(file).is_some_and(|range| emission.source.place(range).is_some());
    let Some(read) = error.range_in(file).filter(|_| !error.spans.iter().any(is_placed)) else { return error };
    if let Some(declared) = emission.declaration_of_read(read)
        && let Some(span) = error.spans.iter_mut().find(|span| span.is_primary)
    {
        (span.byte_start, span.byte_end) = (declared.start, declared.end);
        (span.file_name, span.label, span.expansion) = (file.to_owned(), None, None);
    }
    error
}

/// rustc finds the brace that ends our function where the cell ends too early, and the user sees none.
fn without_our_end(error: &mut Diagnostic, end: usize, file: &str) {
    let at_end = |span: &Span| span.range_in(file).is_some_and(|range| range.start >= end);
    if error.spans.iter().any(at_end) {
        error.message = error.message.replace("found `}`", "found the end of the cell");
        error.spans.retain(|span| span.is_primary || !at_end(span));
        for label in error.spans.iter_mut().filter_map(|span| span.label.as_mut()) {
            *label = label.replace("found `}`", "found the end of the cell");
        }
    }
}

/// Writes the crate of a cell, in one way after the other.
struct Writer<'a> {
    rustc: &'a Rustc,
    state: &'a State,
    text: &'a CellText,
    cell: &'a ParsedCell,
    /// The names that the macros which the cell mentions bring with them.
    macro_mentions: Names,
}

impl<'a> Writer<'a> {
    fn new(rustc: &'a Rustc, state: &'a State, text: &'a CellText, cell: &'a ParsedCell) -> Self {
        let mut macro_mentions = cell.mentions.clone();
        state.scope.close_over_macros(&mut macro_mentions);
        macro_mentions.retain(|name| !cell.mentions.contains(name));
        Self { rustc, state, text, cell, macro_mentions }
    }

    /// The crate under what was decided so far.
    fn draft(&self, decisions: Decisions) -> Draft {
        let Self { state, cell, .. } = *self;
        let plan = state.scope.plan(cell, &decisions.stale);
        let mut variables = state.variables.clone();
        variables.rehome(&plan, None, self.text.number());
        let imports = state.scope.imports(&plan, cell);
        let earlier_uses = state.scope.uses(&plan, cell);
        let macros: Vec<_> =
            if decisions.local_macros { state.scope.macros(cell.mentions.clone()).collect() } else { Vec::new() };
        // They mean the variables that are there ahead of the cell, even if that has others of the same names.
        let named = macros.iter().flat_map(|item| &item.mentions).chain(&self.macro_mentions).cloned().collect();
        let mut emission = emit::emit(Input {
            cell,
            plan: &plan,
            imports: &imports,
            uses: &earlier_uses,
            live: &variables.live,
            macro_mentions: &named,
            macros: &macros,
            decisions: &decisions,
        });
        let items = plan.items().flat_map(|item| &item.names);
        let uses = cell.leaves().chain(&earlier_uses).filter_map(|leaf| leaf.name.as_ref());
        let taken = items.chain(imports.iter().map(|import| &import.name)).chain(uses).cloned().collect();
        let externs = state.dependencies.attach(&mut emission.source, &taken);
        let name = self.rustc.crate_name(state.opt_level(cell), &emission.source.text);
        Draft { plan, emission, name, decisions, externs }
    }
}
