//! TorchScript: a network of PyTorch with its code.

use std::path::Path;

use tch::{CModule, Device};

use super::FileError;

/// Loads a network that Python saved by `torch.jit.trace(model, x).save("model.pt")` or `torch.jit.script(model)`, onto
/// a device and set to evaluation. It is a [`Module`](crate::nn::Module): `script.forward(&x)`.
///
/// ```no_run
/// use oxtorch::prelude::*;
/// let script = io::load_script("model.pt", device())?;
/// let logits = script.forward(&Tensor::zeros([1, 3, 224, 224], (Kind::Float, device())));
/// ```
///
/// # Errors
///
/// Where the file is not there, or holds no TorchScript: a `state_dict` that `torch.save` wrote is weights without
/// code.
pub fn load_script(path: impl AsRef<Path>, device: Device) -> Result<CModule, FileError> {
    let path = path.as_ref();
    std::fs::metadata(path).map_err(FileError::reading(path))?;
    let mut module = CModule::load_on_device(path, device).map_err(|error| FileError::refused(path, &error))?;
    module.f_set_eval()?;
    Ok(module)
}

#[cfg(test)]
mod tests {
    use tch::nn::Module;

    use super::super::npy::tests::{file, reference};
    use super::*;

    #[test]
    fn a_network_that_python_traced_gives_what_it_gave_there() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (reference, path) = (reference(), folder.path().join("model.pt"));
        std::fs::write(&path, file(&reference, "/script/file")).expect("writes");
        let script = load_script(&path, Device::Cpu).expect("loads");
        reference.check("/script/output", &script.forward(&reference.tensor("/script/input")), 1e-5);

        std::fs::write(&path, b"no archive").expect("writes");
        let error = load_script(&path, Device::Cpu).expect_err("damaged").to_string();
        assert!(error.contains("model.pt cannot be used") && error.lines().count() == 1, "{error}");
        let error = load_script(folder.path().join("none.pt"), Device::Cpu).expect_err("not there").to_string();
        assert!(error.starts_with("cannot read"), "{error}");
    }
}
