//! How much memory there is for what runs.

use std::fs;

/// Memory of this machine in MiB, or what its control group leaves of it; `u64::MAX` where the system does not say.
pub fn memory_mib() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let machine = machine
        .and_then(|text| total_kib(&text))
        .map(|kib| kib >> 10);
    let group = fs::read_to_string("/proc/self/cgroup").ok();
    let group = group.and_then(|text| unified(&text).map(str::to_owned));
    let limits = group.iter().flat_map(|group| limits(group));
    machine.into_iter().chain(limits).min().unwrap_or(u64::MAX)
}

/// `MemTotal` of `proc_meminfo(5)`.
fn total_kib(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The path of the unified hierarchy in `/proc/self/cgroup` (cgroups(7)).
fn unified(cgroup: &str) -> Option<&str> {
    cgroup.lines().find_map(|line| line.strip_prefix("0::"))
}

/// The `memory.max` of a group and of those above it, in MiB.
fn limits(group: &str) -> Vec<u64> {
    let mut found = Vec::new();
    let mut group = group.trim_start_matches('/');
    loop {
        let text = fs::read_to_string(format!("/sys/fs/cgroup/{group}/memory.max"));
        found.extend(
            text.ok()
                .and_then(|text| text.trim().parse::<u64>().ok())
                .map(|max| max >> 20),
        );
        match group.rsplit_once('/') {
            Some((above, _)) => group = above,
            None if group.is_empty() => return found,
            None => group = "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_own_words_are_read() {
        let meminfo = "MemTotal:       24618940 kB\nMemFree:         1000 kB\n";
        assert_eq!(total_kib(meminfo), Some(24_618_940));
        assert_eq!(total_kib("MemFree: 1 kB\n"), None);
        let cgroup = "12:memory:/old\n0::/user.slice/a b\n";
        assert_eq!(unified(cgroup), Some("/user.slice/a b"));
        assert!(memory_mib() > 16);
    }
}
