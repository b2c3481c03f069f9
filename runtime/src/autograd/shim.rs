//! What `kernel/setup/src/shim/autograd.h` defines, with tensors and closures of Rust.

use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;

use tch::{Device, TchError, Tensor};
use torch_sys::C_tensor;

use crate::cell::payload_text;
use crate::shim::{length, pointer, pointers, succeeded};

/// A closure as C++ owns it.
#[repr(C)]
struct Closure {
    state: *mut c_void,
    call: unsafe extern "C" fn(*mut c_void, *const *mut C_tensor, c_int, *mut *mut C_tensor, c_int) -> *mut c_char,
    drop: unsafe extern "C" fn(*mut c_void),
}

// SAFETY: as the header defines them; the shim is loaded with the runtime.
unsafe extern "C" {
    fn oxtorch_grad(
        outputs: *const *mut C_tensor,
        gradients: *const *mut C_tensor,
        output_count: c_int,
        inputs: *const *mut C_tensor,
        input_count: c_int,
        retain_graph: c_int,
        create_graph: c_int,
        results: *mut *mut C_tensor,
    );
    fn oxtorch_custom(
        inputs: *const *mut C_tensor,
        input_count: c_int,
        output: *mut C_tensor,
        backward: Closure,
    ) -> *mut C_tensor;
    fn oxtorch_register_hook(tensor: *mut C_tensor, hook: Closure) -> c_uint;
    fn oxtorch_remove_hook(tensor: *mut C_tensor, hook: c_uint);
    fn oxtorch_retain_grad(tensor: *mut C_tensor);
    fn oxtorch_rng_state(cuda: c_int) -> *mut C_tensor;
    fn oxtorch_set_rng_state(cuda: c_int, state: *mut C_tensor);
    fn oxtorch_leaves(
        output: *mut C_tensor,
        state: *mut c_void,
        tell: unsafe extern "C" fn(*mut c_void, *mut C_tensor),
    );
}

/// What C++ calls with tensors, where there are some, for others.
pub(super) type Callback = dyn Fn(Vec<Option<Tensor>>) -> Result<Vec<Option<Tensor>>, String> + Send;

/// The gradients of outputs, each times its own, by inputs; none for an input that no output depends on.
pub(super) fn grad(
    outputs: &[&Tensor],
    gradients: &[Option<&Tensor>],
    inputs: &[&Tensor],
    retain_graph: bool,
    create_graph: bool,
) -> Result<Vec<Option<Tensor>>, TchError> {
    let gradients: Vec<_> = gradients.iter().map(|gradient| gradient.map_or(null_mut(), pointer)).collect();
    let (outputs, inputs) = (pointers(outputs.iter().copied()), pointers(inputs.iter().copied()));
    let mut results = vec![null_mut(); inputs.len()];
    // SAFETY: the lists are as long as they are said to be, and their tensors live for the call.
    unsafe {
        oxtorch_grad(
            outputs.as_ptr(),
            gradients.as_ptr(),
            length(&outputs),
            inputs.as_ptr(),
            length(&inputs),
            c_int::from(retain_graph),
            c_int::from(create_graph),
            results.as_mut_ptr(),
        );
    }
    taken(results)
}

/// An output that depends on the inputs by a closure, whose arguments are the inputs, the output and its gradient.
pub(super) fn custom(inputs: &[&Tensor], output: &Tensor, backward: Box<Callback>) -> Result<Tensor, TchError> {
    let inputs = pointers(inputs.iter().copied());
    // SAFETY: as in `grad`.
    let result = unsafe { oxtorch_custom(inputs.as_ptr(), length(&inputs), pointer(output), closure(backward)) };
    one(result)
}

/// Has a closure be called with each gradient of a tensor; gives its number.
pub(super) fn register_hook(tensor: &Tensor, hook: Box<Callback>) -> Result<c_uint, TchError> {
    // SAFETY: the tensor lives for the call.
    let number = unsafe { oxtorch_register_hook(pointer(tensor), closure(hook)) };
    succeeded()?;
    Ok(number)
}

pub(super) fn remove_hook(tensor: &Tensor, number: c_uint) -> Result<(), TchError> {
    // SAFETY: the tensor lives for the call.
    unsafe { oxtorch_remove_hook(pointer(tensor), number) };
    succeeded()
}

pub(super) fn retain_grad(tensor: &Tensor) -> Result<(), TchError> {
    // SAFETY: the tensor lives for the call.
    unsafe { oxtorch_retain_grad(pointer(tensor)) };
    succeeded()
}

/// The tensors at the ends of a graph whose gradients are accumulated, such as weights.
pub(super) fn leaves(output: &Tensor) -> Result<Vec<Tensor>, TchError> {
    unsafe extern "C" fn tell(leaves: *mut c_void, leaf: *mut C_tensor) {
        // SAFETY: it is the list below, and the tensor is given away.
        unsafe { (*leaves.cast::<Vec<Tensor>>()).push(Tensor::from_ptr(leaf)) };
    }
    let mut leaves = Vec::<Tensor>::new();
    // SAFETY: `tell` is called before this returns, with the list.
    unsafe { oxtorch_leaves(pointer(output), (&raw mut leaves).cast(), tell) };
    succeeded()?;
    Ok(leaves)
}

/// Where the random numbers of a device have come to.
pub(super) fn rng_state(device: Device) -> Result<Tensor, TchError> {
    // SAFETY: it takes any number, and fails where there is no such device.
    one(unsafe { oxtorch_rng_state(number(device)) })
}

pub(super) fn set_rng_state(device: Device, state: &Tensor) -> Result<(), TchError> {
    // SAFETY: the tensor lives for the call.
    unsafe { oxtorch_set_rng_state(number(device), pointer(state)) };
    succeeded()
}

fn number(device: Device) -> c_int {
    match device {
        Device::Cuda(number) => c_int::try_from(number).unwrap_or(c_int::MAX),
        _ => -1,
    }
}

/// The tensor that C++ has given away, unless it failed.
fn one(result: *mut C_tensor) -> Result<Tensor, TchError> {
    succeeded()?;
    // SAFETY: it is a tensor of its own.
    Ok(unsafe { Tensor::from_ptr(result) })
}

/// Takes tensors that C++ has given away, unless it failed.
fn taken(results: Vec<*mut C_tensor>) -> Result<Vec<Option<Tensor>>, TchError> {
    succeeded()?;
    // SAFETY: each is a tensor of its own, or null.
    let take = |result: *mut C_tensor| (!result.is_null()).then(|| unsafe { Tensor::from_ptr(result) });
    Ok(results.into_iter().map(take).collect())
}

fn closure(backward: Box<Callback>) -> Closure {
    Closure { state: Box::into_raw(Box::new(backward)).cast(), call, drop }
}

unsafe extern "C" fn drop(state: *mut c_void) {
    // SAFETY: `closure` made it, and C++ drops it once.
    std::mem::drop(unsafe { Box::from_raw(state.cast::<Box<Callback>>()) });
}

unsafe extern "C" fn call(
    state: *mut c_void,
    arguments: *const *mut C_tensor,
    argument_count: c_int,
    results: *mut *mut C_tensor,
    result_count: c_int,
) -> *mut c_char {
    let count = |count: c_int| usize::try_from(count).unwrap_or(0);
    // SAFETY: C++ calls with a closure that it owns, and with lists as long as it says.
    let (backward, arguments, places) = unsafe {
        (
            &*state.cast::<Box<Callback>>(),
            std::slice::from_raw_parts(arguments, count(argument_count)),
            std::slice::from_raw_parts_mut(results, count(result_count)),
        )
    };
    // SAFETY: each is null or a tensor that lives for the call.
    let shared = |argument: &*mut C_tensor| (!argument.is_null()).then(|| unsafe { Tensor::clone_from_ptr(*argument) });
    let arguments = arguments.iter().map(shared).collect();
    let given =
        catch_unwind(AssertUnwindSafe(|| backward(arguments))).unwrap_or_else(|panic| Err(payload_text(&*panic)));
    match given {
        Ok(given) if given.len() == places.len() => {
            for (place, tensor) in places.iter_mut().zip(given) {
                *place = tensor.map_or(null_mut(), |tensor| pointer(&ManuallyDrop::new(tensor)));
            }
            null_mut()
        }
        Ok(given) => failed(&format!("it gave {} gradients for {} inputs", given.len(), places.len())),
        Err(why) => failed(&why),
    }
}

/// A text that C frees.
fn failed(why: &str) -> *mut c_char {
    let why = CString::new(why.replace('\0', " ")).unwrap_or_default();
    // SAFETY: it ends with a 0.
    unsafe { libc::strdup(why.as_ptr()) }
}
