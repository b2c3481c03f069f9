//! Which libtorch is taken, and what is said of those that are not.

use std::fs;

use super::stage::*;

#[test]
fn the_active_pythons_torch_is_taken_if_its_version_matches() {
    for (version, downloads) in [("2.13.0+cu130", 0), ("1.13.1", 1)] {
        let stage = Stage::new();
        let torch = stage.libtorch("python-torch", version);
        succeeds(stage.setup(&[("STAGE_PYTHON_TORCH", text(&torch))]));
        assert_eq!(stage.calls("python3 -m pip install"), downloads, "{version}");
        assert_eq!(stage.calls("self-test"), 0, "{version}");
    }
}

#[test]
fn a_torch_of_a_near_version_is_taken_without_what_it_lacks() {
    let stage = Stage::new();
    let torch = stage.libtorch("python-torch", "2.15.0+cu132");
    let variables = [("STAGE_PYTHON_TORCH", text(&torch)), ("STAGE_REFUSED_LINE", "4")];
    succeeds(stage.setup(&variables));
    assert_eq!(stage.calls("python3 -m pip install"), 0, "{}", stage.log());
    assert_eq!((stage.calls("c++ -shared"), stage.calls("self-test")), (1, 1), "{}", stage.log());
    let reduced = fs::read_to_string(stage.path("reduced.cpp")).expect("was compiled");
    assert!(reduced.contains("{ torch_last_err = strdup(\"`qr` is not in torch 2.15.0"), "{reduced}");
    assert!(!reduced.contains("torch::qr") && stage.is_tidy(), "{reduced}");

    let before = stage.log();
    succeeds(stage.setup(&variables));
    assert_eq!(stage.log(), before);
    let mut doctor = stage.command(&["doctor"]);
    let doctor = doctor.envs(variables).output().expect("oxtorch runs");
    let table = String::from_utf8_lossy(&doctor.stdout);
    assert_eq!(doctor.status.code(), Some(0), "{table}");
    assert!(table.contains("2.15.0 in ") && table.contains("not as `tch` calls them: qr;"), "{table}");
    assert!(table.contains("`oxtorch setup --exact`"), "{table}");
}

#[test]
fn a_near_version_that_does_not_work_is_passed_over_with_the_reason() {
    for (variable, value, why) in [
        ("STAGE_SELF_TEST", "a sum is 3, not 4", "fails the self-test: a sum is 3, not 4"),
        ("STAGE_REFUSED_LINE", "1", "do not match the shim's line `#include"),
    ] {
        let stage = Stage::new();
        let torch = stage.libtorch("python-torch", "2.15.0");
        let variables = [("STAGE_PYTHON_TORCH", text(&torch)), (variable, value)];
        let output = stage.setup(&variables).output().expect("oxtorch runs");
        let said = errors(&output);
        // A line that the one libtorch refuses the stand-in refuses for the other one too.
        assert_eq!(output.status.success(), variable == "STAGE_SELF_TEST", "{said}");
        assert!(said.contains("Getting libtorch 2.13.0") && said.contains(why), "{said}");
        assert!(stage.is_tidy());
        assert_eq!(stage.calls("python3 -m pip install"), 1, "{said}");

        // What was found out is kept.
        let tests = stage.calls("self-test");
        fs::remove_dir_all(stage.home().join("libtorch")).expect("removes");
        let said = errors(&stage.setup(&variables).output().expect("oxtorch runs"));
        assert!(said.contains(why) && !said.contains("Fitting"), "{said}");
        assert_eq!(stage.calls("self-test"), tests);
        fs::remove_dir_all(stage.home().join("libtorch")).expect("removes");
        let doctor = stage.command(&["doctor"]).envs(variables).output().expect("oxtorch runs");
        let table = String::from_utf8_lossy(&doctor.stdout);
        assert!(table.contains("- Python's torch") && table.contains(why), "{table}");
    }
}

#[test]
fn the_exact_version_is_preferred_where_it_is_there_or_asked_for() {
    let stage = Stage::new();
    let torch = stage.libtorch("python-torch", "2.15.0");
    let variables = [("STAGE_PYTHON_TORCH", text(&torch))];
    succeeds(stage.setup(&variables));
    assert_eq!(stage.calls("python3 -m pip install"), 0, "{}", stage.log());
    let mut exact = stage.command(&["setup", "--exact"]);
    exact.envs(variables);
    succeeds(exact);
    assert_eq!(stage.calls("python3 -m pip install"), 1, "{}", stage.log());

    // From now on without being asked, also where nothing is remembered.
    fs::remove_dir_all(stage.home().join("ready")).expect("removes");
    let (builds, shims) = (stage.calls("cargo build"), stage.calls("c++ -shared"));
    succeeds(stage.setup(&variables));
    assert_eq!((stage.calls("cargo build"), stage.calls("c++ -shared")), (builds, shims), "{}", stage.log());
    let doctor = stage.command(&["doctor"]).envs(variables).output().expect("oxtorch runs");
    let table = String::from_utf8_lossy(&doctor.stdout);
    assert!(table.contains("libtorch") && table.contains("2.13.0 in "), "{table}");
}

#[test]
fn a_libtorch_of_a_near_version_that_was_asked_for_is_taken_if_it_works() {
    let stage = Stage::new();
    let near = stage.libtorch("near", "2.11.0+cpu");
    let errors = fails(stage.setup(&[("LIBTORCH", text(&near)), ("STAGE_SELF_TEST", "a sum is 3, not 4")]));
    assert!(errors.contains("is version 2.11.0, not 2.13.0, and fails the self-test: a sum"), "{errors}");
    let other = stage.libtorch("other", "2.11.0+cpu");
    succeeds(stage.setup(&[("LIBTORCH", text(&other)), ("STAGE_REFUSED_LINE", "4")]));
    assert_eq!(stage.calls("python3 -m pip install"), 0);
}

#[test]
fn a_python_without_a_wheel_of_its_own_takes_that_of_another() {
    let stage = Stage::new();
    succeeds(stage.setup(&[("STAGE_PIP", "other-python")]));
    let log = stage.log();
    let calls: Vec<_> = log.lines().filter(|line| line.contains("pip install")).collect();
    assert_eq!(calls.len(), 2, "{log}");
    assert!(calls.iter().all(|call| call.contains("--only-binary=:all:") && call.contains("--no-deps")), "{log}");
    assert!(calls.iter().all(|call| call.contains("--require-hashes -r ")), "{log}");
    assert!(calls[1].contains("--python-version 3.12") && calls[1].contains("--platform manylinux_2_28_"), "{log}");
}

#[test]
fn without_a_network_each_source_and_what_to_do_is_named() {
    for (pip, why) in [("offline", "the package index cannot be reached"), ("none", "has no pip")] {
        let stage = Stage::new();
        let errors = fails(stage.setup(&[("STAGE_PIP", pip)]));
        for part in ["the active Python: it has no torch", "PyPI", why, "PyTorch site: curl: (6)", "set LIBTORCH"] {
            assert!(errors.contains(part), "{part} is missing in:\n{errors}");
        }
        assert!(stage.is_tidy());
    }
    let stage = Stage::new();
    let errors = fails(stage.setup(&[("STAGE_OFFLINE", "yes")]));
    assert!(errors.contains("cannot get the crates") && errors.contains("this step needs the network"), "{errors}");
}

#[test]
fn a_libtorch_that_was_asked_for_is_checked_and_never_silently_replaced() {
    let stage = Stage::new();
    let without = |name: &str, file: &str| {
        let root = stage.libtorch(name, "2.13.0");
        fs::remove_file(root.join(file)).expect("removes");
        root
    };
    for (root, why) in [
        (stage.path("nowhere"), "cannot be opened"),
        (stage.libtorch("older", "1.13.1+cpu"), "is version 1.13.1+cpu, too far from 2.13.0"),
        (without("no-library", "lib/libtorch_cpu.so"), "has no lib/libtorch_cpu.so"),
        (without("no-headers", "include/torch/csrc/api/include/torch/torch.h"), "has no C++ headers"),
        (without("no-version", "build-version"), "does not say its version"),
    ] {
        let errors = fails(stage.setup(&[("LIBTORCH", text(&root))]));
        assert!(errors.contains(why) && errors.contains(text(&root)), "{errors}");
    }
    assert_eq!(stage.calls("python3 -m pip install"), 0);
}
