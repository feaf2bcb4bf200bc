//! Profiles of the node (`Localhost`): JSON as container engines have it, compiled to classic BPF. Pure.
//!
//! The rules are tried in the profile's order, each system call on its own; what no rule matches gets the default
//! action. Calls of another architecture than this machine's, and those of the x32 form, end the process: a profile that
//! allows by default would let them past its rules.

use super::names::number;
use super::{AUDIT_ARCH, JUMP_EQUAL, LOAD_WORD, OFFSET_ARCH, OFFSET_NUMBER, RETURN, SeccompError};
use crate::capability;
use crate::sys::seccomp::Program;
use serde::Deserialize;

/// The kernel's limit on the length of a program (BPF_MAXINSNS).
const INSTRUCTIONS_MAX: usize = 4096;
/// System calls have six arguments.
const ARGUMENTS_MAX: u32 = 6;
/// Where the arguments begin in the data that a filter looks at, eight bytes each.
const OFFSET_ARGUMENTS: u32 = 16;
/// Bit of the numbers of the x32 form.
const X32_BIT: u32 = 0x4000_0000;

const JUMP_GREATER: u16 = 0x25;
const JUMP_GREATER_OR_EQUAL: u16 = 0x35;
const AND: u16 = 0x54;

const KILL_PROCESS: u32 = 0x8000_0000;
const KILL_THREAD: u32 = 0;
const TRAP: u32 = 0x0003_0000;
const ERRNO: u32 = 0x0005_0000;
const TRACE: u32 = 0x7ff0_0000;
const LOG: u32 = 0x7ffc_0000;
const ALLOW: u32 = 0x7fff_0000;

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

#[derive(Debug, Clone, Deserialize)]
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

/// Where an instruction's jump leads.
#[derive(Clone, Copy)]
enum To {
    /// Over so many instructions.
    Skip(u8),
    /// Past the rule.
    End,
}

struct Instruction {
    code: u16,
    yes: To,
    no: To,
    k: u32,
}

fn plain(code: u16, k: u32) -> Instruction {
    Instruction { code, yes: To::Skip(0), no: To::Skip(0), k }
}

fn jump(code: u16, k: u32, yes: To, no: To) -> Instruction {
    Instruction { code, yes, no, k }
}

/// Compiles a profile for a container with `capabilities`.
pub(super) fn compile(json: &[u8], capabilities: u64) -> Result<Program, SeccompError> {
    let profile: Profile = serde_json::from_slice(json).map_err(|e| SeccompError::Compile(e.to_string()))?;
    let otherwise = action(&profile.default_action, profile.default_errno_ret)?;
    let mut program = vec![
        (LOAD_WORD, 0, 0, OFFSET_ARCH),
        (JUMP_EQUAL, 1, 0, AUDIT_ARCH),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD_WORD, 0, 0, OFFSET_NUMBER),
    ];
    if cfg!(target_arch = "x86_64") {
        program.extend([(JUMP_GREATER_OR_EQUAL, 0, 1, X32_BIT), (RETURN, 0, 0, KILL_PROCESS)]);
    }
    for rule in &profile.syscalls {
        if !counts(rule, capabilities)? {
            continue;
        }
        let verdict = action(&rule.action, rule.errno_ret)?;
        let single = Some(&rule.name).filter(|n| !n.is_empty());
        // A call that this kernel's libc does not know cannot be made by name: engines skip it too.
        for number in rule.names.iter().chain(single).filter_map(|name| number(name)) {
            for conditions in alternatives(rule.args.as_deref().unwrap_or_default()) {
                program.extend(block(number, &conditions, verdict)?);
            }
        }
    }
    program.push((RETURN, 0, 0, otherwise));
    if program.len() > INSTRUCTIONS_MAX {
        return Err(SeccompError::Compile(format!("it needs {} instructions of {INSTRUCTIONS_MAX}", program.len())));
    }
    Ok(Program::from_instructions(program))
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
fn alternatives(args: &[Argument]) -> Vec<Vec<Argument>> {
    let repeated = args.iter().enumerate().any(|(n, a)| args[..n].iter().any(|b| b.index == a.index));
    if repeated { args.iter().map(|a| vec![a.clone()]).collect() } else { vec![args.to_vec()] }
}

/// Loads the number of the call, compares, and answers; else goes on behind.
fn block(number: u32, conditions: &[Argument], verdict: u32) -> Result<Vec<(u16, u8, u8, u32)>, SeccompError> {
    let mut code = vec![plain(LOAD_WORD, OFFSET_NUMBER), jump(JUMP_EQUAL, number, To::Skip(0), To::End)];
    for condition in conditions {
        compare(condition, &mut code)?;
    }
    code.push(plain(RETURN, verdict));
    let length = code.len();
    let resolve = |at: usize, to: To| match to {
        To::Skip(n) => n,
        To::End => u8::try_from(length - at - 1).expect("six conditions are under 50 instructions"),
    };
    Ok(code.iter().enumerate().map(|(at, i)| (i.code, resolve(at, i.yes), resolve(at, i.no), i.k)).collect())
}

/// Falls through where the condition holds. Arguments have 64 bits, instructions compare 32 of them.
fn compare(condition: &Argument, code: &mut Vec<Instruction>) -> Result<(), SeccompError> {
    if condition.index >= ARGUMENTS_MAX {
        return Err(SeccompError::Compile(format!("system calls have no argument {}", condition.index)));
    }
    let low = OFFSET_ARGUMENTS + condition.index * 8;
    let high = low + 4;
    let halves = |value: u64| ((value >> 32) as u32, value as u32);
    let (upper, lower) = halves(condition.value);
    let (on, end) = (To::Skip(0), To::End);
    code.push(plain(LOAD_WORD, high));
    match condition.op.as_str() {
        "SCMP_CMP_EQ" => {
            code.extend([jump(JUMP_EQUAL, upper, on, end), plain(LOAD_WORD, low), jump(JUMP_EQUAL, lower, on, end)]);
        }
        "SCMP_CMP_NE" => code.extend([
            jump(JUMP_EQUAL, upper, on, To::Skip(2)),
            plain(LOAD_WORD, low),
            jump(JUMP_EQUAL, lower, end, on),
        ]),
        op @ ("SCMP_CMP_GT" | "SCMP_CMP_GE") => {
            let last = if op == "SCMP_CMP_GT" { JUMP_GREATER } else { JUMP_GREATER_OR_EQUAL };
            code.extend([
                jump(JUMP_GREATER, upper, To::Skip(3), on),
                jump(JUMP_EQUAL, upper, on, end),
                plain(LOAD_WORD, low),
                jump(last, lower, on, end),
            ]);
        }
        op @ ("SCMP_CMP_LT" | "SCMP_CMP_LE") => {
            let last = if op == "SCMP_CMP_LT" { JUMP_GREATER_OR_EQUAL } else { JUMP_GREATER };
            code.extend([
                jump(JUMP_GREATER, upper, end, on),
                jump(JUMP_EQUAL, upper, on, To::Skip(2)),
                plain(LOAD_WORD, low),
                jump(last, lower, end, on),
            ]);
        }
        "SCMP_CMP_MASKED_EQ" => {
            let (wanted_upper, wanted_lower) = halves(condition.value_two);
            code.extend([
                plain(AND, upper),
                jump(JUMP_EQUAL, wanted_upper, on, end),
                plain(LOAD_WORD, low),
                plain(AND, lower),
                jump(JUMP_EQUAL, wanted_lower, on, end),
            ]);
        }
        other => return Err(SeccompError::Compile(format!("comparison {other} is not supported"))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the compiled profile answers to a call, by an interpreter of the few instructions used.
    fn answer(json: &str, call: &str, args: [u64; 6]) -> u32 {
        let program = compile(json.as_bytes(), 0).unwrap().to_bytes();
        let mut data = vec![];
        data.extend(number(call).unwrap().to_ne_bytes());
        data.extend(AUDIT_ARCH.to_ne_bytes());
        data.extend(0_u64.to_ne_bytes());
        args.iter().for_each(|a| data.extend(a.to_le_bytes()));
        let (mut at, mut accumulator) = (0, 0_u32);
        loop {
            let i = &program[at * 8..at * 8 + 8];
            let code = u16::from_ne_bytes([i[0], i[1]]);
            let k = u32::from_ne_bytes([i[4], i[5], i[6], i[7]]);
            let mut branch = |yes: bool| at += usize::from(if yes { i[2] } else { i[3] });
            match code {
                LOAD_WORD => {
                    let k = k as usize;
                    accumulator = u32::from_ne_bytes(data[k..k + 4].try_into().unwrap());
                }
                AND => accumulator &= k,
                JUMP_EQUAL => branch(accumulator == k),
                JUMP_GREATER => branch(accumulator > k),
                JUMP_GREATER_OR_EQUAL => branch(accumulator >= k),
                RETURN => return k,
                other => panic!("instruction {other:#x}"),
            }
            at += 1;
        }
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
