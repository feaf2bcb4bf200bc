//! Memory limits. Version 2 kills the whole container when it runs out, not a process of its choice.

use super::{Resources, UNLIMITED, Write, write};

fn shown(bytes: u64, unlimited: &str) -> String {
    if bytes == UNLIMITED { unlimited.to_owned() } else { bytes.to_string() }
}

pub(super) fn legacy(resources: &Resources) -> Vec<Write> {
    let mut writes = Vec::new();
    if let Some(bytes) = resources.memory_bytes {
        writes.push(write("memory", "memory.limit_in_bytes", shown(bytes, "-1")));
    }
    if let Some(bytes) = resources.memory_swap_bytes {
        writes.push(write("memory", "memory.memsw.limit_in_bytes", bytes));
    }
    writes
}

pub(super) fn unified(resources: &Resources) -> Vec<Write> {
    let mut writes = Vec::new();
    if let Some(bytes) = resources.memory_bytes {
        writes.push(write("memory", "memory.max", shown(bytes, "max")));
        writes.push(write("memory", "memory.oom.group", 1));
    }
    if let Some(total) = resources.memory_swap_bytes {
        // CRI counts memory and swap together, version 2 swap alone.
        writes.push(write("memory", "memory.swap.max", total.saturating_sub(resources.memory_bytes.unwrap_or(0))));
    }
    writes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_become_files_of_either_version() {
        let resources = Resources { memory_bytes: Some(100), memory_swap_bytes: Some(130), ..Resources::default() };
        let shown =
            |writes: Vec<Write>| -> Vec<String> { writes.iter().map(|w| format!("{}={}", w.file, w.value)).collect() };
        assert_eq!(shown(legacy(&resources)), ["memory.limit_in_bytes=100", "memory.memsw.limit_in_bytes=130"]);
        assert_eq!(shown(unified(&resources)), ["memory.max=100", "memory.oom.group=1", "memory.swap.max=30"]);
    }
}
