//! What came with the program in a wheel, seen with stand-ins: used where it fits, and passed over with the reason.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use super::stage::*;

/// A stage whose program came with a runtime, for which another home was set up; and where that lies.
fn with_prebuilt() -> (Stage, PathBuf) {
    let stage = Stage::new();
    let folder = stage.path("packages/oxtorch/prebuilt");
    succeeds(stage.command(&["prebuild", text(&folder)]));
    fs::rename(stage.home(), stage.path("builder")).expect("moves");
    fs::remove_file(stage.path("log")).expect("removes");
    (stage, folder)
}

fn setup(stage: &Stage, folder: &std::path::Path) -> Command {
    stage.setup(&[("OXTORCH_PREBUILT", text(folder))])
}

#[test]
fn what_came_with_the_program_is_used_where_it_lies_and_nothing_is_built() {
    let (stage, folder) = with_prebuilt();
    succeeds(setup(&stage, &folder));
    let log = stage.log();
    assert_eq!((stage.calls("cargo"), stage.calls("c++ -c"), stage.calls("self-test")), (0, 0, 1), "{log}");
    assert!(!stage.home().join("runtime").exists() && stage.is_tidy());
    // Another user tries the shim out once more, and then nobody calls anything.
    let before = stage.log();
    succeeds(setup(&stage, &folder));
    assert_eq!(stage.log(), before);
    let mut doctor = stage.command(&["doctor"]);
    let output = doctor.env("OXTORCH_PREBUILT", &folder).output().expect("runs");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains(&format!("runtime         {}/runtime/liboxtorch.so", folder.display())), "{told}");
}

#[test]
fn the_doctor_names_what_came_with_the_program_before_the_first_start() {
    let (stage, folder) = with_prebuilt();
    let told = |stage: &Stage| {
        let output = stage.command(&["doctor"]).env("OXTORCH_PREBUILT", &folder).output().expect("runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(told(&stage).contains(&format!("runtime        {}, for ", folder.display())), "{}", told(&stage));
    fs::write(folder.join("runtime/liboxtorch.so"), "other").expect("writes");
    let told = told(&stage);
    assert!(told.contains("liboxtorch.so has 5 bytes instead of 8"), "{told}");
}

#[test]
fn what_does_not_fit_is_built_here_with_the_reason() {
    for (what, why) in [
        (
            "damage",
            "liboxtorch.so has changed since it was made; to have it whole: pip install --force-reinstall oxtorch",
        ),
        ("another program", "is another program's"),
        ("another rustc", "was built by rustc 1.95.0 (other), not by"),
        ("no shim", "is version 2.13.0, for which no shim came with this program"),
        ("a folder for all", "can be written by everybody"),
        ("a shim that fails", "the shim for torch 2.13.0 fails the self-test: no tensor"),
    ] {
        let (stage, folder) = with_prebuilt();
        let manifest = folder.join("prebuilt.json");
        let told = fs::read_to_string(&manifest).expect("is text");
        let mut command = setup(&stage, &folder);
        match what {
            "damage" => fs::write(folder.join("runtime/liboxtorch.so"), "another\n").expect("writes"),
            "another program" => {
                let key = told.split('"').nth(3).expect("the sources come first");
                fs::write(&manifest, told.replace(key, "0123")).expect("writes");
            }
            "another rustc" => fs::write(&manifest, told.replace("(stand-in)", "(other)")).expect("writes"),
            "a folder for all" => {
                fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("changes");
            }
            "no shim" => {
                fs::rename(folder.join("shims/2.13.0"), folder.join("shims/2.14.0")).expect("moves");
                command.env("LIBTORCH", stage.path("libtorch"));
            }
            _ => drop(command.env("STAGE_SELF_TEST", "no tensor")),
        }
        let output = command.output().expect("runs");
        let said = errors(&output);
        assert!(output.status.success(), "{what}: {said}");
        assert!(said.contains("Building the runtime here: ") && said.contains(why), "{what}: {said}");
        assert_eq!(stage.calls("cargo build"), 1, "{what}: {}", stage.log());
    }
}

#[test]
fn without_tools_a_torch_that_no_shim_came_for_is_passed_over() {
    let (stage, folder) = with_prebuilt();
    let torch = stage.libtorch("new", "2.99.0");
    fs::remove_file(stage.path("bin/c++")).expect("removes");
    // As a machine has it that has no compiler: nothing of its own folders.
    for tool in ["sh", "cp", "mkdir", "head", "cat", "expr"] {
        let of_system = ["/usr/bin", "/bin"].map(|folder| PathBuf::from(folder).join(tool));
        let found = of_system.iter().find(|path| path.exists()).expect("every system has it");
        std::os::unix::fs::symlink(found, stage.path("bin").join(tool)).expect("links");
    }
    let mut command = setup(&stage, &folder);
    command.env("PATH", stage.path("bin")).env("STAGE_PYTHON_TORCH", &torch);
    let output = command.output().expect("runs");
    let said = errors(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("is version 2.99.0, for which no shim came with this program"), "{said}");
    assert_eq!(stage.calls("python3 -m pip install"), 1, "{}", stage.log());
}

#[test]
fn a_version_has_the_shim_of_another_one_of_its_series() {
    let (stage, folder) = with_prebuilt();
    fs::rename(folder.join("shims/2.13.0"), folder.join("shims/2.13.2")).expect("moves");
    let mut command = setup(&stage, &folder);
    command.env("LIBTORCH", stage.path("libtorch"));
    succeeds(command);
    assert_eq!((stage.calls("cargo"), stage.calls("self-test")), (0, 1), "{}", stage.log());
}

#[test]
fn a_folder_that_has_the_runtime_gets_a_shim_for_one_more_libtorch() {
    let (stage, folder) = with_prebuilt();
    let other = stage.libtorch("new", "2.14.0");
    let mut command = stage.command(&["prebuild", text(&folder)]);
    succeeds({
        command.env("LIBTORCH", &other);
        command
    });
    let shims = fs::read_dir(folder.join("shims")).expect("is there").flatten();
    let mut versions: Vec<_> = shims.map(|shim| shim.file_name().into_string().expect("is text")).collect();
    versions.sort();
    assert_eq!(versions, ["2.13.0", "2.14.0"]);
    assert_eq!(stage.calls("cargo build"), 0, "{}", stage.log());
}

#[test]
fn the_folder_may_be_named_from_where_the_user_is() {
    let stage = Stage::new();
    let mut command = stage.command(&["prebuild", "here/prebuilt"]);
    command.current_dir(stage.path(""));
    succeeds(command);
    let folder = stage.path("here/prebuilt");
    assert!(folder.join("self-test").is_file() && folder.join("prebuilt.json").is_file());
    succeeds(setup(&stage, &folder));
}
