//! Finds the part of a tensor that an index stands for.

use torch::{Device, Kind, TchError, Tensor};

use super::assign::apart;
use super::expression::Index;
use super::refusal;

/// A part of a tensor: what numbers, ranges and new axes leave of it, and the index tensors that choose from that.
pub(super) struct Part<'a> {
    /// The tensor that it is a part of.
    tensor: &'a Tensor,
    /// The view.
    pub view: Tensor,
    /// The index tensors and masks, in the order of the axes of the view.
    lists: Vec<List>,
}

/// An index tensor or a mask.
struct List {
    /// The first axis of the view that it chooses from.
    place: usize,
    /// How many axes it chooses from.
    axes: usize,
    /// The same axis of the tensor, for messages.
    axis: usize,
    tensor: Tensor,
}

/// Reads a part.
pub(super) fn read(tensor: &Tensor, indices: Vec<Index>) -> Result<Tensor, TchError> {
    let part = select(tensor, indices)?;
    if part.is_view() { part.view.f_alias() } else { part.copy() }
}

impl Part<'_> {
    /// Goes on with one place of an axis of the view, which is this one of the tensor. Gives the axes that this leaves
    /// and takes.
    fn step_to(&mut self, place: usize, at: i64, axis: usize, shape: &[i64]) -> Result<(usize, usize), TchError> {
        in_range(at, shape[axis], axis, shape)?;
        self.view = self.view.f_select(place as i64, at)?;
        Ok((0, 1))
    }

    /// Whether the part is the view.
    pub fn is_view(&self) -> bool {
        self.lists.is_empty()
    }

    /// What the index tensors choose from the view.
    pub fn copy(&self) -> Result<Tensor, TchError> {
        // An accelerator finds an index out of range later than it is asked, and is lost then.
        if self.view.device() != Device::Cpu {
            self.check_lists_of_the_cpu()?;
        }
        self.view.f_index(&self.at()).map_err(|error| self.explained(error))
    }

    /// Sets what the index tensors choose from the view.
    pub fn put(&self, value: &Tensor) -> Result<(), TchError> {
        // What is ahead of an index out of range would be set.
        self.check_lists_of_the_cpu()?;
        let apart = |tensor: Option<&Tensor>| tensor.map(|list| apart(list.shallow_clone(), &self.view)).transpose();
        let at = self.at().into_iter().map(apart).collect::<Result<Vec<_>, _>>()?;
        let written = self.view.shallow_clone().f_index_put_(&at, value, false);
        written.map(drop).map_err(|error| self.explained(error))
    }

    /// The index tensors as libtorch takes them: one for each axis, where a mask counts for all of its axes.
    fn at(&self) -> Vec<Option<&Tensor>> {
        let mut at = Vec::new();
        let mut next = 0;
        for list in &self.lists {
            at.extend((next..list.place).map(|_| None));
            at.push(Some(&list.tensor));
            next = list.place + list.axes;
        }
        at
    }

    /// An error where an index tensor that can be looked at without waiting for a device has an index out of range.
    fn check_lists_of_the_cpu(&self) -> Result<(), TchError> {
        self.lists.iter().filter(|list| list.tensor.device() == Device::Cpu).try_for_each(|list| self.check(list))
    }

    fn explained(&self, error: TchError) -> TchError {
        self.lists.iter().find_map(|list| self.check(list).err()).unwrap_or(error)
    }

    /// An error where an index tensor has an index out of range.
    fn check(&self, list: &List) -> Result<(), TchError> {
        if list.tensor.f_kind()? == Kind::Bool || list.tensor.numel() == 0 {
            return Ok(());
        }
        let size = self.view.size()[list.place];
        for place in [list.tensor.f_min()?, list.tensor.f_max()?] {
            in_range(place.f_int64_value(&[])?, size, list.axis, &self.tensor.size())?;
        }
        Ok(())
    }
}

/// Walks along the axes of a tensor and its index.
pub(super) fn select(tensor: &Tensor, indices: Vec<Index>) -> Result<Part<'_>, TchError> {
    if !tensor.defined() {
        return Err(refusal("this tensor is not defined: it has no values to take a part of"));
    }
    let shape = tensor.size();
    let indices = indices.into_iter().map(checked).collect::<Result<Vec<_>, _>>()?;
    let named: usize = indices.iter().map(axes).sum();
    let Some(left) = shape.len().checked_sub(named) else {
        return Err(refusal(too_many(named, &shape)));
    };
    if indices.iter().filter(|index| matches!(index, Index::Ellipsis)).count() > 1 {
        return Err(refusal(
            "an index has at most one `Ellipsis`: with several, it is unclear which axes each stands for",
        ));
    }
    let mut part = Part { tensor, view: tensor.shallow_clone(), lists: Vec::new() };
    // The next axis of the view, and the one that it is of the tensor.
    let (mut place, mut axis) = (0, 0);
    for index in indices {
        let dim = place as i64;
        let (places, axes) = match index {
            Index::At(at) => part.step_to(place, at, axis, &shape)?,
            Index::Slice { start: None, end: None, step: 1 } => (1, 1),
            Index::Slice { start, end, step } => {
                part.view = part.view.f_slice(dim, start, end, step)?;
                (1, 1)
            }
            Index::NewAxis => {
                part.view = part.view.f_unsqueeze(dim)?;
                (1, 0)
            }
            Index::Ellipsis => (left, left),
            Index::Tensor(tensor) => {
                let is_mask = tensor.f_kind()? == Kind::Bool;
                match (is_mask, tensor.dim()) {
                    (false, 0) => part.step_to(place, tensor.f_int64_value(&[])?, axis, &shape)?,
                    // One answer for all that is left: a new axis, which has it or is empty.
                    (true, 0) => {
                        part.view = part.view.f_unsqueeze(dim)?;
                        let tensor = tensor.f_reshape([1i64])?;
                        part.lists.push(List { place, axes: 1, axis, tensor });
                        (1, 0)
                    }
                    (_, dims) => {
                        let axes = if is_mask { dims } else { 1 };
                        if is_mask && tensor.size() != shape[axis..axis + axes] {
                            return Err(refusal(wrong_mask(&tensor.size(), axis, &shape)));
                        }
                        part.lists.push(List { place, axes, axis, tensor });
                        (axes, axes)
                    }
                }
            }
            Index::Refused(reason) => return Err(refusal(reason)),
        };
        place += places;
        axis += axes;
    }
    Ok(part)
}

/// An index whose tensor, if it is one, can be used as it is.
fn checked(index: Index) -> Result<Index, TchError> {
    let Index::Tensor(tensor) = index else { return Ok(index) };
    if !tensor.defined() {
        return Err(refusal("an index tensor has no values: it is not defined"));
    }
    match tensor.f_kind()? {
        Kind::Bool | Kind::Int64 => Ok(Index::Tensor(tensor)),
        Kind::Int | Kind::Int16 | Kind::Int8 => Ok(Index::Tensor(tensor.f_to_kind(Kind::Int64)?)),
        Kind::Uint8 => Err(refusal(
            "an index tensor of kind Uint8 could be a mask as well as a list of places: `.to_kind(Kind::Bool)` makes it a mask, \
             `.to_kind(Kind::Int64)` makes it a list of places",
        )),
        kind => Err(refusal(format!(
            "an index tensor holds integers, or `bool`s for a mask, and not {kind:?}: `.to_kind(Kind::Int64)` makes it a list of places"
        ))),
    }
}

/// How many axes of the tensor a part of an index is about.
fn axes(index: &Index) -> usize {
    match index {
        Index::At(_) | Index::Slice { .. } => 1,
        Index::NewAxis | Index::Ellipsis | Index::Refused(_) => 0,
        Index::Tensor(tensor) if tensor.kind() == Kind::Bool => tensor.dim(),
        Index::Tensor(_) => 1,
    }
}

fn in_range(index: i64, size: i64, axis: usize, shape: &[i64]) -> Result<(), TchError> {
    if (-size..size).contains(&index) {
        return Ok(());
    }
    let valid = match size {
        0 => "that axis is empty".to_owned(),
        _ => format!("an index of that axis is in 0..{size}, or in -{size}..0 from the end"),
    };
    Err(refusal(format!("index {index} is out of range for axis {axis} of a tensor of shape {shape:?}: {valid}")))
}

fn too_many(named: usize, shape: &[i64]) -> String {
    match shape.len() {
        0 => {
            "a tensor of shape [] is one number and has no axis to index: its value is `x.double_value(&[])`".to_owned()
        }
        1 => format!("an index for {named} axes is too many for a tensor of shape {shape:?}, which has 1 axis"),
        axes => format!("an index for {named} axes is too many for a tensor of shape {shape:?}, which has {axes} axes"),
    }
}

fn wrong_mask(mask: &[i64], axis: usize, shape: &[i64]) -> String {
    let last = axis + mask.len() - 1;
    let axes = if last == axis { format!("axis {axis}") } else { format!("axes {axis} to {last}") };
    format!(
        "a mask of shape {mask:?} does not fit {axes} of a tensor of shape {shape:?}: a mask has one value for each element there, \
         so the shape {:?}",
        &shape[axis..=last]
    )
}
