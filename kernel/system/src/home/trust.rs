//! Who can change what is loaded: nothing executable comes from a place that somebody else can write.
//!
//! A file is as safe as the folders that lead to it: whoever can write one of those can put another file there. So
//! every folder up to the root has to belong to the user or to root, and to be written by them alone. A folder for all,
//! as the one for temporary files, will do where it keeps its users from renaming what is not theirs (the sticky bit).
//! A link is a step like any other: whose it is decides where it leads.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use super::HomeError;

/// The variable that switches the checks off, where the modes of files mean nothing.
pub const VARIABLE: &str = "OXTORCH_TRUST_HOME";

/// The sticky bit.
const STICKY: u32 = 0o1000;

/// More links than this lead nowhere, for the system as well.
const MOST_LINKS: usize = 40;

/// An error where others than the user and root can change what is at a path. What is not there is safe if the folders
/// above it are.
pub fn check(path: &Path) -> Result<(), HomeError> {
    check_steps(path, true)
}

/// The same of a folder in which only what is the user's own is used: it may be one for all.
pub fn check_way(folder: &Path) -> Result<(), HomeError> {
    check_steps(folder, false)
}

/// The same of one file or folder, less what leads to it; of a link, all that leads to where it does.
pub fn check_here(path: &Path) -> Result<(), HomeError> {
    match path.symlink_metadata() {
        _ if is_switched_off() => Ok(()),
        Ok(found) if found.is_symlink() => check(path),
        Ok(found) => check_found(path, &found, true),
        Err(_) => Ok(()),
    }
}

/// Looks at each step of the way from the root, and follows links itself, as each may lead to another one.
fn check_steps(path: &Path, is_end: bool) -> Result<(), HomeError> {
    if is_switched_off() {
        return Ok(());
    }
    let mut path = std::path::absolute(path).map_err(HomeError::at("find", path))?;
    for _ in 0..=MOST_LINKS {
        match follow_to_link(&path, is_end)? {
            Some(next) => path = next,
            None => return Ok(()),
        }
    }
    Err(HomeError::at("follow the links of", &path)(std::io::ErrorKind::InvalidInput.into()))
}

/// Checks the steps up to the first link, and says where the whole path leads with that one resolved.
fn follow_to_link(path: &Path, is_end: bool) -> Result<Option<PathBuf>, HomeError> {
    let mut steps = path.components();
    let mut place = PathBuf::new();
    while let Some(step) = steps.next() {
        if step == Component::ParentDir {
            // None of what was walked is a link.
            place.pop();
            continue;
        }
        place.push(step);
        let Ok(found) = place.symlink_metadata() else { return Ok(None) };
        check_found(&place, &found, is_end && steps.as_path().as_os_str().is_empty())?;
        if found.is_symlink() {
            let Ok(target) = place.read_link() else { return Ok(None) };
            let above = place.parent().unwrap_or(&place);
            return Ok(Some(above.join(target).join(steps.as_path())));
        }
    }
    Ok(None)
}

/// Whether nobody but the user and root can write an open file.
pub fn is_safe(found: &Metadata) -> bool {
    is_switched_off() || why_not(found, &USER, false).is_none()
}

fn check_found(path: &Path, found: &Metadata, is_end: bool) -> Result<(), HomeError> {
    match why_not(found, &USER, !is_end && found.is_dir()) {
        Some(why) => Err(HomeError::Untrusted { path: path.to_owned(), why }),
        None => Ok(()),
    }
}

fn is_switched_off() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| !value.is_empty())
}

/// Who the user of this process is.
#[derive(Debug)]
struct User {
    id: u32,
    /// Groups that nobody else is in: many systems give each user one, and let it write. Debian lets its group `staff`
    /// write where Python packages are, and nobody is in that unless somebody was put there.
    own_groups: Vec<u32>,
    /// What stands for users that this process cannot tell apart, as in a container that knows one user only.
    unknown: Option<u32>,
}

static USER: LazyLock<User> = LazyLock::new(|| {
    let id = rustix::process::geteuid().as_raw();
    let group = rustix::process::getegid().as_raw();
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let mut own_groups = groups_of_one_user(id, &read("/etc/passwd"), &read("/etc/group"));
    own_groups.extend((group == id).then_some(group));
    // Where all users have their own numbers, this one is a user like any other.
    let map = read("/proc/self/uid_map");
    let knows_all = map.is_empty() || map.split_whitespace().eq(["0", "0", "4294967295"]);
    let unknown = if knows_all { None } else { read("/proc/sys/kernel/overflowuid").trim().parse().ok() };
    User { id, own_groups, unknown }
});

/// The groups in which nobody is but this user and root, by the lists of this machine. A user who is not on them is of
/// a network with lists of its own, which say who else is in a group.
fn groups_of_one_user(user: u32, users: &str, groups: &str) -> Vec<u32> {
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let number = |fields: &[String], at: usize| fields.get(at).and_then(|field| field.parse::<u32>().ok());
    let users: Vec<_> = users.lines().map(fields).collect();
    let Some(name) = users.iter().find(|fields| number(fields, 2) == Some(user)).and_then(|fields| fields.first())
    else {
        return Vec::new();
    };
    let is_others_first = |group: u32| {
        let of_group = users.iter().filter(|fields| number(fields, 3) == Some(group));
        of_group.filter_map(|fields| number(fields, 2)).any(|other| other != user && other != 0)
    };
    let has_others = |fields: &[String]| {
        let members = fields.get(3).map(String::as_str).unwrap_or_default();
        members.split(',').any(|member| !["", "root", name.as_str()].contains(&member))
    };
    let groups = groups.lines().map(fields).filter(|fields| !has_others(fields));
    groups.filter_map(|fields| number(&fields, 2)).filter(|group| !is_others_first(*group)).collect()
}

/// Why others can change something: whose it is, or who can write it.
fn why_not(found: &Metadata, user: &User, is_on_the_way: bool) -> Option<String> {
    let (owner, group, mode) = (found.uid(), found.gid(), found.permissions().mode());
    if owner != 0 && owner != user.id && Some(owner) != user.unknown {
        return Some(format!("belongs to another user (number {owner})"));
    }
    // Nobody can write a link, whatever its mode says: its owner can put another one there.
    if found.is_symlink() || is_on_the_way && mode & STICKY != 0 {
        return None;
    }
    if mode & 0o002 != 0 {
        return Some("can be written by everybody".to_owned());
    }
    let is_safe_group = group == 0 || user.own_groups.contains(&group);
    (mode & 0o020 != 0 && !is_safe_group).then(|| format!("can be written by others (the group {group})"))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::symlink;

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("is ours");
    }

    fn untrusted(path: &Path) -> Option<(std::path::PathBuf, String)> {
        match check(path) {
            Ok(()) => None,
            Err(HomeError::Untrusted { path, why }) => Some((path, why)),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn what_others_can_change_is_not_trusted() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = folder.path().join("home");
        let file = home.join("runtime/library");
        fs::create_dir_all(home.join("runtime")).expect("creates");
        fs::write(&file, "").expect("writes");
        assert_eq!(untrusted(&file), None);
        // The file, its folder, and one further up.
        for (path, mode) in [(&file, 0o666), (&home.join("runtime"), 0o777), (&home, 0o757)] {
            let before = path.metadata().expect("is there").permissions();
            set_mode(path, mode);
            assert_eq!(untrusted(&file), Some((path.clone(), "can be written by everybody".to_owned())));
            fs::set_permissions(path, before).expect("is ours");
        }
        // In a folder for all nobody can rename what is ours, but anybody may have put there what is not there yet.
        set_mode(&home, 0o1777);
        assert_eq!(untrusted(&file), None);
        assert!(untrusted(&home).is_some());
    }

    #[test]
    fn a_link_is_as_safe_as_the_way_to_it_and_where_it_leads() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [open, safe] = ["open", "safe"].map(|name| folder.path().join(name));
        for place in [&open, &safe] {
            fs::create_dir(place).expect("creates");
            fs::write(place.join("file"), "").expect("writes");
        }
        set_mode(&open, 0o777);
        symlink(safe.join("file"), open.join("link")).expect("links");
        symlink(open.join("file"), safe.join("link")).expect("links");
        assert_eq!(untrusted(&open.join("link")).map(|(path, _)| path), Some(open.clone()));
        assert_eq!(untrusted(&safe.join("link")).map(|(path, _)| path), Some(open.canonicalize().expect("is there")));
        assert_eq!(untrusted(&safe.join("file")), None);
        // Of several links in a row, each: the one in the middle lies where everybody can put another one.
        symlink(safe.join("file"), open.join("middle")).expect("links");
        symlink("../open/middle", safe.join("first")).expect("links");
        assert_eq!(untrusted(&safe.join("first")).map(|(path, _)| path), Some(open.clone()));
        assert_eq!(untrusted(&safe.join("../safe/../open/middle")).map(|(path, _)| path), Some(open.clone()));
        symlink(safe.join("second"), safe.join("second")).expect("links");
        check(&safe.join("second")).expect_err("it leads nowhere");
        assert!(check_here(&safe.join("first")).is_err(), "the link itself is looked at, and where it leads");
        assert!(check_here(&safe.join("file")).is_ok());
    }

    #[test]
    fn a_link_is_its_owners_whatever_it_leads_to() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let link = folder.path().join("link");
        symlink("/", &link).expect("links");
        let found = link.symlink_metadata().expect("is there");
        let user = |id| User { id, own_groups: Vec::new(), unknown: None };
        // Everybody can write it by its mode, which means nothing.
        assert_eq!(why_not(&found, &user(found.uid()), false), None);
        if found.uid() == 0 {
            std::os::unix::fs::lchown(&link, Some(54321), None).expect("root can");
            assert_eq!(untrusted(&link.join("tmp")).map(|(path, _)| path), Some(link));
        } else {
            assert!(why_not(&found, &user(found.uid() + 1), false).is_some());
        }
    }

    #[test]
    fn a_folder_for_all_is_a_way_only_where_none_can_take_anothers_place() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        set_mode(folder.path(), 0o1777);
        check_way(folder.path()).expect("has the sticky bit");
        set_mode(folder.path(), 0o777);
        check_way(folder.path()).expect_err("has it not");
    }

    #[test]
    fn the_owner_and_the_group_decide() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        set_mode(folder.path(), 0o775);
        let found = folder.path().metadata().expect("is there");
        let user = |id, group: Option<u32>, unknown| User { id, own_groups: Vec::from_iter(group), unknown };
        if found.uid() == 0 {
            // As root, whose group may write.
            assert_eq!(why_not(&found, &user(7, None, None), false), None);
        } else {
            let why = why_not(&found, &user(found.uid() + 1, None, None), false).expect("is another user's");
            assert!(why.contains("belongs to another user"), "{why}");
            assert_eq!(why_not(&found, &user(7, Some(found.gid()), Some(found.uid())), false), None);
            assert_eq!(why_not(&found, &user(found.uid(), Some(found.gid()), None), false), None);
            assert!(why_not(&found, &user(found.uid(), None, None), false).is_some());
        }
    }

    #[test]
    fn a_group_of_one_user_is_told_from_one_of_many() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\nme:x:1000:100::/home/me:/bin/sh\nyou:x:1001:1001::/home/you:/bin/sh\n";
        let groups = "root:x:0:\nusers:x:100:me\ncourse:x:60:me,you\nstaff:x:50:\nyou:x:1001:\n";
        // The group of all of a course is another matter than one that nobody was put into.
        assert_eq!(groups_of_one_user(1000, users, groups), [0, 100, 50]);
        // Somebody else has it as the first group.
        assert_eq!(groups_of_one_user(1001, users, groups), [0, 50, 1001]);
        assert!(groups_of_one_user(4000, users, groups).is_empty(), "the user is not on the list");
    }
}
