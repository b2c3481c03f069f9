//! Random programs of items, cut into cells in a random order that defines what is mentioned first, with random
//! redefinitions behind them. What they compute does not depend on cells: one crate of the newest definitions computes
//! the same.
//!
//! A program has slots, each for a function, a type, a method and so on, with one definition after the other in it. A
//! definition calls slots of lower numbers alone, so no program runs for ever; types and traits mention each other
//! freely.

#![allow(dead_code, reason = "each test uses its own part of this module")]

use std::collections::BTreeSet;
use std::fmt::Write;

use arbtest::arbitrary::{Result, Unstructured};

/// One definition of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its code.
    pub code: String,
    /// The slots that it means by what it mentions.
    pub needs: BTreeSet<usize>,
    /// Whether what it needs matters to those that use it, too: a macro and a `use` stand for something else.
    pub transparent: bool,
}

/// What a slot is for. The numbers are those of other slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Function,
    Constant,
    ConstFunction,
    Static,
    Macro,
    Module,
    /// `use module::inner as name;`
    Use,
    /// `use item::*;` of a module or an enum.
    Glob(usize),
    Enum,
    Struct,
    /// A type's second name.
    Alias(usize),
    /// A function that returns an alias.
    Maker(usize, usize),
    /// An inherent method of a struct; the impl may name the alias.
    Method(usize, Option<usize>),
    /// A method of the first struct that returns the second one.
    Conversion(usize, usize),
    /// An associated constant of a struct.
    Associated(usize),
    Trait,
    /// The trait's impl for the struct.
    Impl(usize, usize),
    /// The trait's impl for `i32`.
    ForeignImpl(usize),
    /// A function that is generic over the trait.
    Generic(usize),
    /// A macro that makes a function.
    ItemMacro,
    /// The function that the macro makes.
    Made(usize),
    /// An enum whose derives say how its variants are ordered.
    Ordered,
}

/// A program as a user would type it.
#[derive(Debug)]
pub struct Program {
    /// Stands ahead of each name, so that programs can share a session.
    pub prefix: String,
    kinds: Vec<Kind>,
    /// The cells, in order: the slots that each defines, and how.
    pub cells: Vec<Vec<(usize, Definition)>>,
}

impl Program {
    /// A program that shares no name with one of another prefix.
    pub fn arbitrary(prefix: &str, u: &mut Unstructured<'_>) -> Result<Self> {
        let mut program = Self { prefix: prefix.to_owned(), kinds: Vec::new(), cells: Vec::new() };
        for _ in 0..u.int_in_range(6..=22)? {
            let kind = program.kind(u)?;
            program.kinds.push(kind);
        }
        let mut current = Vec::new();
        for slot in 0..program.kinds.len() {
            current.push(program.define(slot, u)?);
        }
        program.cut(&current, u)?;
        for _ in 0..u.int_in_range(1..=5)? {
            let cell = if u.ratio(1, 5)? {
                // An earlier cell is run again.
                u.choose(&program.cells)?.clone()
            } else {
                let mut slots = BTreeSet::new();
                for _ in 0..u.int_in_range(1..=2)? {
                    slots.insert(u.int_in_range(0..=program.kinds.len() - 1)?);
                }
                slots.into_iter().map(|slot| Ok((slot, program.define(slot, u)?))).collect::<Result<_>>()?
            };
            program.cells.push(cell);
        }
        Ok(program)
    }

    /// The code of a cell.
    pub fn code(&self, cell: usize) -> String {
        let definitions = self.cells.get(cell).into_iter().flatten();
        definitions.fold(String::new(), |code, (_, definition)| code + &definition.code + "\n")
    }

    /// The newest definition of each slot behind the first `cells` cells.
    pub fn newest(&self, cells: usize) -> Vec<Option<&Definition>> {
        let mut newest = vec![None; self.kinds.len()];
        for (slot, definition) in self.cells.iter().take(cells).flatten() {
            newest[*slot] = Some(definition);
        }
        newest
    }

    /// One crate's worth of the newest definitions, macros ahead of those that call them.
    pub fn as_one(&self) -> String {
        let newest = self.newest(self.cells.len()).into_iter().flatten();
        newest.fold(String::new(), |code, definition| code + &definition.code + "\n")
    }

    /// A statement that prints the values of all slots that have one.
    pub fn print(&self) -> String {
        let mut print = format!("println!(\"{}: {{:?}}\", vec![", self.prefix);
        for slot in 0..self.kinds.len() {
            if let Some((term, _)) = self.plain_term(slot) {
                let _ = write!(print, "{term}, ");
            }
        }
        print + "0i64]);\n"
    }

    /// The name of the type behind one that may be an alias.
    pub fn behind(&self, name: &str) -> String {
        let of = |slot: &usize| match self.kinds[*slot] {
            Kind::Alias(of) if self.name(*slot) == name => Some(self.name(of)),
            _ => None,
        };
        (0..self.kinds.len()).find_map(|slot| of(&slot)).unwrap_or_else(|| name.to_owned())
    }

    /// Another kind of slot, on what is there already.
    fn kind(&self, u: &mut Unstructured<'_>) -> Result<Kind> {
        let of = |wanted: fn(&Kind) -> bool| -> Vec<usize> {
            (0..self.kinds.len()).filter(|slot| wanted(&self.kinds[*slot])).collect()
        };
        let structs = of(|kind| *kind == Kind::Struct);
        let traits = of(|kind| *kind == Kind::Trait);
        let item_macros = of(|kind| *kind == Kind::ItemMacro);
        let kind = match u.int_in_range(0..=23)? {
            0 | 1 => Kind::Function,
            2 => Kind::Constant,
            3 => Kind::ConstFunction,
            4 => Kind::Static,
            5 => Kind::Macro,
            6 => Kind::Module,
            7 if !of(|kind| *kind == Kind::Module).is_empty() => Kind::Use,
            8 => {
                let globbed = of(|kind| matches!(kind, Kind::Module | Kind::Enum));
                if globbed.is_empty() { Kind::Enum } else { Kind::Glob(*u.choose(&globbed)?) }
            }
            9 => Kind::Enum,
            10 if !structs.is_empty() => {
                let aliases = of(|kind| matches!(kind, Kind::Alias(_)));
                match aliases.as_slice() {
                    [] => Kind::Alias(*u.choose(&structs)?),
                    aliases => {
                        let alias = *u.choose(aliases)?;
                        let Kind::Alias(of) = self.kinds[alias] else { unreachable!("chosen from the aliases") };
                        if u.arbitrary()? { Kind::Maker(alias, of) } else { Kind::Method(of, Some(alias)) }
                    }
                }
            }
            11 | 12 if !structs.is_empty() => Kind::Method(*u.choose(&structs)?, None),
            13 if structs.len() > 1 => Kind::Conversion(*u.choose(&structs)?, *u.choose(&structs)?),
            14 if !structs.is_empty() => Kind::Associated(*u.choose(&structs)?),
            15 => Kind::Trait,
            16 if !structs.is_empty() && !traits.is_empty() => {
                let (of, by) = (*u.choose(&traits)?, *u.choose(&structs)?);
                if self.kinds.contains(&Kind::Impl(of, by)) { Kind::Function } else { Kind::Impl(of, by) }
            }
            17 if !traits.is_empty() => {
                let of = *u.choose(&traits)?;
                if self.kinds.contains(&Kind::ForeignImpl(of)) { Kind::Function } else { Kind::ForeignImpl(of) }
            }
            18 if !traits.is_empty() => Kind::Generic(*u.choose(&traits)?),
            19 => Kind::ItemMacro,
            20 | 21 if !item_macros.is_empty() => Kind::Made(*u.choose(&item_macros)?),
            22 => Kind::Ordered,
            _ => Kind::Struct,
        };
        // A second glob of one item would be the same declaration.
        Ok(if matches!(kind, Kind::Glob(_)) && self.kinds.contains(&kind) { Kind::Function } else { kind })
    }

    /// A name, in capitals for a type.
    fn name(&self, slot: usize) -> String {
        let prefix = &self.prefix;
        match self.kinds[slot] {
            Kind::Struct | Kind::Enum | Kind::Ordered | Kind::Trait | Kind::Alias(_) => {
                format!("{}T{slot}", prefix.to_uppercase())
            }
            Kind::Constant | Kind::Static | Kind::Associated(_) => format!("{}_{slot}", prefix.to_uppercase()),
            _ => format!("{prefix}_{slot}"),
        }
    }

    /// Another definition of a slot.
    fn define(&self, slot: usize, u: &mut Unstructured<'_>) -> Result<Definition> {
        let name = self.name(slot);
        let mut needs = BTreeSet::new();
        let mut transparent = false;
        let kind = self.kinds[slot];
        let modules: Vec<usize> = (0..slot).filter(|other| self.kinds[*other] == Kind::Module).collect();
        // Without a method of its own an impl has the trait's.
        let is_empty = matches!(kind, Kind::Impl(..)) && u.ratio(1, 4)?;
        let value = match kind {
            _ if is_empty => String::new(),
            Kind::Constant | Kind::ConstFunction | Kind::Static | Kind::Enum | Kind::Associated(_) => {
                self.expression(slot, true, &mut needs, u)?
            }
            Kind::Glob(_)
            | Kind::Struct
            | Kind::Alias(_)
            | Kind::Maker(..)
            | Kind::Conversion(..)
            | Kind::Use
            | Kind::Made(_)
            | Kind::Ordered => String::new(),
            _ => self.expression(slot, false, &mut needs, u)?,
        };
        let mut types = |slots: &[usize]| -> Vec<String> {
            needs.extend(slots);
            slots.iter().map(|slot| self.name(*slot)).collect()
        };
        let code = match kind {
            Kind::Function if !modules.is_empty() && u.ratio(1, 8)? => {
                transparent = true;
                needs.clear();
                self.use_of(*u.choose(&modules)?, slot, &mut needs)
            }
            Kind::Use => {
                transparent = true;
                self.use_of(*u.choose(&modules)?, slot, &mut needs)
            }
            Kind::Function => format!("fn {name}() -> i64 {{ {value} }}"),
            Kind::Constant => format!("const {name}: i64 = {value};"),
            Kind::ConstFunction => format!("const fn {name}() -> i64 {{ {value} }}"),
            Kind::Static => format!("static {name}: i64 = {value};"),
            Kind::Macro => {
                transparent = true;
                format!("macro_rules! {name} {{ () => {{ ({value}) }} }}")
            }
            Kind::Module if u.ratio(1, 3)? => format!(
                "mod {name} {{ use super::*; pub use deep::deep_{name} as inner_{name}; \
                 mod deep {{ use super::*; pub fn deep_{name}() -> i64 {{ {value} }} }} }}"
            ),
            Kind::Module => {
                format!("mod {name} {{ use super::*; pub fn inner_{name}() -> i64 {{ {value} }} }}")
            }
            Kind::ItemMacro => {
                transparent = true;
                format!("macro_rules! {name} {{ ($f:ident) => {{ fn $f() -> i64 {{ {value} }} }} }}")
            }
            Kind::Made(by) => format!("{}!({name});", types(&[by])[0]),
            Kind::Ordered => {
                let variants = if u.arbitrary()? { "First, Second" } else { "Second, First" };
                format!("#[derive(Clone, Copy, PartialEq, PartialOrd)] enum {name} {{ {variants} }}")
            }
            Kind::Glob(of) => {
                transparent = true;
                format!("use {}::*;", types(&[of])[0])
            }
            Kind::Enum => format!("enum {name} {{ V{name} = ({value}) as isize }}"),
            Kind::Struct if u.arbitrary()? => format!("struct {name};"),
            Kind::Struct => format!("#[derive(Clone, Copy, Debug)] struct {name};"),
            Kind::Alias(of) => format!("type {name} = {};", types(&[of])[0]),
            Kind::Maker(alias, of) => {
                let types = types(&[alias, of]);
                format!("fn {name}() -> {} {{ {} }}", types[0], types[1])
            }
            Kind::Method(of, alias) => {
                let ty = types(&[alias.unwrap_or(of)]).remove(0);
                format!("impl {ty} {{ fn {name}(&self) -> i64 {{ {value} }} }}")
            }
            Kind::Conversion(from, to) => {
                let types = types(&[from, to]);
                format!("impl {} {{ fn {name}(&self) -> {1} {{ {1} }} }}", types[0], types[1])
            }
            Kind::Associated(of) => format!("impl {} {{ const {name}: i64 = {value}; }}", types(&[of])[0]),
            Kind::Trait => format!("trait {name} {{ fn t{name}(&self) -> i64 {{ {value} }} }}"),
            Kind::Impl(of, by) => {
                let types = types(&[of, by]);
                let method = format!("fn t{}(&self) -> i64 {{ {value} }}", types[0]);
                let method = if is_empty { "" } else { &method };
                format!("impl {} for {} {{ {method} }}", types[0], types[1])
            }
            Kind::ForeignImpl(of) => {
                format!("impl {0} for i32 {{ fn t{0}(&self) -> i64 {{ {value} }} }}", types(&[of])[0])
            }
            Kind::Generic(of) => {
                let of = types(&[of]).remove(0);
                format!("fn {name}<X: {of}>(x: &X) -> i64 {{ x.t{of}() + {value} }}")
            }
        };
        Ok(Definition { code, needs, transparent })
    }

    fn use_of(&self, module: usize, slot: usize, needs: &mut BTreeSet<usize>) -> String {
        needs.insert(module);
        format!("use {0}::inner_{0} as {1};", self.name(module), self.name(slot))
    }

    /// A sum of values of lower slots.
    fn expression(
        &self,
        slot: usize,
        constant: bool,
        needs: &mut BTreeSet<usize>,
        u: &mut Unstructured<'_>,
    ) -> Result<String> {
        let mut sum = u.int_in_range(0..=999)?.to_string();
        for _ in 0..u.int_in_range(0..=3)? {
            if slot == 0 {
                break;
            }
            let other = u.int_in_range(0..=slot - 1)?;
            if constant && !self.is_constant(other) {
                continue;
            }
            if let Some((term, meant)) = self.term(slot, other, u)? {
                needs.extend(meant);
                let _ = write!(sum, " + {term}");
            }
        }
        Ok(sum)
    }

    fn is_constant(&self, slot: usize) -> bool {
        matches!(self.kinds[slot], Kind::Constant | Kind::ConstFunction | Kind::Associated(_) | Kind::Enum)
    }

    /// The value of a slot as an expression of one below `below`, and the slots that it means.
    fn term(&self, below: usize, slot: usize, u: &mut Unstructured<'_>) -> Result<Option<(String, Vec<usize>)>> {
        let Some((mut term, mut meant)) = self.plain_term(slot) else { return Ok(None) };
        if meant.iter().any(|slot| *slot >= below) {
            return Ok(None);
        }
        // The same value by way of what returns its type.
        if let Kind::Method(of, _) | Kind::Impl(_, of) = self.kinds[slot] {
            let ways: Vec<usize> = (0..below)
                .filter(|way| match self.kinds[*way] {
                    Kind::Conversion(_, to) => to == of,
                    Kind::Maker(_, to) => to == of,
                    _ => false,
                })
                .collect();
            if !ways.is_empty() && u.ratio(2, 3)? {
                let way = *u.choose(&ways)?;
                let (value, through) = match self.kinds[way] {
                    Kind::Conversion(from, _) => (format!("{}.{}()", self.name(from), self.name(way)), from),
                    _ => (format!("{}()", self.name(way)), way),
                };
                term = term.replacen(&format!("{}.", self.name(of)), &format!("{value}."), 1);
                meant.extend([way, through]);
            }
        }
        Ok(Some((term, meant)))
    }

    fn plain_term(&self, slot: usize) -> Option<(String, Vec<usize>)> {
        let name = self.name(slot);
        Some(match self.kinds[slot] {
            Kind::Function | Kind::ConstFunction | Kind::Use | Kind::Made(_) => (format!("{name}()"), vec![slot]),
            Kind::Constant | Kind::Static => (name, vec![slot]),
            Kind::Macro => (format!("{name}!()"), vec![slot]),
            Kind::Module => (format!("{name}::inner_{name}()"), vec![slot]),
            Kind::Enum => (format!("({name}::V{name} as i64)"), vec![slot]),
            Kind::Ordered => (format!("(({name}::First < {name}::Second) as i64)"), vec![slot]),
            Kind::Glob(of) => {
                let name = self.name(of);
                let term = match self.kinds[of] {
                    Kind::Enum => format!("(V{name} as i64)"),
                    _ => format!("inner_{name}()"),
                };
                (term, vec![slot, of])
            }
            Kind::Method(of, _) => (format!("{}.{name}()", self.name(of)), vec![slot, of]),
            Kind::Associated(of) => (format!("{}::{name}", self.name(of)), vec![slot, of]),
            Kind::Impl(of, by) => (format!("{}.t{}()", self.name(by), self.name(of)), vec![slot, of, by]),
            Kind::ForeignImpl(of) => (format!("7i32.t{}()", self.name(of)), vec![slot, of]),
            Kind::Generic(of) => {
                let (value, meant) = self.kinds[..].iter().enumerate().find_map(|(other, kind)| match *kind {
                    Kind::Impl(by, ty) if by == of && other < slot => Some((self.name(ty), vec![other, ty])),
                    Kind::ForeignImpl(by) if by == of && other < slot => Some(("7i32".to_owned(), vec![other])),
                    _ => None,
                })?;
                (format!("{name}(&{value})"), meant.into_iter().chain([slot, of]).collect())
            }
            Kind::Struct | Kind::Alias(_) | Kind::Maker(..) | Kind::Conversion(..) | Kind::Trait | Kind::ItemMacro => {
                return None;
            }
        })
    }

    /// Cuts the first definitions into cells, each behind those that it needs.
    fn cut(&mut self, definitions: &[Definition], u: &mut Unstructured<'_>) -> Result<()> {
        let mut left: BTreeSet<usize> = (0..definitions.len()).collect();
        let mut cell = Vec::new();
        while !left.is_empty() {
            let is_ready = |slot: &&usize| definitions[**slot].needs.iter().all(|needed| !left.contains(needed));
            let ready: Vec<usize> = left.iter().filter(is_ready).copied().collect();
            let slot = *u.choose(&ready)?;
            left.remove(&slot);
            cell.push((slot, definitions[slot].clone()));
            if left.is_empty() || u.ratio(1, 4)? {
                // A macro is in scope below its definition.
                cell.sort_by_key(|(slot, _)| *slot);
                self.cells.push(std::mem::take(&mut cell));
            }
        }
        Ok(())
    }
}
