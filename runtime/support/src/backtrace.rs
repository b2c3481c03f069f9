//! The lines of source of a backtrace, by the `backtrace` and `addr2line` crates.

use std::collections::HashMap;
use std::ffi::{CStr, c_void};
use std::path::PathBuf;

use addr2line::{Loader, Location};
use oxtorch_boundary::Place;

/// Only libraries of that prefix are read, each by itself: reading the symbols of libtorch would take seconds, and what
/// looks at all libraries of the process does so once, before later ones are loaded.
pub(crate) fn places(prefix: &str) -> Vec<Place> {
    let mut places = Vec::new();
    let mut loaded: HashMap<PathBuf, Option<Loader>> = HashMap::new();
    backtrace::trace(|frame| {
        if let Some((library, offset)) = library(frame.ip(), prefix) {
            let loader = loaded.entry(library).or_insert_with_key(|path| Loader::new(path).ok());
            if let Some(loader) = loader {
                // The address is the one to return to; the call stands before it.
                places.extend(places_at(loader, offset.saturating_sub(1), prefix));
            }
        }
        true
    });
    places.dedup();
    places
}

/// The places of the source at an address, innermost first: several where functions were inlined.
fn places_at(loader: &Loader, address: u64, prefix: &str) -> Vec<Place> {
    let mut places = Vec::new();
    let Ok(mut frames) = loader.find_frames(address) else { return places };
    while let Ok(Some(frame)) = frames.next() {
        if let Some(Location { file: Some(file), line: Some(line), column }) = frame.location
            && file.rsplit('/').next().is_some_and(|name| name.starts_with(prefix))
        {
            places.push(Place { file: file.to_owned(), line, column: column.unwrap_or(0) });
        }
    }
    places
}

/// The library that an address lies in, if its name has the prefix, and the address within it.
fn library(address: *mut c_void, prefix: &str) -> Option<(PathBuf, u64)> {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `info` is writable and large enough; `dladdr` accepts any address.
    if unsafe { libc::dladdr(address, info.as_mut_ptr()) } == 0 {
        return None;
    }
    // SAFETY: `dladdr` has filled it, and zeroes are valid for what it has not.
    let info = unsafe { info.assume_init() };
    if info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: not null, so a C string that lives as long as its library, which runs the code at the address.
    let path = PathBuf::from(unsafe { CStr::from_ptr(info.dli_fname) }.to_str().ok()?);
    let is_wanted = path.file_name()?.to_str()?.strip_prefix("lib")?.starts_with(prefix);
    is_wanted.then(|| (path, (address as u64).saturating_sub(info.dli_fbase as u64)))
}
