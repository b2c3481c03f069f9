//! Against values of PyTorch, with the script in `tests/reference`.

use serde_json::Value as Json;
use tch::index::{Ellipsis, Index, IndexOp, Steps};
use tch::{Device, Kind, NewAxis, Tensor};

use crate::reference::Reference;

fn reference() -> Reference {
    Reference::parse(include_str!("../../../tests/reference/indexing.json"))
}

fn sizes(reference: &Reference, name: &str) -> Vec<i64> {
    reference.numbers(&format!("/{name}/shape")).into_iter().map(|size| size as i64).collect()
}

/// The index of a case.
fn index(reference: &Reference, name: &str) -> Vec<Index> {
    let parts = reference.value(&format!("/{name}/index")).as_array().expect("a list").iter().enumerate();
    let part = |(number, part): (usize, &Json)| {
        if let Some(at) = part["at"].as_i64() {
            Index::At(at)
        } else if let Some(ends) = part["slice"].as_array() {
            Index::Slice { start: ends[0].as_i64(), end: ends[1].as_i64(), step: ends[2].as_i64().expect("a step") }
        } else if part["new"] == true {
            Index::NewAxis
        } else if part["ellipsis"] == true {
            Index::Ellipsis
        } else {
            Index::Tensor(reference.tensor(&format!("/{name}/index/{number}/tensor")))
        }
    };
    parts.map(part).collect()
}

fn is_error(reference: &Reference, name: &str) -> bool {
    reference.value(&format!("/{name}/result")).is_null()
}

#[test]
fn parts_are_those_of_pytorch() {
    let reference = reference();
    for case in 0..240 {
        let name = format!("read {case}");
        let shape = sizes(&reference, &name);
        let x = Tensor::arange(shape.iter().product::<i64>(), (Kind::Int64, Device::Cpu)).reshape(&shape);
        match x.f_i(index(&reference, &name)) {
            Ok(part) if !is_error(&reference, &name) => {
                assert_eq!(part.kind(), Kind::Int64);
                reference.check(&format!("/{name}/result"), &part, 0.0);
            }
            Err(_) if is_error(&reference, &name) => {}
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn parts_are_set_as_pytorch_sets_them() {
    let reference = reference();
    for case in 0..120 {
        let name = format!("put {case}");
        let mut x = Tensor::zeros(sizes(&reference, &name), (Kind::Float, Device::Cpu));
        let value = reference.tensor(&format!("/{name}/value"));
        match x.f_set_i(index(&reference, &name), &value) {
            Ok(()) if !is_error(&reference, &name) => reference.check(&format!("/{name}/result"), &x, 0.0),
            Err(_) if is_error(&reference, &name) => {}
            other => panic!("{name}: {other:?}"),
        }
    }
}

fn grid() -> Tensor {
    Tensor::arange(12, (Kind::Float, Device::Cpu)).reshape([3, 4])
}

fn text<T>(result: Result<T, tch::TchError>) -> String {
    match result {
        Ok(_) => "no error".to_owned(),
        Err(error) => error.to_string().replace("Internal torch error: ", ""),
    }
}

#[test]
#[allow(clippy::reversed_empty_ranges, reason = "a negative end counts from the back here")]
fn every_way_to_write_an_index_is_taken() {
    let x = grid();
    let list = vec![2usize, 0];
    assert_eq!(x.i(&list), x.i([2, 0]));
    assert_eq!(x.i(&list[..]), x.i(list.clone()));
    assert_eq!(x.i((1u8, 3usize)), x.i((1i64, -1)));
    assert_eq!(x.i((.., None)).size(), x.i((.., NewAxis)).size());
    assert_eq!(x.i((Ellipsis, 0)), x.i((.., 0)));
    assert_eq!(x.i([true, false, true]), x.i((..).step_by(2)));
    assert_eq!(x.i((.., (0..-1).step_by(2))), x.i((.., [0, 2])));
    assert_eq!(x.i(()), x);
    assert_eq!(x.i(Tensor::from_slice(&[1i64])), x.i(1..2));
    assert_eq!(x.i((.., &[3, 0])).size(), [3, 2]);
}

#[test]
fn views_share_their_memory_and_lists_do_not() {
    let mut x = grid();
    let view = x.i((1.., ..-1));
    let copy = x.i([0, 1]);
    x.set_i(1, 0.0);
    assert_eq!(view.sum(Kind::Float).double_value(&[]), 8.0 + 9.0 + 10.0);
    assert_eq!(copy.i((1, 1)).double_value(&[]), 5.0);
}

#[test]
fn gradients_pass_through_parts() {
    let x = grid().set_requires_grad(true);
    (x.i((&x.gt(9.0),)).sum(Kind::Float) + x.i((1, ..-2)).sum(Kind::Float) * 3.0).backward();
    let expected = [0f32, 0.0, 0.0, 0.0, 3.0, 3.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0];
    assert_eq!(x.grad(), Tensor::from_slice(&expected).reshape([3, 4]));
    // What is set in a copy of the leaf is part of the graph as well.
    let scale = Tensor::from(2f32).set_requires_grad(true);
    let mut y = grid();
    y.set_i((.., 0), &scale);
    y.sum(Kind::Float).backward();
    assert_eq!(scale.grad().double_value(&[]), 3.0);
}

#[test]
fn values_are_numbers_tensors_and_lists() {
    let mut x = grid();
    x.set_i((0, 0), -1);
    x.set_i((0, 1), 2.5f32);
    x.set_i((0, 2), 7usize);
    x.set_i((0, 3), true);
    x.set_i((1, ..), [1.0, 2.0, 3.0, 4.0]);
    x.set_i((2, ..), vec![0.5f64; 4]);
    x.set_i((2, [0, 3]), Tensor::from_slice(&[8i64, 9]));
    x.set_i(&x.eq(0.5), x.i((1, 0)));
    let expected = [-1f32, 2.5, 7.0, 1.0, 1.0, 2.0, 3.0, 4.0, 8.0, 1.0, 1.0, 9.0];
    assert_eq!(x, Tensor::from_slice(&expected).reshape([3, 4]));
    let mut labels = Tensor::zeros([3], (Kind::Int64, Device::Cpu));
    labels.set_i(1.., 4.0);
    assert_eq!(labels, Tensor::from_slice(&[0i64, 4, 4]));
}

#[test]
fn errors_name_the_axis_the_index_and_the_shape() {
    let x = grid();
    let check = |result, expected: &str| assert!(text(result).contains(expected), "{}", text(x.f_i(7)));
    check(
        x.f_i((.., 4)),
        "index 4 is out of range for axis 1 of a tensor of shape [3, 4]: an index of that axis is in 0..4, or in -4..0",
    );
    check(x.f_i((.., [0, -5])), "index -5 is out of range for axis 1 of a tensor of shape [3, 4]");
    check(x.f_i((NewAxis, .., &Tensor::from(9i64))), "index 9 is out of range for axis 1");
    check(x.f_i((0, 0, 0)), "an index for 3 axes is too many for a tensor of shape [3, 4], which has 2 axes");
    check(x.f_i((0, 0)).and_then(|number| number.f_i(0)), "`x.double_value(&[])`");
    check(x.f_i([true, false]), "a mask of shape [2] does not fit axis 0 of a tensor of shape [3, 4]");
    check(x.f_i(&x.i((.., ..2)).gt(0.0)), "does not fit axes 0 to 1 of a tensor of shape [3, 4]");
    check(x.f_i(&x), "not Float");
    check(x.f_i(&x.to_kind(Kind::Uint8)), "`.to_kind(Kind::Bool)`");
    check(x.f_i((Ellipsis, Ellipsis)), "at most one `Ellipsis`");
    check(x.f_i(([0, 1], [0, 1, 2])), "[2], [3]");
    check(Tensor::new().f_i(0), "not defined");
    check(x.f_i(&Tensor::new()), "not defined");
    check(x.i((.., ..0)).f_i((0, 0)), "that axis is empty");
}

#[test]
fn errors_of_values_name_shapes_and_kinds() {
    let mut x = grid();
    let wrong = text(x.f_set_i((.., 1..3), [1.0, 2.0, 3.0]));
    assert!(
        wrong.contains("a value of shape [3] does not broadcast to the part that it is for, of shape [3, 2]"),
        "{wrong}"
    );
    let wrong = text(x.f_set_i(([0, 1], ..), [1.0, 2.0, 3.0]));
    assert!(
        wrong.contains("a value of shape [3] does not broadcast to the part that it is for, of shape [2, 4]"),
        "{wrong}"
    );
    let wrong = text(x.f_set_i((.., [0, 7]), 1.0));
    assert!(wrong.contains("index 7 is out of range for axis 1 of a tensor of shape [3, 4]"), "{wrong}");
    let mut labels = Tensor::zeros([3], (Kind::Int64, Device::Cpu));
    for wrong in [text(labels.f_set_i(0, 0.5)), text(labels.f_set_i(0, f64::NAN)), text(labels.f_set_i(0, x.i((0, 0))))]
    {
        assert!(wrong.contains("Int64"), "{wrong}");
    }
    assert_eq!(labels, Tensor::zeros([3], (Kind::Int64, Device::Cpu)));
    assert_eq!(x, grid());
}

#[test]
fn a_value_that_is_a_part_of_the_same_tensor_is_read_before_anything_is_written() {
    // As NumPy's `a[:, 1:] = a[:, :-1]` and the like.
    let mut x = grid();
    let value = x.i((.., ..-1));
    x.set_i((.., 1..), &value);
    assert_eq!(x, Tensor::from_slice2(&[[0f32, 0.0, 1.0, 2.0], [4.0, 4.0, 5.0, 6.0], [8.0, 8.0, 9.0, 10.0]]));
    let mut x = grid();
    let value = x.i((.., 1..));
    x.set_i((.., ..-1), &value);
    assert_eq!(x, Tensor::from_slice2(&[[1f32, 2.0, 3.0, 3.0], [5.0, 6.0, 7.0, 7.0], [9.0, 10.0, 11.0, 11.0]]));
    let mut x = grid();
    let value = x.i(..-1);
    x.set_i(1.., value);
    assert_eq!(x, Tensor::from_slice2(&[[0f32, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]));
    let line = || Tensor::from_slice(&[0i64, 1, 2, 3, 4]);
    let mut x = line();
    let value = x.i(..-1);
    x.set_i(1.., &value);
    assert_eq!(x, Tensor::from_slice(&[0i64, 0, 1, 2, 3]));
    // A swap by a list, a view that is broadcast, a transposed one, and a list that is the tensor.
    let mut x = line();
    let value = x.i(..2);
    x.set_i([1, 0], &value);
    assert_eq!(x, Tensor::from_slice(&[1i64, 0, 2, 3, 4]));
    let mut x = line();
    let value = x.i(1..2);
    x.set_i(.., value);
    assert_eq!(x, Tensor::from_slice(&[1i64; 5]));
    let mut x = Tensor::from_slice2(&[[0i64, 1], [2, 3]]);
    let value = x.tr();
    x.set_i((), &value);
    assert_eq!(x, Tensor::from_slice2(&[[0i64, 2], [1, 3]]));
    let mut x = Tensor::from_slice(&[2i64, 0, 1]);
    let places = x.shallow_clone();
    x.set_i(&places, &places);
    assert_eq!(x, Tensor::from_slice(&[0i64, 1, 2]));
    // A list that is the tensor, and one number.
    let places = x.i(..2);
    x.set_i(&places, 7);
    assert_eq!(x, Tensor::from_slice(&[7i64, 7, 2]));
}
