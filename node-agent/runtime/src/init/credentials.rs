//! Giving up what a container's program must not have: user, groups, capabilities, privileges gained by exec, and
//! system calls. The order matters and is the whole content of this file.

use crate::plan::{Identity, ProcessPlan};
use crate::sys::seccomp::{self, Program};
use rustix::thread::{
    CapabilitySet, CapabilitySets, Gid, Uid, clear_ambient_capability_set, configure_capability_in_ambient_set,
    remove_capability_from_bounding_set, set_capabilities, set_keep_capabilities, set_no_new_privs, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};
use std::io;

/// Capabilities are bits of 64; the kernel refuses those that it does not know.
const CAPABILITIES_MAX: u32 = 64;

/// Becomes `identity` with the capabilities of `process`.
pub(super) fn apply(process: &ProcessPlan, identity: &Identity, filter: Option<&Program>) -> io::Result<()> {
    // A filter may be installed with CAP_SYS_ADMIN, so before capabilities go, or after no_new_privs. The later the
    // better: what follows need not be allowed by it.
    if let (Some(filter), false) = (filter, process.no_new_privs) {
        seccomp::install(filter)?;
    }
    let wanted = CapabilitySet::from_bits_retain(process.capabilities);
    drop_bounding(wanted)?;
    // Without this the change of user would clear the permitted set, and with it the chance to choose what is kept.
    set_keep_capabilities(true)?;
    let groups: Vec<Gid> = identity.groups.iter().map(|g| Gid::from_raw(*g)).collect();
    set_thread_groups(&groups)?;
    let gid = Gid::from_raw(identity.gid);
    set_thread_res_gid(gid, gid, gid)?;
    let uid = Uid::from_raw(identity.uid);
    set_thread_res_uid(uid, uid, uid)?;
    set_keep_capabilities(false)?;
    clear_ambient_capability_set()?;
    let ambient = CapabilitySet::from_bits_retain(process.ambient) & wanted;
    // Inheritable is empty but for what must become ambient: with more in it, a file with inheritable capabilities
    // would hand them to any user of the container.
    set_capabilities(None, CapabilitySets { effective: wanted, permitted: wanted, inheritable: ambient })?;
    for bit in bits(ambient) {
        configure_capability_in_ambient_set(bit, true)?;
    }
    if process.no_new_privs {
        set_no_new_privs(true)?;
        if let Some(filter) = filter {
            seccomp::install(filter)?;
        }
    }
    Ok(())
}

fn bits(set: CapabilitySet) -> impl Iterator<Item = CapabilitySet> {
    (0..CAPABILITIES_MAX).map(|n| CapabilitySet::from_bits_retain(1 << n)).filter(move |bit| set.contains(*bit))
}

fn drop_bounding(wanted: CapabilitySet) -> io::Result<()> {
    for bit in bits(!wanted) {
        match remove_capability_from_bounding_set(bit) {
            Ok(()) => {}
            // Beyond the last capability of this kernel.
            Err(rustix::io::Errno::INVAL) => break,
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}
