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
        write("devices", "devices.allow", format!("{kind} {}:{} rwm", d.major, d.minor))
    });
    writes.extend(own);
    writes
}
