//! Values that PyTorch, NumPy, scikit-learn or Gymnasium computed, and whether ours are the same.
//!
//! A script in `tests/reference` computes each file of values; a value is found by its JSON pointer, as in
//! `/gelu/output`.

use serde_json::Value;
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

use crate::modes::no_grad;
use crate::nn::seed;

pub(crate) struct Reference(Value);

impl Reference {
    pub(crate) fn parse(json: &str) -> Self {
        Self(serde_json::from_str(json).expect("values as reference/encode.py writes them"))
    }

    pub(crate) fn value(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or_else(|| panic!("the script wrote no {pointer}"))
    }

    pub(crate) fn number(&self, pointer: &str) -> f64 {
        number(self.value(pointer))
    }

    pub(crate) fn numbers(&self, pointer: &str) -> Vec<f64> {
        self.value(pointer).as_array().expect("a list").iter().map(number).collect()
    }

    pub(crate) fn texts(&self, pointer: &str) -> Vec<String> {
        let texts = self.value(pointer).as_array().expect("a list").iter();
        texts.map(|text| text.as_str().expect("a text").to_owned()).collect()
    }

    /// A tensor on the CPU, of the kind that it had there.
    pub(crate) fn tensor(&self, pointer: &str) -> Tensor {
        let integers = |name: &str| self.numbers(&format!("{pointer}/{name}")).into_iter().map(|n| n as i64).collect();
        let shape: Vec<i64> = integers("shape");
        let kind = match self.value(&format!("{pointer}/dtype")).as_str().expect("a name") {
            "float32" => Kind::Float,
            "float64" => Kind::Double,
            "int64" => {
                let values: Vec<i64> = integers("values");
                return Tensor::from_slice(&values).reshape(&shape);
            }
            "uint8" => Kind::Uint8,
            "bool" => Kind::Bool,
            other => panic!("no dtype {other} among the reference values"),
        };
        Tensor::from_slice(&self.numbers(&format!("{pointer}/values"))).reshape(&shape).to_kind(kind)
    }

    /// Sets the variables of a store to the values that the script wrote under the same names: all of them, and no
    /// more.
    pub(crate) fn load(&self, pointer: &str, store: &VarStore) {
        let values = self.value(pointer).as_object().expect("values by name");
        let mut variables = store.variables();
        for name in values.keys() {
            let mut variable = variables.remove(name).unwrap_or_else(|| panic!("no variable {name}: {variables:?}"));
            let value = self.tensor(&format!("{pointer}/{name}"));
            assert_eq!(variable.size(), value.size(), "{name}");
            no_grad(|| variable.copy_(&value));
        }
        assert!(variables.is_empty(), "not in the script: {:?}", variables.keys());
    }

    /// Complains where a tensor is of another shape, or where an element is off by more than `tolerance`, absolute for
    /// values up to 1 and relative above.
    #[track_caller]
    pub(crate) fn check(&self, pointer: &str, actual: &Tensor, tolerance: f64) {
        assert_eq!(actual.size(), self.tensor(pointer).size(), "shape of {pointer}");
        assert!(self.fits(pointer, actual, tolerance), "{pointer}: {actual} instead of {}", self.tensor(pointer));
    }

    /// What a function draws after a seed, checked. Random numbers are the process's, and another test may draw some in
    /// between: what is not as expected is drawn again a few times. What is drawn otherwise than in PyTorch never is.
    #[track_caller]
    pub(crate) fn drawn(&self, pointer: &str, of_seed: u64, draw: impl Fn() -> Tensor, tolerance: f64) -> Tensor {
        let attempt = || {
            seed(of_seed);
            draw()
        };
        let drawn = (0..100).map(|_| attempt()).find(|drawn| self.fits(pointer, drawn, tolerance));
        let drawn = drawn.unwrap_or_else(attempt);
        self.check(pointer, &drawn, tolerance);
        drawn
    }

    /// Whether [`Reference::check`] has nothing to complain of.
    pub(crate) fn fits(&self, pointer: &str, actual: &Tensor, tolerance: f64) -> bool {
        let expected = self.tensor(pointer).to_kind(Kind::Double);
        if actual.size() != expected.size() {
            return false;
        }
        let actual = actual.to_device(Device::Cpu).to_kind(Kind::Double);
        let allowed = expected.abs().clamp_min(1.0) * tolerance;
        let near = (&actual - &expected).abs().le_tensor(&allowed).logical_or(&actual.eq_tensor(&expected));
        let near = near.logical_or(&actual.isnan().logical_and(&expected.isnan()));
        near.all().int64_value(&[]) == 1
    }
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::String(text) => text.parse().expect("nan, inf or -inf"),
        value => value.as_f64().expect("a number"),
    }
}
