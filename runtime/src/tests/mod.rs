//! What the tests of several rooms need, and tests of what several rooms do together.

mod indexing;
pub(crate) mod reference;
pub(crate) mod server;
