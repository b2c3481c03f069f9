//! The library beside this one, with the crates that no cell names.

use std::sync::OnceLock;

use oxtorch_boundary::Provided;

/// Opens it where that was not done yet. What failed is tried again.
///
/// # Errors
///
/// Why it cannot be opened, in words for the user.
pub(crate) fn support() -> Result<Provided, String> {
    static OPENED: OnceLock<Provided> = OnceLock::new();
    match OPENED.get() {
        Some(provided) => Ok(provided),
        None => open().map(|provided| *OPENED.get_or_init(|| provided)),
    }
}

#[cfg(not(test))]
fn open() -> Result<Provided, String> {
    use std::mem::ManuallyDrop;

    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

    // Found through this library's own search path, which begins with its folder.
    let name = libloading::library_filename("oxtorch_support");
    let name = if cfg!(target_os = "macos") { std::path::Path::new("@rpath").join(name) } else { name.into() };
    let not_opened = |error: libloading::Error| {
        format!("a part of the runtime cannot be loaded: {error}. If it is missing, `oxtorch setup` provides it")
    };
    // SAFETY: it was built with this library, and loading it runs no code of its own.
    let library = unsafe { Library::open(Some(&name), RTLD_NOW | RTLD_LOCAL) }.map_err(not_opened)?;
    // What it provides is used until the process ends.
    let library = ManuallyDrop::new(library);
    // SAFETY: the symbol has that type, and both libraries were built by the same compiler.
    let provided =
        unsafe { library.get::<*const Provided>(oxtorch_boundary::SYMBOL.as_bytes()) }.map_err(not_opened)?;
    // SAFETY: it points to a static of a library that is never unloaded.
    Ok(unsafe { **provided })
}

#[cfg(test)]
fn open() -> Result<Provided, String> {
    Ok(oxtorch_support::OXTORCH_SUPPORT)
}
