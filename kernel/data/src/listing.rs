//! The catalogue as a person reads it, and as a program does.

use std::path::PathBuf;

use oxtorch_setup::progress::size;
use serde::Serialize;

use crate::catalogue::{Entry, Kind, catalogue};
use crate::places::Places;

/// The catalogue as tables: data sets, then weights.
pub fn table(places: &Places) -> String {
    [("Data sets", Kind::Data), ("Weights", Kind::Weights)]
        .map(|(heading, kind)| section(heading, catalogue().values().filter(|entry| entry.kind == kind), places))
        .join("\n")
}

fn section<'a>(heading: &str, entries: impl Iterator<Item = &'a Entry>, places: &Places) -> String {
    let mut rows = vec![[heading, "download", "here", "what", "license"].map(str::to_owned)];
    rows.extend(entries.map(|entry| {
        let here = if places.find(entry).is_some() { "yes" } else { "" };
        // That of the data; that of the package around them comes behind a semicolon.
        let license = entry.license.split(';').next().unwrap_or_default();
        [entry.name.clone(), size(entry.bytes), here.to_owned(), entry.title.clone(), license.to_owned()]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let line = |[name, bytes, here, what, license]: &[String; 5]| {
        let [a, b, c, d, _] = widths;
        format!("{name:a$}  {bytes:>b$}  {here:c$}  {what:d$}  {license}\n")
    };
    rows.iter().map(line).collect()
}

/// What a program learns of an entry.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    title: &'a str,
    kind: Kind,
    source: crate::catalogue::Source,
    package: &'a str,
    version: &'a str,
    bytes: u64,
    unpacked: u64,
    license: &'a str,
    credit: Option<&'a str>,
    redistribution: Option<&'a str>,
    /// Where it is, if it is here.
    folder: Option<PathBuf>,
}

/// The catalogue as JSON: a list of objects.
pub fn json(places: &Places) -> String {
    let rows: Vec<Row<'_>> = catalogue()
        .values()
        .map(|entry| Row {
            name: &entry.name,
            title: &entry.title,
            kind: entry.kind,
            source: entry.source,
            package: &entry.package,
            version: &entry.version,
            bytes: entry.bytes,
            unpacked: entry.unpacked,
            license: &entry.license,
            credit: entry.credit.as_deref(),
            redistribution: entry.redistribution.as_deref(),
            folder: places.find(entry),
        })
        .collect();
    serde_json::to_string_pretty(&rows).expect("texts and numbers are JSON")
}

#[cfg(test)]
mod tests {
    use oxtorch_system::home::Home;

    use super::*;

    #[test]
    fn both_forms_have_every_entry() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let places = Places::new(None, Home::at(folder.path().join("home")));
        let table = table(&places);
        let json: Vec<serde_json::Value> = serde_json::from_str(&json(&places)).expect("is JSON");
        assert_eq!(json.len(), catalogue().len());
        for row in &json {
            let name = row["name"].as_str().expect("has a name");
            assert!(table.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name}\n{table}");
            assert!(row["folder"].is_null() && row["bytes"].as_u64() > Some(0), "{row}");
        }
    }
}
