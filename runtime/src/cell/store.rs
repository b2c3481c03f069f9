//! The variables that cells leave for later cells.
//!
//! Invariant: a variable is read back as the type it was stored as, or as a type whose definition is the same token for
//! token (the kernel compares the definitions before it writes a [`carry`]). Both are compiled by one toolchain with
//! the same flags, so they have the same layout.

use std::alloc::Layout;
use std::any::TypeId;
use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use oxtorch_protocol::{Kept, Outcome};

use super::{panic, stage};
use crate::lock::lock;

struct Variable {
    value: *mut (),
    type_id: TypeId,
    layout: Layout,
    drop: unsafe fn(*mut ()),
    type_name: fn() -> &'static str,
    age: Age,
}

/// When a variable was declared: in which cell, and as which of that cell's variables. What was declared last is
/// dropped first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Age {
    cell: u64,
    id: usize,
}

impl Variable {
    fn new<T: 'static>(value: T) -> Self {
        Self {
            value: Box::into_raw(Box::new(value)).cast(),
            type_id: TypeId::of::<T>(),
            layout: Layout::new::<T>(),
            drop: drop_box::<T>,
            type_name: std::any::type_name::<T>,
            age: Age::default(),
        }
    }

    /// The box, which the caller owns from now on.
    fn into_raw(self) -> *mut () {
        std::mem::ManuallyDrop::new(self).value
    }
}

impl Drop for Variable {
    fn drop(&mut self) {
        // SAFETY: `value` and `drop` were made for the same type in `new`, and `into_raw` does not drop `self`.
        unsafe { (self.drop)(self.value) }
    }
}

/// # Safety
/// `value` is owned and came from `Box::<T>::into_raw`.
unsafe fn drop_box<T>(value: *mut ()) {
    // SAFETY: the caller's promise.
    drop(unsafe { Box::<T>::from_raw(value.cast()) })
}

#[derive(Default)]
struct Store {
    variables: HashMap<String, Variable>,
    /// The names that the running cell has settled; the innermost of several variables of one name comes first.
    settled: Vec<String>,
    kept: Vec<Kept>,
    /// How many cells there have been.
    cells: u64,
    /// When the variables were declared that the running cell has taken.
    taken: HashMap<String, Age>,
}

thread_local! {
    // Cells run on one thread, so variables need not be `Send`.
    static STORE: RefCell<Store> = RefCell::default();
}

// Generic functions are compiled into every cell that calls them, so those below only name the type; the work is done
// in functions that are compiled once.

fn remove(name: &str, ty: &str) -> Variable {
    let variable = STORE.with_borrow_mut(|store| {
        let variable = store.variables.remove(name)?;
        store.taken.insert(name.to_owned(), variable.age);
        Some(variable)
    });
    variable.unwrap_or_else(|| panic!("the variable `{name}` of type `{ty}` is not in the store"))
}

fn remove_typed(name: &str, type_id: TypeId, ty: &str) -> *mut () {
    let variable = remove(name, ty);
    assert!(variable.type_id == type_id, "the variable `{name}` is not of type `{ty}`");
    variable.into_raw()
}

fn remove_of_layout(name: &str, layout: Layout, ty: &str) -> *mut () {
    let variable = remove(name, ty);
    assert!(variable.layout == layout, "the layout of `{ty}` has changed: run the cell that makes `{name}` again");
    variable.into_raw()
}

/// Takes a variable of an earlier cell.
///
/// # Panics
/// When there is none of that name and type; the kernel writes a `take` only where there is.
pub fn take<T: 'static>(name: &str) -> T {
    let value = remove_typed(name, TypeId::of::<T>(), std::any::type_name::<T>());
    // SAFETY: an owned box, and the type id says that it holds a `T`.
    *unsafe { Box::from_raw(value.cast()) }
}

/// Takes a variable whose type has moved to a newer crate with its definition unchanged.
///
/// # Safety
/// The stored type and `T` have the same definition, and so have all types in them.
///
/// # Panics
/// As [`take`]; also when the layouts differ after all.
pub unsafe fn carry<T: 'static>(name: &str) -> T {
    let value = remove_of_layout(name, Layout::new::<T>(), std::any::type_name::<T>());
    // SAFETY: an owned box, and by the caller's promise what it holds can be read as a `T`.
    *unsafe { Box::from_raw(value.cast()) }
}

/// [`carry`], as the kernel writes it: a cell may forbid unsafe code of its own.
#[doc(hidden)]
#[macro_export]
macro_rules! carry_variable {
    ($name:literal) => {
        // SAFETY: the kernel carries a variable only where no definition has changed.
        unsafe { $crate::cell::carry($name) }
    };
}

/// Keeps a variable for later cells. The first `put` of a name in a cell wins; `id` says which of the cell's variables
/// that was.
pub fn put<T: 'static>(name: &str, id: usize, value: T) {
    put_variable(name, id, false, Variable::new(value));
}

/// As [`put`], for a variable that the cell has taken: it is as old as it was.
pub fn put_back<T: 'static>(name: &str, id: usize, value: T) {
    put_variable(name, id, true, Variable::new(value));
}

fn put_variable(name: &str, id: usize, was_taken: bool, mut new: Variable) {
    let replaced = STORE.with_borrow_mut(|store| {
        if store.settled.iter().any(|settled| settled == name) {
            return Some(new);
        }
        store.settled.push(name.to_owned());
        store.kept.push(Kept { name: name.to_owned(), id });
        let declared_now = Age { cell: store.cells, id };
        new.age = store.taken.get(name).copied().filter(|_| was_taken).unwrap_or(declared_now);
        store.variables.insert(name.to_owned(), new)
    });
    drop_caught(replaced);
}

/// Drops a variable, outside the borrow of the store: this runs the user's `Drop`. Where that panics the cell has
/// failed, but the variables behind this one are still to be put.
fn drop_caught(variable: Option<Variable>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(variable))) {
        stage::record_panic(payload);
    }
}

/// Says that a variable of this name existed but is not kept, so that an older one of the same name is not either.
pub fn forget(name: &str) {
    let old = STORE.with_borrow_mut(|store| {
        if store.settled.iter().any(|settled| settled == name) {
            return None;
        }
        store.settled.push(name.to_owned());
        store.variables.remove(name)
    });
    drop_caught(old);
}

/// Drops variables of earlier cells, the one that was declared last first.
pub(crate) fn forget_all(names: &[String]) {
    let mut variables: Vec<Variable> =
        STORE.with_borrow_mut(|store| names.iter().filter_map(|name| store.variables.remove(name)).collect());
    variables.sort_by_key(|variable| variable.age);
    while let Some(variable) = variables.pop() {
        drop_caught(Some(variable));
    }
}

/// The variables that are yet to be dropped at the end, the next one last; `None` while cells may run.
static LEFT: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// Drops all variables, the one that was declared last first, as a program does at its end: what a file still lacks is
/// written. Tells at once of each that panicked: there may be no time later.
pub(crate) fn drop_all(mut tell: impl FnMut(String)) {
    let mut variables: Vec<(String, Variable)> = STORE.with_borrow_mut(|store| store.variables.drain().collect());
    variables.sort_by_key(|(_, variable)| variable.age);
    *lock(&LEFT) = Some(variables.iter().map(|(name, _)| name.clone()).collect());
    while let Some((name, variable)) = variables.pop() {
        // A panic in the `Drop` of one keeps no other from being dropped.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(variable)));
        lock(&LEFT).as_mut().map(Vec::pop);
        if let Err(payload) = dropped
            && let Outcome::Panicked { message, .. } = panic::outcome(payload)
        {
            let first = message.lines().next().unwrap_or_default();
            tell(format!("the variable `{name}` panicked when it was dropped at the end: {first}"));
        }
    }
}

/// What to tell of the variables that have not been dropped yet, where there are any or might be.
pub(crate) fn not_dropped() -> Option<String> {
    let told = match lock(&LEFT).as_deref() {
        Some([]) => return None,
        Some(names) => {
            // The last one is being dropped now.
            let names: Vec<String> = names.iter().rev().map(|name| format!("`{name}`")).collect();
            format!("time ran out at the end before these variables were dropped: {}", names.join(", "))
        }
        None => "the running cell did not end, so no variable was dropped at the end".to_owned(),
    };
    Some(format!("{told}; what they had not yet written to files is lost"))
}

/// Whether a variable is, or holds, the lock of stdout.
pub(crate) fn keeps_stdout() -> bool {
    STORE.with_borrow(|store| store.variables.values().any(|variable| (variable.type_name)().contains("StdoutLock")))
}

/// Lets the compiler say the type of a variable, and refuse one that borrows from its cell.
pub fn probe<T: 'static>(value: &T) -> &T {
    value
}

/// What [`type_of`] returns.
#[expect(missing_debug_implementations, reason = "the code around a cell has it, and no cell shows it")]
pub struct TypeOf<T>(std::marker::PhantomData<T>);

/// Lets the compiler say the type of an expression, which no cell ever runs.
pub fn type_of<T>(_: T) -> TypeOf<T> {
    TypeOf(std::marker::PhantomData)
}

/// What a function returns, as a type; see [`Never`].
pub trait Returns {
    /// What it returns.
    type Output;
}

impl<T> Returns for fn() -> T {
    type Output = T;
}

/// The type `!`, which stable Rust writes behind `->` only: a variable may be of type `JoinHandle<!>`, and the cell
/// that takes it has to say so.
pub type Never = <fn() -> ! as Returns>::Output;

/// Forgets what the last cell settled.
pub(super) fn begin() {
    STORE.with_borrow_mut(|store| {
        store.cells += 1;
        store.taken.clear();
        store.settled.clear();
        store.kept.clear();
    });
}

/// The names that the cell has put.
pub(super) fn kept() -> Vec<Kept> {
    STORE.with_borrow_mut(|store| std::mem::take(&mut store.kept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn a_variable_is_taken_as_it_was_put() {
        begin();
        put("names", 4, vec![String::from("a")]);
        assert_eq!(kept(), [Kept { name: "names".into(), id: 4 }]);
        assert_eq!(take::<Vec<String>>("names"), ["a"]);
    }

    #[test]
    fn the_innermost_variable_of_a_name_wins_and_the_others_are_dropped() {
        let outer = Rc::new(1);
        begin();
        put("x", 1, 2_u8);
        put("x", 0, outer.clone());
        assert_eq!(Rc::strong_count(&outer), 1);
        assert_eq!(take::<u8>("x"), 2);
    }

    #[test]
    fn a_forgotten_name_hides_an_older_variable() {
        begin();
        put("y", 0, 1);
        begin();
        forget("y");
        put("y", 0, 2);
        assert!(kept().is_empty());
        assert!(std::panic::catch_unwind(|| take::<i32>("y")).is_err());
    }

    /// Says its name when it is dropped.
    struct Says(&'static str, Rc<RefCell<Vec<&'static str>>>);
    impl Drop for Says {
        fn drop(&mut self) {
            self.1.borrow_mut().push(self.0);
            assert_ne!(self.0, "panics", "what is told\nand the rest");
        }
    }

    #[test]
    fn at_the_end_the_variable_that_was_declared_last_is_dropped_first() {
        let said = Rc::default();
        let says = |name| Says(name, Rc::clone(&said));
        begin();
        // A cell puts what it has declared last first.
        for (id, name) in ["first", "panics", "last"].into_iter().enumerate().rev() {
            put(name, id, says(name));
        }
        begin();
        let taken: Says = take("first");
        put("new", 1, says("new"));
        put_back("first", 0, taken);
        let mut panics = Vec::new();
        drop_all(|told| panics.push(told));
        assert_eq!(*said.borrow(), ["new", "last", "panics", "first"]);
        assert_eq!(panics.len(), 1);
        assert!(panics[0].contains("`panics`") && !panics[0].contains('\n'), "{panics:?}");
        assert_eq!(not_dropped(), None);
    }

    #[test]
    fn forgotten_variables_are_dropped_last_to_first_too() {
        let said = Rc::default();
        begin();
        for (id, name) in ["a", "b", "c"].into_iter().enumerate().rev() {
            put(name, id, Says(name, Rc::clone(&said)));
        }
        forget_all(&["b".to_owned(), "a".to_owned(), "unknown".to_owned(), "c".to_owned()]);
        assert_eq!(*said.borrow(), ["c", "b", "a"]);
    }

    #[test]
    fn a_kept_lock_of_stdout_is_found() {
        begin();
        put("out", 0, std::io::BufWriter::new(std::io::stdout().lock()));
        assert!(keeps_stdout());
        begin();
        forget("out");
        assert!(!keeps_stdout());
    }

    #[test]
    fn another_type_of_the_same_definition_carries_over() {
        mod old {
            pub struct Net(pub i64);
        }
        struct Net(i64);
        begin();
        let nets = vec![old::Net(3), old::Net(4)];
        assert_eq!(nets[0].0, 3);
        put("net", 0, nets);
        // SAFETY: both `Net` have the same definition.
        let nets: Vec<Net> = unsafe { carry("net") };
        assert_eq!(nets.iter().map(|net| net.0).collect::<Vec<_>>(), [3, 4]);
    }
}
