//! Which devices a container may use, in version 1. Version 2 has no files for it: there the container's tree has no
//! place where device nodes work but a /dev that the runtime fills.

use super::{Write, write};
use crate::plan::DevicePlan;

/// Devices of every container: null, zero, full, random, urandom, tty, console, ptmx and terminals. Nodes of any kind
/// may be made, as images have them, but not used.
const USUAL: [&str; 11] = [
    "c *:* m",
    "b *:* m",
    "c 1:3 rwm",
    "c 1:5 rwm",
    "c 1:7 rwm",
    "c 1:8 rwm",
    "c 1:9 rwm",
    "c 5:0 rwm",
    "c 5:1 rwm",
    "c 5:2 rwm",
    "c 136:* rwm",
];

pub(super) fn legacy(devices: &[DevicePlan]) -> Vec<Write> {
    let mut writes = vec![write("devices", "devices.deny", "a")];
    writes.extend(USUAL.iter().map(|rule| write("devices", "devices.allow", rule)));
    let own = devices.iter().map(|d| {
        let kind = if d.block { 'b' } else { 'c' };
        write("devices", "devices.allow", format!("{kind} {}:{} {}", d.major, d.minor, d.access))
    });
    writes.extend(own);
    writes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_allowed_as_far_as_it_was_asked_for() {
        let device = |block, access: &str| DevicePlan {
            target: "/dev/x".into(),
            block,
            major: 8,
            minor: 3,
            mode: 0o600,
            access: access.to_owned(),
        };
        let rules: Vec<_> = legacy(&[device(true, "r"), device(false, "rwm")]).into_iter().map(|w| w.value).collect();
        assert_eq!(rules[0], "a");
        assert_eq!(rules[rules.len() - 2..], ["b 8:3 r", "c 8:3 rwm"]);
    }
}
