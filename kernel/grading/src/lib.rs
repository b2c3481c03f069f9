//! Assignments in nbgrader's file format: a master notebook holds the solution and the tests, and students get the rest
//! of it.
//!
//! What a cell is for stands in its metadata (`nbgrader`, schema 3), so both programs read the same files.
//!
//! - [`marks`] takes out what stands between marks in a cell's text.
//! - [`master`] reads and checks a master notebook.
//! - [`mod@release`] makes the students' version.
//! - [`trial`] says from runs of both what does not hold.
//! - [`homework`] says what a student should know before it is handed in.
//! - [`results`] has what grading finds.
//! - [`rules`] says which mark follows from that.
//! - [`similarity`] finds students whose code is alike.
//! - [`report`] writes what people read of it.

pub mod collate;
mod executed;
pub mod homework;
pub mod marks;
pub mod master;
mod methods;
mod points;
pub mod release;
pub mod report;
pub mod results;
pub mod rules;
pub mod signatures;
pub mod similarity;
pub mod trial;
mod words;

pub use collate::{Collated, Collation, NoSubmission};
pub use executed::gives_points;
pub use homework::{Finding, Homework};
pub use master::{Master, MasterCell, Part, Problem, Role};
pub use release::release;
pub use results::{Flag, Graded, Question, Verdict, fingerprint};
pub use rules::{Mark, Rules};
pub use trial::{Trial, WrongSolution};
