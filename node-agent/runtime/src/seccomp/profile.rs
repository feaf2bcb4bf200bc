//! Profiles of the node (`Localhost`): JSON as container engines have it, compiled to classic BPF. Pure.
//!
//! The rules are tried in the profile's order, each system call on its own; what no rule matches gets the default
//! action. Calls of another architecture than this machine's, and those of the x32 form, end the process: a profile that
//! allows by default would let them past its rules.

use super::SeccompError;
use super::filter::{
    ALLOW, Case, Comparison, Condition, ERRNO, KILL_PROCESS, KILL_THREAD, LOG, Rules, TRACE, TRAP,
    compile as compile_rules,
};
use super::names::number;
use crate::capability;
use crate::sys::seccomp::Program;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: String,
    default_errno_ret: Option<u32>,
    #[serde(default)]
    syscalls: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    /// One call, as older profiles have it.
    #[serde(default)]
    name: String,
    #[serde(default)]
    names: Vec<String>,
    action: String,
    errno_ret: Option<u32>,
    args: Option<Vec<Argument>>,
    #[serde(default)]
    includes: Filter,
    #[serde(default)]
    excludes: Filter,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Argument {
    index: u32,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: String,
}

/// When a rule counts at all.
#[derive(Debug, Default, Deserialize)]
struct Filter {
    #[serde(default)]
    caps: Vec<String>,
    #[serde(default)]
    arches: Vec<String>,
}

/// Compiles a profile for a container with `capabilities`.
pub(super) fn compile(json: &[u8], capabilities: u64) -> Result<Program, SeccompError> {
    let profile: Profile = serde_json::from_slice(json).map_err(|e| SeccompError::Compile(e.to_string()))?;
    let otherwise = action(&profile.default_action, profile.default_errno_ret)?;
    let mut rules = Rules { otherwise, x32: KILL_PROCESS, ..Rules::default() };
    for rule in &profile.syscalls {
        if !counts(rule, capabilities)? {
            continue;
        }
        let verdict = action(&rule.action, rule.errno_ret)?;
        let conditions = rule.args.iter().flatten().map(condition).collect::<Result<Vec<_>, _>>()?;
        let single = Some(&rule.name).filter(|n| !n.is_empty());
        // A call that this kernel's libc does not know cannot be made by name: engines skip it too.
        for number in rule.names.iter().chain(single).filter_map(|name| number(name)) {
            let cases = alternatives(&conditions).into_iter().map(|conditions| Case { conditions, verdict });
            rules.calls.entry(number).or_default().extend(cases);
        }
    }
    compile_rules(&rules)
}

fn action(name: &str, errno: Option<u32>) -> Result<u32, SeccompError> {
    let errno = errno.unwrap_or(libc::EPERM as u32);
    Ok(match name {
        "SCMP_ACT_ALLOW" => ALLOW,
        "SCMP_ACT_ERRNO" => ERRNO | (errno & 0xffff),
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => KILL_THREAD,
        "SCMP_ACT_KILL_PROCESS" => KILL_PROCESS,
        "SCMP_ACT_TRAP" => TRAP,
        "SCMP_ACT_TRACE" => TRACE | (errno & 0xffff),
        "SCMP_ACT_LOG" => LOG,
        other => return Err(SeccompError::Compile(format!("action {other} is not supported"))),
    })
}

/// Whether the rule is for this machine and these capabilities.
fn counts(rule: &Rule, capabilities: u64) -> Result<bool, SeccompError> {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let here = |list: &[String]| list.iter().any(|a| a == arch);
    let bits = |list: &[String]| capability::named(list).map_err(|e| SeccompError::Compile(e.to_string()));
    let (wanted, unwanted) = (bits(&rule.includes.caps)?, bits(&rule.excludes.caps)?);
    let included = (rule.includes.arches.is_empty() || here(&rule.includes.arches)) && capabilities & wanted == wanted;
    let excluded = here(&rule.excludes.arches) || (unwanted != 0 && capabilities & unwanted == unwanted);
    Ok(included && !excluded)
}

/// Conditions on different arguments hold together; several on one argument are alternatives.
fn alternatives(all: &[Condition]) -> Vec<Vec<Condition>> {
    let repeated = all.iter().enumerate().any(|(n, a)| all[..n].iter().any(|b| b.argument == a.argument));
    if repeated { all.iter().map(|one| vec![*one]).collect() } else { vec![all.to_vec()] }
}

fn condition(argument: &Argument) -> Result<Condition, SeccompError> {
    let Argument { index, value, value_two, op } = argument;
    let (is, value) = match op.as_str() {
        "SCMP_CMP_EQ" => (Comparison::Equal, *value),
        "SCMP_CMP_NE" => (Comparison::NotEqual, *value),
        "SCMP_CMP_GT" => (Comparison::Greater, *value),
        "SCMP_CMP_GE" => (Comparison::GreaterOrEqual, *value),
        "SCMP_CMP_LT" => (Comparison::Less, *value),
        "SCMP_CMP_LE" => (Comparison::LessOrEqual, *value),
        "SCMP_CMP_MASKED_EQ" => (Comparison::Masked { mask: *value }, *value_two),
        other => return Err(SeccompError::Compile(format!("comparison {other} is not supported"))),
    };
    Ok(Condition { argument: *index, is, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the compiled profile answers to a call.
    fn answer(json: &str, call: &str, args: [u64; 6]) -> u32 {
        crate::seccomp::filter::answer(&compile(json.as_bytes(), 0).unwrap(), number(call).unwrap(), args)
    }

    #[test]
    fn listed_calls_get_their_action_and_others_the_default() {
        let json = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
            {"names":["chmod","not_a_call"],"action":"SCMP_ACT_ERRNO"},
            {"name":"mkdir","action":"SCMP_ACT_ERRNO","errnoRet":38}]}"#;
        assert_eq!(answer(json, "fchmod", [0; 6]), ALLOW);
        assert_eq!(answer(json, "chmod", [0; 6]), ERRNO | 1);
        assert_eq!(answer(json, "mkdir", [0; 6]), ERRNO + 38);
        let deny = r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}"#;
        assert_eq!((answer(deny, "read", [0; 6]), answer(deny, "write", [0; 6])), (ALLOW, ERRNO + 38));
    }

    #[test]
    fn arguments_are_compared_in_all_their_bits() {
        let big = 0x1_0000_0005_u64;
        for (op, two, holds, fails) in [
            ("EQ", 0, vec![big], vec![5, big + 1]),
            ("NE", 0, vec![5, big + 1], vec![big]),
            ("GT", 0, vec![big + 1, big << 1], vec![big, 9]),
            ("GE", 0, vec![big, big << 1], vec![big - 1, 9]),
            ("LT", 0, vec![big - 1, 9], vec![big, big << 1]),
            ("LE", 0, vec![big, 9], vec![big + 1, big << 1]),
            ("MASKED_EQ", 4, vec![4, 0xe], vec![5, 0x1_0000_0004]),
        ] {
            let json = format!(
                r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":["ioctl"],"action":"SCMP_ACT_ALLOW","args":[{{"index":1,"value":{big},"valueTwo":{two},"op":"SCMP_CMP_{op}"}}]}}]}}"#
            );
            let ask = |value: u64| answer(&json, "ioctl", [0, value, 0, 0, 0, 0]) == ALLOW;
            assert!(holds.into_iter().all(ask), "{op}");
            assert!(!fails.into_iter().any(ask), "{op}");
        }
    }

    #[test]
    fn rules_for_capabilities_count_with_them_only() {
        let json = r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["mount"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_ADMIN"]}}]}"#;
        assert_eq!(answer(json, "mount", [0; 6]), ERRNO | 1);
        let admin = capability::named(&["SYS_ADMIN".to_owned()]).unwrap();
        assert!(
            compile(json.as_bytes(), admin).unwrap().to_bytes().len()
                > compile(json.as_bytes(), 0).unwrap().to_bytes().len()
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for bad in [
            "{}",
            r#"{"defaultAction":"SCMP_ACT_NOTIFY"}"#,
            r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_FLY"}]}"#,
            r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_KILL","args":[{"index":6,"value":1,"op":"SCMP_CMP_EQ"}]}]}"#,
        ] {
            assert!(compile(bad.as_bytes(), 0).is_err(), "{bad}");
        }
    }
}
