//! Capabilities by name, and which ones a container gets. Pure.

use thiserror::Error;

#[derive(Debug, Error, PartialEq, Eq)]
#[error("unknown capability {0:?}")]
pub(crate) struct UnknownCapability(String);

/// All capabilities, in the kernel's order.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// What a container has without being asked: the set that container engines agree on.
const DEFAULT: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// Whether device nodes that a container makes are kept from working.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceLimits {
    /// By the cgroup.
    Enforced,
    /// By nothing, so that making them is not given to a container that does not ask for it.
    Absent,
}

fn bit(name: &str) -> Result<u64, UnknownCapability> {
    let upper = name.to_ascii_uppercase();
    let short = upper.strip_prefix("CAP_").unwrap_or(&upper);
    let position = NAMES.iter().position(|n| *n == short);
    position.map(|p| 1 << p).ok_or_else(|| UnknownCapability(name.to_owned()))
}

/// All capabilities that this runtime has itself: others cannot be given.
fn own() -> u64 {
    rustix::thread::capabilities(None).map_or(u64::MAX, |sets| sets.permitted.bits())
}

/// The set that results from adding and dropping; what is both is dropped unless it is named and the drop is `ALL`.
pub(crate) fn set(add: &[String], drop: &[String], limits: DeviceLimits) -> Result<u64, UnknownCapability> {
    let all = |list: &[String]| list.iter().any(|n| n.eq_ignore_ascii_case("ALL"));
    let named = |list: &[String]| {
        list.iter().filter(|n| !n.eq_ignore_ascii_case("ALL")).try_fold(0, |set, n| Ok(set | bit(n)?))
    };
    let (added, dropped) = (named(add)?, named(drop)?);
    let mut set = DEFAULT.iter().fold(0, |set, name| set | bit(name).expect("the default set is of known names"));
    if limits == DeviceLimits::Absent {
        set &= !bit("MKNOD").expect("a known name");
    }
    if all(add) {
        set = (1 << NAMES.len()) - 1;
    }
    if all(drop) {
        set = 0;
    }
    Ok((set | added) & !dropped)
}

/// Every capability that can be given.
pub(crate) fn everything() -> u64 {
    ((1 << NAMES.len()) - 1) & own()
}

/// `wanted` without what this runtime lacks; a container then starts with less rather than not at all.
pub(crate) fn available(wanted: u64) -> u64 {
    wanted & own()
}

/// The bits of capabilities asked for by name.
pub(crate) fn named(list: &[String]) -> Result<u64, UnknownCapability> {
    list.iter().try_fold(0, |set, n| Ok(set | bit(n)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(add: &[&str], drop: &[&str], expect: &[&str]) {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let set = set(&own(add), &own(drop), DeviceLimits::Enforced).unwrap();
        let names: Vec<&str> = NAMES.iter().enumerate().filter(|(i, _)| set & (1 << i) != 0).map(|(_, n)| *n).collect();
        assert_eq!(names, expect);
    }

    #[test]
    fn capabilities_are_added_and_dropped_by_name() {
        check(&[], &["ALL"], &[]);
        check(&["NET_ADMIN"], &["all"], &["NET_ADMIN"]);
        check(&["cap_sys_time", "CHOWN"], &["ALL", "CHOWN"], &["SYS_TIME"]);
        check(&["ALL"], &[], &NAMES);
        assert_eq!(set(&["FLY".into()], &[], DeviceLimits::Enforced), Err(UnknownCapability("FLY".into())));
    }

    #[test]
    fn without_device_limits_nobody_makes_devices_unasked() {
        let mknod = bit("MKNOD").unwrap();
        assert_eq!(set(&[], &[], DeviceLimits::Absent).unwrap() & mknod, 0);
        assert_eq!(set(&["MKNOD".into()], &[], DeviceLimits::Absent).unwrap() & mknod, mknod);
        assert_eq!(set(&[], &[], DeviceLimits::Enforced).unwrap() & mknod, mknod);
    }
}
