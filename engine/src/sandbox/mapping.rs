//! Which ids exist inside a sandbox, and who may write that down.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use nix::unistd::Uid;
use nix::unistd::User as Account;
use nix::unistd::getegid;
use nix::unistd::geteuid;

use super::error::Step;
use super::error::StepError;

/// Ids inside a sandbox: 0 up to this (exclusive), as images have them.
const IDS: u32 = 65536;

/// The id builds of a root engine run as.
const ROOTS_WORKER: u32 = 1000;

/// How ids inside become ids outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// The engine is root: every id below 65536 is itself.
    Identity,
    /// The worker is itself; every other id below 65536 comes from its subordinate ids, written by
    /// the set-uid programs `newuidmap` and `newgidmap`.
    Subids {
        /// The worker's uid.
        uid: u32,
        /// The worker's gid.
        gid: u32,
        /// Where the other uids come from.
        uids: IdRange,
        /// Where the other gids come from.
        gids: IdRange,
    },
    /// The worker is itself and no other id exists: commands run, images cannot be made.
    Single {
        /// The worker's uid.
        uid: u32,
        /// The worker's gid.
        gid: u32,
        /// Why there are no subordinate ids.
        missing: String,
    },
}

/// A line of `/etc/subuid` or `/etc/subgid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdRange {
    /// First id outside.
    pub start: u32,
    /// How many.
    pub count: u32,
}

impl Mapping {
    /// Finds what this process may map.
    pub fn detect() -> Mapping {
        let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
        if uid == 0 {
            return Mapping::Identity;
        }
        let subids = || {
            for program in ["newuidmap", "newgidmap"] {
                // Without arguments both say how they are used.
                Command::new(program)
                    .output()
                    .map_err(|_| format!("the program `{program}` is not there"))?;
            }
            let uids = range("/etc/subuid", uid, others(uid))?;
            let gids = range("/etc/subgid", uid, others(gid))?;
            Ok((uids, gids))
        };
        match subids() {
            Ok((uids, gids)) => Mapping::Subids {
                uid,
                gid,
                uids,
                gids,
            },
            Err(missing) => Mapping::Single { uid, gid, missing },
        }
    }

    /// Uid and gid of the worker, the same inside and outside.
    pub fn worker(&self) -> (u32, u32) {
        match self {
            Mapping::Identity => (ROOTS_WORKER, ROOTS_WORKER),
            Mapping::Subids { uid, gid, .. } | Mapping::Single { uid, gid, .. } => (*uid, *gid),
        }
    }

    /// Writes the maps of process `pid`, which has just made its user namespace.
    pub(super) fn write(&self, pid: u32) -> Result<(), StepError> {
        match self {
            Mapping::Identity => {
                let line = format!("0 0 {IDS}");
                put(pid, "uid_map", &line)?;
                put(pid, "gid_map", &line)
            }
            Mapping::Subids {
                uid,
                gid,
                uids,
                gids,
            } => {
                ask("newuidmap", pid, &lines(*uid, *uids))?;
                ask("newgidmap", pid, &lines(*gid, *gids))
            }
            Mapping::Single { uid, gid, .. } => {
                put(pid, "setgroups", "deny")?;
                put(pid, "uid_map", &format!("0 {uid} 1"))?;
                put(pid, "gid_map", &format!("0 {gid} 1"))
            }
        }
    }
}

/// The user's name, or its number when it has none.
pub(super) fn user_name() -> String {
    name_of(geteuid().as_raw())
}

fn name_of(uid: u32) -> String {
    match Account::from_uid(Uid::from_raw(uid)) {
        Ok(Some(account)) => account.name,
        _ => uid.to_string(),
    }
}

/// How many ids below [`IDS`] are not the worker's own.
fn others(own: u32) -> u32 {
    if own < IDS { IDS - 1 } else { IDS }
}

fn range(file: &str, uid: u32, need: u32) -> Result<IdRange, String> {
    let name = name_of(uid);
    let text = fs::read_to_string(file).unwrap_or_default();
    parse_range(&text, &name, uid, need)
        .ok_or_else(|| format!("`{file}` has no range of {need} ids for `{name}`"))
}

/// Finds the first range of at least `need` ids; format: `subuid(5)`.
fn parse_range(text: &str, name: &str, uid: u32, need: u32) -> Option<IdRange> {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.trim().split(':');
            let (owner, start, count) = (fields.next()?, fields.next()?, fields.next()?);
            let mine = owner == name || owner.parse() == Ok(uid);
            let range = IdRange {
                start: start.parse().ok()?,
                count: count.parse().ok()?,
            };
            mine.then_some(range)
        })
        .find(|range| range.count >= need)
}

/// Lines of a map (inside, outside, count) that keep `own` and take all others from `range`.
fn lines(own: u32, range: IdRange) -> Vec<[u32; 3]> {
    let below = own.min(IDS);
    let mut lines = vec![[0, range.start, below], [own, own, 1]];
    if own + 1 < IDS {
        lines.push([own + 1, range.start + below, IDS - own - 1]);
    }
    lines
}

fn put(pid: u32, file: &str, text: &str) -> Result<(), StepError> {
    let path = format!("/proc/{pid}/{file}");
    fs::write(&path, text).step(|| format!("write `{text}` to `{path}`"))
}

fn ask(program: &str, pid: u32, lines: &[[u32; 3]]) -> Result<(), StepError> {
    let numbers: Vec<String> = lines.iter().flatten().map(u32::to_string).collect();
    let step = || format!("run `{program} {pid} {}`", numbers.join(" "));
    let output = Command::new(program)
        .arg(pid.to_string())
        .args(&numbers)
        .output()
        .step(step)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(said)).step(step)
}

/// Names the setting that most likely forbids user namespaces.
pub(super) fn hint() -> &'static str {
    let is = |path: &str, value: &str| {
        fs::read_to_string(Path::new("/proc/sys").join(path)).is_ok_and(|text| text.trim() == value)
    };
    if is("user/max_user_namespaces", "0") {
        "raise the sysctl `user.max_user_namespaces` from 0"
    } else if is("kernel/unprivileged_userns_clone", "0") {
        "set the sysctl `kernel.unprivileged_userns_clone` to 1"
    } else if is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        "set the sysctl `kernel.apparmor_restrict_unprivileged_userns` to 0, or give the engine an \
         AppArmor profile that allows `userns`"
    } else {
        "user namespaces must be allowed: look at the sysctl `user.max_user_namespaces`, and in a \
         container at its seccomp profile"
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::IDS;
    use super::IdRange;
    use super::lines;
    use super::others;
    use super::parse_range;

    #[test]
    fn ranges_are_found_by_name_or_number_and_size() {
        let text = "ann:100000:65536\n# note\nbob:5:3\n1001:200000:65536\nbob:x:65536\n";
        let find = |name, uid| parse_range(text, name, uid, 65535).map(|range| range.start);
        assert_eq!(find("ann", 1000), Some(100_000));
        assert_eq!(find("bob", 1001), Some(200_000));
        assert_eq!(find("bob", 1002), None);
    }

    proptest! {
        #[test]
        fn maps_cover_every_id_once_and_keep_the_worker(own in 1..200_000u32) {
            let range = IdRange { start: 1_000_000, count: others(own) };
            let lines = lines(own, range);
            let inside: Vec<u32> = lines.iter().flat_map(|l| l[0]..l[0] + l[2]).collect();
            let expected = (0..IDS).chain((own >= IDS).then_some(own));
            prop_assert!(inside.iter().copied().eq(expected));
            let mut outside: Vec<u32> = lines.iter().flat_map(|l| l[1]..l[1] + l[2]).collect();
            outside.retain(|id| *id != own);
            prop_assert!(outside.into_iter().eq(range.start..range.start + range.count));
        }
    }
}
