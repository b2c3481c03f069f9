//! The folder that all is kept in: full, in use for something else, moved, an installation of somebody else's.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::ailments;
use super::stage::*;

#[test]
fn a_home_that_cannot_be_made_is_named() {
    let stage = Stage::new();
    fs::write(stage.path("file"), "").expect("writes");
    let home = stage.path("file").join("home");
    let errors = fails(stage.setup(&[("OXTORCH_HOME", text(&home))]));
    assert!(errors.contains(text(&home)) && errors.contains("set OXTORCH_HOME"), "{errors}");
}

#[test]
fn a_folder_that_is_in_use_for_something_else_is_no_home_and_stays_as_it_was() {
    let stage = Stage::new();
    let project = stage.path("project");
    let files = ["tmp/experiment1/results.csv", "cells/mine/cell.rs", "thesis.tex"].map(|name| project.join(name));
    for file in &files {
        fs::create_dir_all(file.parent().expect("has one")).expect("creates");
        fs::write(file, "mine").expect("writes");
    }
    let notebook = stage.path("notebook.ipynb");
    fs::write(&notebook, r#"{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}"#).expect("writes");
    for arguments in [&["setup"][..], &["doctor"], &["run", text(&notebook)]] {
        for variable in ["OXTORCH_HOME", "OXTORCH_CACHE"] {
            let mut command = stage.command(arguments);
            command.env(variable, &project);
            let errors = fails(command);
            assert!(errors.contains("is not a folder of Oxtorch's") && errors.contains("an empty folder"), "{errors}");
        }
    }
    assert!(files.iter().all(|file| file.is_file()));
    assert_eq!(fs::read_dir(&project).expect("is there").count(), 3);

    // What set-up has made it a home of, it keeps as well.
    succeeds(stage.setup(&[]));
    let mine = stage.home().join("tmp/experiment1");
    fs::create_dir_all(&mine).expect("creates");
    fs::remove_dir_all(stage.home().join("ready")).expect("removes");
    succeeds(stage.setup(&[]));
    assert!(mine.is_dir());
}

#[test]
fn a_full_disk_is_an_error_that_names_the_folder_and_leaves_nothing_half_done() {
    let stage = Stage::new();
    // The sources of the runtime fit, and what the staged compiler writes does not.
    let place = stage.path("disk");
    let Some(_disk) = MemoryDisk::mount(&place, "12m") else {
        eprintln!("skipped: only root may mount the small file system that this needs");
        return;
    };
    let home = place.join("home");
    let libtorch = stage.path("libtorch");
    let errors = fails(stage.setup(&[
        ("OXTORCH_HOME", text(&home)),
        ("LIBTORCH", text(&libtorch)),
        ("STAGE_OBJECT_SIZE", "24000000"),
    ]));
    assert!(errors.contains("compiling the C++ shim needs about") && errors.contains("are free"), "{errors}");
    assert!(errors.contains(text(&home)), "{errors}");
    assert!(!home.join("shim").exists());
    assert_eq!(fs::read_dir(home.join("tmp")).expect("is there").count(), 0);

    // A download that cannot fit is not begun.
    let errors = fails(stage.setup(&[("OXTORCH_HOME", text(&home))]));
    assert!(errors.contains("libtorch needs about 2.0 GB"), "{errors}");
    assert_eq!(stage.calls("python3 -m pip install"), 0, "{}", stage.log());
}

#[test]
fn the_home_of_an_earlier_version_goes_on_as_it_is() {
    let stage = Stage::new();
    succeeds(stage.setup(&[]));
    let lists =
        [".oxtorch-home", "ready", "runtime/*/contents.json", "shim/*/contents.json", "libtorch/*/*/lib/contents.json"];
    let removed =
        Command::new("sh").args(["-c", &format!("rm -r {}", lists.join(" "))]).current_dir(stage.home()).status();
    assert!(removed.expect("sh runs").success());
    let before = stage.log();
    succeeds(stage.setup(&[]));
    let builds = |log: &str| log.lines().filter(|line| line.contains("build") || line.contains("-shared")).count();
    assert_eq!(builds(&stage.log()), builds(&before), "{}", stage.log());
    assert!(stage.home().join(".oxtorch-home").is_file());
    assert_eq!(ailments(stage.command(&["doctor"])), "");
}

#[test]
fn an_installation_serves_users_who_cannot_write_it() {
    let stage = Stage::new();
    let errors = fails(stage.setup(&[("STAGE_RELEASE", "1.80.1")]));
    assert!(errors.contains("1.80.1"), "{errors}");
    succeeds(stage.setup(&[]));
    stage.make_read_only();
    let before = stage.log();
    succeeds(stage.command_of_another_user(&["setup"]));
    assert_eq!(stage.log(), before);
    let doctor = stage.command_of_another_user(&["doctor"]).output().expect("oxtorch runs");
    let table = String::from_utf8_lossy(&doctor.stdout).into_owned();
    let own = stage.path("another-user/.cache/oxtorch");
    assert!(table.contains("an installation that you cannot write"), "{table}");
    assert!(table.contains("\u{2713} runtime") && table.contains("\u{2713} Rust toolchain"), "{table}");
    assert!(table.contains(&format!("your sessions write to {}", own.display())), "{table}");

    // Another program than it was set up for.
    let ready = stage.home().join("ready");
    let mode = fs::Permissions::from_mode;
    fs::set_permissions(&ready, mode(0o755)).expect("is ours");
    fs::rename(&ready, stage.path("ready"))
        .or_else(|_| {
            fs::set_permissions(stage.home(), mode(0o755)).and_then(|()| fs::rename(&ready, stage.path("ready")))
        })
        .expect("moves");
    fs::set_permissions(stage.home(), mode(0o555)).expect("is ours");
    let errors = fails(stage.command_of_another_user(&["setup"]));
    assert!(errors.contains("is not set up in") && errors.contains("its owner can set it up"), "{errors}");
}

#[test]
fn a_home_that_was_moved_works_or_says_what_to_do() {
    for writable in [true, false] {
        let stage = Stage::new();
        succeeds(stage.setup(&[]));
        let copied = Command::new("cp").arg("-a").args([stage.home(), stage.path("elsewhere")]).status();
        assert!(copied.expect("cp runs").success());
        // What was copied must not use what it was copied from.
        let elsewhere = stage.path("elsewhere");
        if writable {
            let output = stage.setup(&[("OXTORCH_HOME", text(&elsewhere))]).output().expect("oxtorch runs");
            let said = errors(&output);
            assert!(output.status.success() && said.contains("moved or copied"), "{said}");
            assert_eq!(stage.calls("cargo build"), 2);
            assert_eq!(stage.calls("python3 -m pip install"), 1, "what need not be made anew is not");
        } else {
            let changed = Command::new("chmod").args(["-R", "a-w"]).arg(&elsewhere).status();
            assert!(changed.expect("chmod runs").success());
            let mut setup = stage.command_of_another_user(&["setup"]);
            setup.env("OXTORCH_HOME", &elsewhere);
            let errors = fails(setup);
            assert!(errors.contains("moved or copied") && errors.contains("OXTORCH_HOME="), "{errors}");
        }
    }
}

#[test]
fn nothing_is_loaded_from_a_home_that_others_can_change() {
    let stage = Stage::new();
    succeeds(stage.setup(&[]));
    let mode = fs::Permissions::from_mode;
    let mut library = fs::read_dir(stage.home().join("runtime")).expect("is there").flatten();
    let library = library.next().expect("holds one").path().join("liboxtorch.so");
    for path in [stage.home(), stage.home().join("ready"), stage.home().join("runtime"), library.clone()] {
        let before = path.metadata().expect("is there").permissions();
        fs::set_permissions(&path, mode(before.mode() | 0o002)).expect("is ours");
        let errors = fails(stage.setup(&[]));
        let expected = format!("{} can be written by everybody", path.display());
        assert!(errors.contains(&expected) && errors.contains("chmod -R go-w"), "{errors}");
        // Where modes mean nothing.
        succeeds(stage.setup(&[("OXTORCH_TRUST_HOME", "1")]));
        fs::set_permissions(&path, before).expect("is ours");
    }
    succeeds(stage.setup(&[]));
    if !is_root() {
        eprintln!("the rest is skipped: only root may give a file to another user");
        return;
    }
    std::os::unix::fs::chown(&library, Some(OTHER_USER), None).expect("root may");
    let errors = fails(stage.setup(&[]));
    assert!(errors.contains("liboxtorch.so belongs to another user"), "{errors}");
}
