//! Has the runtime's library offer the C functions of the crates below it that cells may call: what `tch` does with
//! archives of arrays is compiled into the cell that asks for it.

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs, io};

use oxtorch_exports::{ARCHIVE, EMPTY, exporting, functions_below};

/// Where crates with a C library say that theirs lies.
const ROOTS: [&str; 2] = ["DEP_BZIP2_ROOT", "DEP_ZSTD_ROOT"];

fn main() -> io::Result<()> {
    let folder = env::var("OUT_DIR").map_err(io::Error::other)?;
    let mut names = BTreeSet::new();
    for root in ROOTS.iter().filter_map(env::var_os) {
        names.append(&mut functions_below(Path::new(&root), "a")?);
    }
    fs::write(Path::new(&folder).join(ARCHIVE), EMPTY)?;
    fs::write(Path::new(&folder).join("exported.rs"), exporting(&names))?;
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-search=native={folder}");
    Ok(())
}
