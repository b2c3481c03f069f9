//! A notebook file: read, checked, brought up to date, given outputs, written back.
//!
//! `nbformat` says whether a file is a notebook and gives it what the current format asks for; what the author put
//! into it (metadata of any kind, attachments) passes through as it was.

use std::collections::HashSet;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nbformat::v4::{self, Output};
use rustix::fs::OFlags;
use serde_json::{Map, Value, json};
use tempfile::{NamedTempFile, PersistError};

/// Why a notebook cannot be run, or its outputs cannot be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotebookError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The notebook.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not JSON.
    #[error("{} is not a notebook: it is not JSON", path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Where it stops being JSON.
        source: serde_json::Error,
    },
    /// The file is longer than any notebook.
    #[error("{} is not a notebook that can be run: it has more than {} MB", path.display(), LONGEST >> 20)]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// Its JSON nests too deeply.
    #[error(
        "{} cannot be read: something in it nests more than 127 levels deep. Outputs and metadata can: clear the outputs in \
         an editor, or take out the metadata",
        path.display()
    )]
    TooDeep {
        /// The notebook.
        path: PathBuf,
    },
    /// It is JSON, and not a notebook.
    #[error("{} is not a notebook: {reason}", path.display())]
    NotANotebook {
        /// The file.
        path: PathBuf,
        /// What a notebook would have.
        reason: String,
    },
    /// A format that is too old or too new.
    #[error(
        "{} has notebook format {version}; formats 4.0 to 4.5 can be run. `jupyter nbconvert --to notebook --inplace` \
         converts older ones",
        path.display()
    )]
    Version {
        /// The notebook.
        path: PathBuf,
        /// The format that it names.
        version: String,
    },
    /// It is for another language.
    #[error(
        "{} is for the kernel {kernel:?}, not for Rust. Run it with that kernel, or choose \"Rust (Oxtorch)\" as its \
         kernel in JupyterLab",
        path.display()
    )]
    OtherKernel {
        /// The notebook.
        path: PathBuf,
        /// The kernel as the notebook names it.
        kernel: String,
    },
    /// The outputs cannot be written there.
    #[error("cannot write {}{}", path.display(), elsewhere(kept.as_deref()))]
    Unwritable {
        /// Where the executed notebook was to go.
        path: PathBuf,
        /// Where it is in place of that.
        kept: Option<PathBuf>,
        /// What the system said.
        source: io::Error,
    },
}

/// No notebook is longer, in bytes.
const LONGEST: u64 = 1 << 30;

fn elsewhere(kept: Option<&Path>) -> String {
    kept.map(|kept| format!(" (the executed notebook is {})", kept.display())).unwrap_or_default()
}

/// A cell that can be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CodeCell {
    /// Its place among all cells of the notebook.
    pub(super) index: usize,
    /// Its text.
    pub(super) source: String,
    /// What its author says about it.
    pub(super) tags: Vec<String>,
}

/// A notebook of the current format, for this kernel.
#[derive(Debug)]
pub(super) struct Notebook {
    document: Map<String, Value>,
}

impl Notebook {
    /// Reads a notebook; the outputs that it has are dropped.
    pub(super) fn read(path: &Path) -> Result<Self, NotebookError> {
        let mut text = Vec::new();
        File::open(path)
            .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut text))
            .map_err(|source| NotebookError::Unreadable { path: path.to_path_buf(), source })?;
        if text.len() as u64 > LONGEST {
            return Err(NotebookError::TooLong { path: path.to_path_buf() });
        }
        let document: Value = serde_json::from_slice(&text).map_err(|source| {
            let path = path.to_path_buf();
            // The library has no kind for it.
            if source.to_string().starts_with("recursion limit") {
                return NotebookError::TooDeep { path };
            }
            NotebookError::NotJson { path, source }
        })?;
        let not_a_notebook =
            |reason: &str| NotebookError::NotANotebook { path: path.to_path_buf(), reason: reason.into() };
        let Value::Object(mut document) = document else { return Err(not_a_notebook("it is not a JSON object")) };
        let Some(major) = document.get("nbformat").and_then(Value::as_i64) else {
            return Err(not_a_notebook("it names no notebook format (nbformat)"));
        };
        let minor = document.get("nbformat_minor").and_then(Value::as_i64).unwrap_or(0);
        let version = || NotebookError::Version { path: path.to_path_buf(), version: format!("{major}.{minor}") };
        if major != 4 {
            return Err(version());
        }
        if !document.get("metadata").is_some_and(Value::is_object) {
            document.insert("metadata".into(), json!({}));
        }
        check_kernel(&document["metadata"])
            .map_err(|kernel| NotebookError::OtherKernel { path: path.to_path_buf(), kernel })?;
        let invalid = |reason: String| NotebookError::NotANotebook { path: path.to_path_buf(), reason };
        let typed = match nbformat::parse_notebook(&structure(&document).to_string()) {
            Ok(nbformat::Notebook::V4(notebook)) => notebook,
            Ok(nbformat::Notebook::V4QuirksMode(notebook)) => notebook.repair(),
            Ok(nbformat::Notebook::Legacy(notebook)) => {
                nbformat::upgrade_legacy_notebook(notebook).map_err(|error| invalid(error.to_string()))?
            }
            Ok(_) | Err(nbformat::NotebookError::UnsupportedVersion(..)) => return Err(version()),
            Err(error) => return Err(invalid(error.to_string())),
        };
        bring_up_to_date(&mut document, &typed);
        Ok(Self { document })
    }

    /// The cells to execute, in order.
    pub(super) fn code_cells(&self) -> Vec<CodeCell> {
        let cells = self.document["cells"].as_array().into_iter().flatten().enumerate();
        let strings = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(Into::into)).collect()
        };
        cells
            .filter(|(_, cell)| cell["cell_type"] == "code")
            .map(|(index, cell)| CodeCell {
                index,
                source: strings(&cell["source"]).concat(),
                tags: strings(&cell["metadata"]["tags"]),
            })
            .collect()
    }

    /// Sets what a cell showed, and the number that it ran under.
    pub(super) fn set_outputs(
        &mut self,
        cell: &CodeCell,
        execution_count: u32,
        outputs: &[Output],
    ) -> serde_json::Result<()> {
        let outputs = serde_json::to_value(outputs)?;
        let cell = &mut self.document["cells"][cell.index];
        cell["execution_count"] = execution_count.into();
        cell["outputs"] = outputs;
        Ok(())
    }

    /// Writes the notebook: a file is replaced, by all of it or not at all, and a pipe or device written into. Where
    /// that fails, it is kept among temporary files, and the error names the file: it may be the result of many hours.
    pub(super) fn write(&self, target: &Target) -> Result<(), NotebookError> {
        let write = || match &target.kind {
            TargetKind::File { path, permissions } => {
                self.write_as(new_file(path, permissions.as_ref())?, |file| file.persist(path))
            }
            TargetKind::Stream(found) => {
                // The very thing that was found, whatever has its name by now.
                let path = format!("/proc/self/fd/{}", found.as_raw_fd());
                let mut stream = OpenOptions::new().write(true).open(path)?;
                self.write_to(&mut stream)?;
                stream.flush()
            }
        };
        write().map_err(|source| {
            let has_reader = source.kind() != io::ErrorKind::BrokenPipe;
            let kept = has_reader.then(|| self.keep_elsewhere().ok()).flatten();
            NotebookError::Unwritable { path: target.named.clone(), kept, source }
        })
    }

    /// Writes the notebook ahead of a cell, which says that it did not end, as long as this is not written anew. Who
    /// reads a stream waits for the whole one.
    pub(super) fn sketch(&mut self, target: &Target, next: &CodeCell) -> io::Result<()> {
        let TargetKind::File { path, permissions } = &target.kind else { return Ok(()) };
        let unfinished = json!({
            "output_type": "error",
            "ename": UNFINISHED.0,
            "evalue": UNFINISHED.1,
            "traceback": [format!("{}: {}", UNFINISHED.0, UNFINISHED.1)],
        });
        self.document["cells"][next.index]["outputs"] = json!([unfinished]);
        let written = new_file(path, permissions.as_ref()).and_then(|mut file| {
            self.write_to(&mut file)?;
            Ok(file.persist(path)?)
        });
        self.document["cells"][next.index]["outputs"] = json!([]);
        written.map(drop)
    }

    fn write_as<T>(
        &self,
        mut file: NamedTempFile,
        finish: impl FnOnce(NamedTempFile) -> Result<T, PersistError>,
    ) -> io::Result<()> {
        self.write_to(&mut file)?;
        file.as_file().sync_all()?;
        finish(file)?;
        Ok(())
    }

    fn keep_elsewhere(&self) -> io::Result<PathBuf> {
        let file = tempfile::Builder::new().prefix("oxtorch-").suffix(".ipynb").tempfile()?;
        let path = file.path().to_path_buf();
        self.write_as(file, NamedTempFile::keep)?;
        Ok(path)
    }

    /// As `nbformat` writes it, so that a notebook under version control changes in its outputs alone.
    fn write_to(&self, file: &mut impl Write) -> io::Result<()> {
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
        let mut writer = io::BufWriter::new(file);
        let mut serializer = serde_json::Serializer::with_formatter(&mut writer, formatter);
        serde::Serialize::serialize(&self.document, &mut serializer)?;
        writer.write_all(b"\n")?;
        writer.flush()
    }
}

/// What a notebook says, and why, whose run was ended in a way that leaves no time to write it.
const UNFINISHED: (&str, &str) = (
    "Unfinished",
    "the run was killed while this cell or one behind it ran; a limit of memory or of time does that, for example",
);

/// Where a notebook goes. It is asked once, ahead of the first cell: what a cell puts there is replaced, or left alone.
#[derive(Debug)]
pub(super) struct Target {
    /// As the user has named it.
    named: PathBuf,
    kind: TargetKind,
}

#[derive(Debug)]
enum TargetKind {
    /// To a file; behind a link, the one that it leads to. With the permissions that it has, if it is there.
    File { path: PathBuf, permissions: Option<Permissions> },
    /// To what is no file, such as `/dev/stdout`, and stays what it is; found, and not opened to be written.
    Stream(File),
}

impl Target {
    /// Fails where [`Notebook::write`] would, so that it is known before an hour of training.
    pub(super) fn find(path: &Path) -> Result<Self, NotebookError> {
        let kind = TargetKind::of(path)
            .and_then(|kind| match &kind {
                TargetKind::File { path, permissions } => new_file(path, permissions.as_ref()).map(|_| kind),
                // To open a pipe is to begin with it.
                TargetKind::Stream(_) => Ok(kind),
            })
            .map_err(|source| NotebookError::Unwritable { path: path.to_path_buf(), kept: None, source })?;
        Ok(Self { named: path.to_path_buf(), kind })
    }

    /// What the user calls it.
    pub(super) fn named(&self) -> &Path {
        &self.named
    }

    /// Whether to write there is to wait for somebody who reads.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self.kind, TargetKind::Stream(_))
    }
}

impl TargetKind {
    fn of(path: &Path) -> io::Result<Self> {
        // This opens nothing: it waits for no reader, and does nothing to a device.
        let flags = OFlags::PATH.bits().cast_signed();
        let place = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Ok(place) => place,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self::File { path: std::path::absolute(path)?, permissions: None });
            }
            Err(error) => return Err(error),
        };
        let found = place.metadata()?;
        let kind = found.file_type();
        if kind.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if found.permissions().readonly() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        if kind.is_block_device() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a disk"));
        }
        if kind.is_file() {
            return Ok(Self::File { path: path.canonicalize()?, permissions: Some(found.permissions()) });
        }
        Ok(Self::Stream(place))
    }
}

/// A new file in the folder of that path, ready to take its place.
fn new_file(path: &Path, permissions: Option<&Permissions>) -> io::Result<NamedTempFile> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".oxtorch-").suffix(".ipynb");
    match permissions {
        Some(permissions) => {
            let file = builder.tempfile_in(folder)?;
            file.as_file().set_permissions(permissions.clone())?;
            Ok(file)
        }
        // What a program that just creates the file would get; a temporary file alone is for its owner only.
        None => builder.permissions(Permissions::from_mode(0o666)).tempfile_in(folder),
    }
}

/// Whether a notebook is for a Rust kernel or leaves it open; else the kernel that it is for.
fn check_kernel(metadata: &Value) -> Result<(), String> {
    let spec = &metadata["kernelspec"];
    let text = |value: &Value| value.as_str().map(str::to_lowercase);
    let languages = [text(&spec["language"]), text(&metadata["language_info"]["name"])];
    let name = text(&spec["name"]);
    let ours = languages.iter().flatten().any(|language| language == "rust")
        || name.as_ref().is_some_and(|name| name.contains("oxtorch") || name.contains("rust"));
    if ours || (name.is_none() && languages.iter().all(Option::is_none)) {
        return Ok(());
    }
    let named = [&spec["display_name"], &spec["name"], &spec["language"], &metadata["language_info"]["name"]];
    Err(named.into_iter().find_map(Value::as_str).unwrap_or("unknown").to_string())
}

/// The notebook without what is the author's own business and without outputs: what `nbformat` has to judge.
fn structure(document: &Map<String, Value>) -> Value {
    let mut ids = HashSet::new();
    let cells = document.get("cells").and_then(Value::as_array).map(|cells| {
        let cells = cells.iter().map(|cell| {
            let mut kept = Map::new();
            for key in ["cell_type", "source"] {
                kept.extend(cell.get(key).map(|value| (key.to_string(), value.clone())));
            }
            // Editors that copy cells leave double ids behind; a cell without one gets a new one.
            if let Some(id) = cell.get("id").and_then(Value::as_str)
                && v4::CellId::new(id).is_ok()
                && ids.insert(id)
            {
                kept.insert("id".into(), id.into());
            }
            kept.insert("metadata".into(), json!({}));
            kept.insert("outputs".into(), json!([]));
            Value::Object(kept)
        });
        Value::Array(cells.collect())
    });
    let mut kept = json!({"metadata": {}});
    for key in ["nbformat", "nbformat_minor"] {
        kept[key] = document.get(key).cloned().unwrap_or(0.into());
    }
    if let Some(cells) = cells {
        kept["cells"] = cells;
    }
    kept
}

/// Gives the document what format 4.5 asks for and this kernel's name.
fn bring_up_to_date(document: &mut Map<String, Value>, typed: &v4::Notebook) {
    let metadata = &mut document["metadata"];
    metadata["kernelspec"] = json!({"display_name": "Rust (Oxtorch)", "language": "rust", "name": "oxtorch"});
    metadata["language_info"] = json!(oxtorch_session::formats::language_info());
    document.insert("nbformat".into(), typed.nbformat.into());
    document.insert("nbformat_minor".into(), typed.nbformat_minor.into());
    let cells = document.get_mut("cells").and_then(Value::as_array_mut).into_iter().flatten();
    for (cell, typed) in cells.zip(&typed.cells) {
        cell["id"] = typed.id().as_str().into();
        cell["source"] = typed.source().concat().split_inclusive('\n').collect();
        if !cell["metadata"].is_object() {
            cell["metadata"] = json!({});
        }
        if matches!(typed, v4::Cell::Code { .. }) {
            cell["execution_count"] = Value::Null;
            cell["outputs"] = json!([]);
        }
    }
}
