//! The text of a tensor: its values as PyTorch prints them, then its shape, dtype and device.
//!
//! ```text
//! tensor([[1.0000, 2.5000],
//!         [3.0000, 4.0000]])
//! [2, 2] float32 cpu
//! ```
//!
//! The rules are those that PyTorch documents for `torch.set_printoptions`, with its defaults: 4 digits after the
//! point, at most 1000 values before the middle of each dimension is left out (3 values stay at either end), 80
//! columns. Where PyTorch names the function that a tensor with a gradient came from, this says `requires_grad=True`:
//! `tch` does not tell that name.

use tch::{Device, Kind, TchError, Tensor};

use crate::display::{MimeBundle, RichDisplay};
use crate::elements::f_elements;
use crate::modes::no_grad;

/// What is said of a tensor that is not defined. As good as always it is a gradient.
const NO_VALUES: &str = "no values: `x.grad()` has some once `backward()` has run on what was computed from `x`, and \
                         if `x` was made with `set_requires_grad(true)` and not computed itself";

const PRECISION: usize = 4;
const THRESHOLD: usize = 1000;
const EDGE_ITEMS: i64 = 3;
const LINE_WIDTH: usize = 80;

impl RichDisplay for Tensor {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(format!("{}\n{}", tensor_text(self), tensor_summary(self)))
    }
}

/// The values of a tensor of any shape as PyTorch's `repr` prints them.
///
/// ```
/// use oxtorch::prelude::*;
/// let x = Tensor::from_slice(&[1.0f32, 2.5]);
/// assert_eq!(oxtorch::tensor::tensor_text(&x), "tensor([1.0000, 2.5000])");
/// ```
pub fn tensor_text(tensor: &Tensor) -> String {
    if !tensor.defined() {
        return "tensor(undefined)".to_owned();
    }
    // Values can be out of reach: the device has failed, or the layout knows no indexing.
    no_grad(|| repr(tensor)).unwrap_or_else(|error| {
        let reason = error.to_string();
        format!("tensor(<{}>)", reason.lines().next().unwrap_or_default())
    })
}

/// Shape, dtype and device in one line, such as `[64, 10] float32 cuda:0`.
///
/// ```
/// use oxtorch::prelude::*;
/// let x = Tensor::zeros([64, 10], (Kind::Float, Device::Cpu));
/// assert_eq!(oxtorch::tensor::tensor_summary(&x), "[64, 10] float32 cpu");
/// ```
pub fn tensor_summary(tensor: &Tensor) -> String {
    if !tensor.defined() {
        return NO_VALUES.to_owned();
    }
    match tensor.f_kind() {
        Ok(kind) => format!("{:?} {} {}", tensor.size(), dtype_name(kind), device_name(tensor.device())),
        Err(_) => format!("{:?} {}", tensor.size(), device_name(tensor.device())),
    }
}

/// PyTorch's name of a dtype, without `torch.` ahead of it.
pub fn dtype_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Uint8 => "uint8",
        Kind::Int8 => "int8",
        Kind::Int16 => "int16",
        Kind::Int => "int32",
        Kind::Int64 => "int64",
        Kind::Half => "float16",
        Kind::Float => "float32",
        Kind::Double => "float64",
        Kind::ComplexHalf => "complex32",
        Kind::ComplexFloat => "complex64",
        Kind::ComplexDouble => "complex128",
        Kind::Bool => "bool",
        Kind::QInt8 => "qint8",
        Kind::QUInt8 => "quint8",
        Kind::QInt32 => "qint32",
        Kind::BFloat16 => "bfloat16",
        Kind::Float8e5m2 => "float8_e5m2",
        Kind::Float8e4m3fn => "float8_e4m3fn",
        Kind::Float8e5m2fnuz => "float8_e5m2fnuz",
        Kind::Float8e4m3fnuz => "float8_e4m3fnuz",
    }
}

/// PyTorch's name of a device: `cpu`, `cuda:0`, `mps:0`.
pub fn device_name(device: Device) -> String {
    match device {
        Device::Cpu => "cpu".to_owned(),
        Device::Cuda(index) => format!("cuda:{index}"),
        Device::Mps => "mps:0".to_owned(),
        Device::Vulkan => "vulkan:0".to_owned(),
    }
}

const PREFIX: &str = "tensor(";

fn repr(tensor: &Tensor) -> Result<String, TchError> {
    let kind = tensor.f_kind()?;
    let size = tensor.size();
    let empty = tensor.numel() == 0;
    let sparse = tensor.is_sparse();
    let mut suffixes = Vec::new();
    if tensor.device() != Device::Cpu {
        suffixes.push(format!("device='{}'", device_name(tensor.device())));
    }
    if sparse || (empty && size.len() != 1) {
        suffixes.push(format!("size={}", tuple(&size)));
    }
    if sparse {
        suffixes.push(format!("nnz={}", tensor.f_internal_nnz()?));
    }
    let shown = match kind {
        Kind::Float => false,
        Kind::Int64 | Kind::Bool | Kind::ComplexFloat => empty && !sparse,
        _ => true,
    };
    if shown {
        suffixes.push(format!("dtype=torch.{}", dtype_name(kind)));
    }
    let body = if sparse { sparse_body(tensor)? } else { body(tensor, PREFIX.len())? };
    if sparse {
        suffixes.push("layout=torch.sparse_coo".to_owned());
    }
    if tensor.requires_grad() {
        suffixes.push("requires_grad=True".to_owned());
    }
    Ok(with_suffixes(format!("{PREFIX}{body}"), &suffixes, sparse))
}

/// Appends `, name=value` pairs and the closing parenthesis, on lines of their own where they do not fit.
fn with_suffixes(mut text: String, suffixes: &[String], mut on_new_line: bool) -> String {
    let last_line = text.rsplit('\n').next().unwrap_or_default();
    let mut column = last_line.len() + 2;
    for suffix in suffixes {
        if on_new_line || column + suffix.len() + 2 > LINE_WIDTH {
            text.push_str(",\n");
            text.push_str(&" ".repeat(PREFIX.len()));
            column = PREFIX.len() + suffix.len();
            on_new_line = false;
        } else {
            text.push_str(", ");
            column += suffix.len() + 2;
        }
        text.push_str(suffix);
    }
    text.push(')');
    text
}

fn sparse_body(tensor: &Tensor) -> Result<String, TchError> {
    let mut parts = Vec::new();
    for (name, part) in [("indices", tensor.f_internal_indices()?), ("values", tensor.f_internal_values()?)] {
        let prefix = format!("{name}={PREFIX}");
        let mut text = body(&part, PREFIX.len() + prefix.len())?;
        if part.numel() == 0 {
            text.push_str(&format!(", size={}", tuple(&part.size())));
        }
        parts.push(format!("{prefix}{text})"));
    }
    Ok(parts.join(&format!(",\n{}", " ".repeat(PREFIX.len()))))
}

fn body(tensor: &Tensor, indent: usize) -> Result<String, TchError> {
    if tensor.numel() == 0 {
        return Ok("[]".to_owned());
    }
    let summarized = tensor.numel() > THRESHOLD;
    let mut kept = tensor.detach();
    let mut cut = Vec::new();
    for (dim, size) in tensor.size().into_iter().enumerate() {
        let too_long = summarized && size > 2 * EDGE_ITEMS;
        cut.push(too_long);
        if too_long {
            let dim = dim as i64;
            let ends = [kept.f_narrow(dim, 0, EDGE_ITEMS)?, kept.f_narrow(dim, size - EDGE_ITEMS, EDGE_ITEMS)?];
            kept = Tensor::f_cat(&ends, dim)?;
        }
    }
    let (cells, width) = cells(&kept)?;
    let shape: Vec<usize> = kept.size().into_iter().map(|size| size as usize).collect();
    Ok(layout(&cells, width, &shape, &cut, indent))
}

fn tuple(size: &[i64]) -> String {
    let parts: Vec<_> = size.iter().map(i64::to_string).collect();
    if parts.len() == 1 { format!("({},)", parts[0]) } else { format!("({})", parts.join(", ")) }
}

/// Sets the cells of a tensor in brackets, one bracket level for each dimension.
///
/// `cut` says for each dimension whether its middle was left out, `width` how much room a cell takes. A level starts
/// one column further in than the one around it, so deeper levels have less room on a line.
fn layout(cells: &[String], width: usize, shape: &[usize], cut: &[bool], indent: usize) -> String {
    let edge = EDGE_ITEMS as usize;
    match shape {
        [] => cells.concat(),
        [_] => {
            let per_line = (LINE_WIDTH.saturating_sub(indent) / (width + 2)).max(1);
            let mut row: Vec<&str> = cells.iter().map(String::as_str).collect();
            if cut[0] {
                row.insert(edge, " ...");
            }
            let lines: Vec<_> = row.chunks(per_line).map(|line| line.join(", ")).collect();
            format!("[{}]", lines.join(&format!(",\n{}", " ".repeat(indent + 1))))
        }
        [size, inner @ ..] => {
            let step = cells.len() / size;
            let mut slices: Vec<_> =
                cells.chunks(step).map(|cells| layout(cells, width, inner, &cut[1..], indent + 1)).collect();
            if cut[0] {
                slices.insert(edge, "...".to_owned());
            }
            let gap = format!(",{}{}", "\n".repeat(shape.len() - 1), " ".repeat(indent + 1));
            format!("[{}]", slices.join(&gap))
        }
    }
}

/// Each value as text, padded to the width of the widest, and the room that one takes on a line.
fn cells(tensor: &Tensor) -> Result<(Vec<String>, usize), TchError> {
    Ok(match tensor.f_kind()? {
        Kind::Bool => right_aligned(f_elements(tensor)?, |value| if value != 0 { "True" } else { "False" }.to_owned()),
        Kind::Uint8 | Kind::Int8 | Kind::Int16 | Kind::Int | Kind::Int64 => {
            right_aligned(f_elements(tensor)?, |value| value.to_string())
        }
        Kind::ComplexHalf | Kind::ComplexFloat | Kind::ComplexDouble => {
            let wide = tensor.f_to_kind(Kind::ComplexDouble)?;
            let (real, imaginary) = (f_elements(&wide.f_real()?)?, f_elements(&wide.f_imag()?)?);
            let (left, right) = (FloatStyle::of(&real), FloatStyle::of(&imaginary));
            let cells = real.iter().zip(&imaginary).map(|(real, imaginary)| {
                let imaginary = right.padded(*imaginary);
                let imaginary = imaginary.trim_start();
                let sign = if imaginary.starts_with(['+', '-']) { "" } else { "+" };
                format!("{}{sign}{imaginary}j", left.padded(*real))
            });
            (cells.collect(), left.width + right.width + 1)
        }
        Kind::QInt8 | Kind::QUInt8 | Kind::QInt32 => return cells(&tensor.f_dequantize()?),
        _ => {
            let values: Vec<f64> = f_elements(tensor)?;
            let style = FloatStyle::of(&values);
            (values.iter().map(|value| style.padded(*value)).collect(), style.width)
        }
    })
}

fn right_aligned(values: Vec<i64>, text: fn(i64) -> String) -> (Vec<String>, usize) {
    let texts: Vec<String> = values.into_iter().map(text).collect();
    let width = texts.iter().map(String::len).max().unwrap_or(0);
    (texts.into_iter().map(|text| format!("{text:>width$}")).collect(), width)
}

/// How all floating point values of one tensor are written.
struct FloatStyle {
    whole: bool,
    scientific: bool,
    width: usize,
}

impl FloatStyle {
    /// Whole numbers are written as `1.`; a wide range of magnitudes in scientific notation. Zeros and values that are
    /// not finite have no say in it.
    fn of(values: &[f64]) -> Self {
        let mut style = Self { whole: true, scientific: false, width: 1 };
        let relevant = || values.iter().copied().filter(|value| value.is_finite() && *value != 0.0);
        let smallest = relevant().map(f64::abs).fold(f64::INFINITY, f64::min);
        let largest = relevant().map(f64::abs).fold(0.0, f64::max);
        if largest == 0.0 {
            return style;
        }
        style.whole = relevant().all(|value| value == value.ceil());
        style.scientific = largest / smallest > 1000.0 || largest > 1e8 || smallest < 1e-4;
        style.width = relevant().map(|value| style.text(value).len()).fold(1, usize::max);
        style
    }

    fn text(&self, value: f64) -> String {
        if value.is_nan() {
            "nan".to_owned()
        } else if value.is_infinite() {
            if value > 0.0 { "inf" } else { "-inf" }.to_owned()
        } else if self.scientific {
            scientific(value)
        } else if self.whole {
            format!("{value:.0}.")
        } else {
            format!("{value:.PRECISION$}")
        }
    }

    fn padded(&self, value: f64) -> String {
        format!("{:>1$}", self.text(value), self.width)
    }
}

/// `1.2300e-05`: the exponent with its sign and at least two digits, as C and Python write it.
fn scientific(value: f64) -> String {
    let text = format!("{value:.PRECISION$e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent),
            };
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn number(value: &Value) -> f64 {
        match value {
            Value::Bool(value) => f64::from(u8::from(*value)),
            Value::String(text) => text.parse().expect("nan, inf or -inf"),
            value => value.as_f64().expect("a number"),
        }
    }

    fn kind(dtype: &str) -> Kind {
        let kinds = [
            (Kind::Uint8, "uint8"),
            (Kind::Int8, "int8"),
            (Kind::Int, "int32"),
            (Kind::Int64, "int64"),
            (Kind::Half, "float16"),
            (Kind::BFloat16, "bfloat16"),
            (Kind::Float, "float32"),
            (Kind::Double, "float64"),
            (Kind::ComplexFloat, "complex64"),
            (Kind::ComplexDouble, "complex128"),
            (Kind::Bool, "bool"),
        ];
        let found = kinds.iter().find(|(_, name)| *name == dtype);
        let (kind, name) = found.unwrap_or_else(|| panic!("no dtype {dtype} in this test"));
        assert_eq!(dtype_name(*kind), *name);
        *kind
    }

    /// Values of one of three forms: a list of integers, a list of floats, `[count, scale]` for `scale * 0..count`.
    fn values(case: &Value) -> Tensor {
        let list = |name: &str| case[name].as_array().map(Vec::as_slice);
        if let Some(integers) = list("integers") {
            let integers: Vec<i64> = integers.iter().map(|value| value.as_i64().expect("an integer")).collect();
            Tensor::from_slice(&integers)
        } else if let Some(ramp) = list("ramp") {
            Tensor::arange(number(&ramp[0]) as i64, (Kind::Double, Device::Cpu)) * number(&ramp[1])
        } else {
            let floats: Vec<f64> = list("values").expect("values").iter().map(number).collect();
            Tensor::from_slice(&floats)
        }
    }

    #[test]
    fn tensors_read_as_pytorch_prints_them() {
        let cases: Vec<Value> =
            serde_json::from_str(include_str!("../../../tests/reference/tensor_text.json")).expect("cases");
        assert!(cases.len() > 50);
        for case in &cases {
            let kind = kind(case["dtype"].as_str().expect("a dtype"));
            let shape: Vec<i64> =
                case["shape"].as_array().expect("a shape").iter().map(|size| size.as_i64().expect("a size")).collect();
            let mut tensor = values(case);
            if let Some(imaginary) = case["imaginary"].as_array() {
                let imaginary: Vec<f64> = imaginary.iter().map(number).collect();
                tensor = Tensor::complex(&tensor, &Tensor::from_slice(&imaginary));
            }
            tensor = tensor.to_kind(kind).reshape(&shape);
            if case["requires_grad"] == true {
                tensor = tensor.set_requires_grad(true);
            }
            if case["sparse"] == true {
                tensor = tensor.to_sparse(None, None::<i64>, None);
            }
            assert_eq!(tensor_text(&tensor), case["text"].as_str().expect("a text"), "{case:#}");
        }
    }

    #[test]
    fn a_tensor_is_shown_with_its_shape_dtype_and_device() {
        let bundle = Tensor::from_slice2(&[[1.0f32, 2.0], [3.0, 4.5]]).mime_bundle();
        let expected = "tensor([[1.0000, 2.0000],\n        [3.0000, 4.5000]])\n[2, 2] float32 cpu";
        assert_eq!(bundle.plain(), expected);
    }

    #[test]
    fn an_undefined_tensor_is_shown_as_such() {
        let text = Tensor::new().mime_bundle();
        assert!(text.plain().starts_with("tensor(undefined)\nno values: `x.grad()` has some once `backward()`"));
    }

    #[test]
    fn a_result_of_a_computation_with_gradients_says_so() {
        let x = Tensor::from_slice(&[1.0f32]).set_requires_grad(true);
        assert_eq!(tensor_text(&(x * 2.0)), "tensor([2.], requires_grad=True)");
    }
}
