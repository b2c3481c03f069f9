//! The sources of the runtime and of the crates below it as a reader of documentation needs them: which names cells can
//! write, what macros make, what other crates say.

pub(super) mod external;
pub(super) mod in_python;
pub(super) mod macro_made;
pub(super) mod public_names;

/// Makes the tables that this looks names up in.
pub(super) fn read_ahead() {
    public_names::all();
    in_python::in_python("");
}
