//! Rules for system calls as a program of classic BPF: a search by halves over ranges of numbers that are treated alike.
//! Length matters: the kernel tries a filter with every number there is when it is installed, and translates it, for each
//! container and each command. Pure.

use super::SeccompError;
use crate::sys::seccomp::Program;
use std::collections::BTreeMap;

/// Offsets in the data that a filter looks at; arguments have eight bytes each.
const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCH: u32 = 4;
const OFFSET_ARGUMENTS: u32 = 16;

const LOAD_WORD: u16 = 0x20;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const JUMP_GREATER_OR_EQUAL: u16 = 0x35;
const AND: u16 = 0x54;
const RETURN: u16 = 0x06;

/// The kernel's limit on the length of a program (BPF_MAXINSNS).
const INSTRUCTIONS_MAX: usize = 4096;
/// System calls have six arguments.
const ARGUMENTS_MAX: u32 = 6;
/// Bit of the numbers of the x32 form.
const X32_BIT: u32 = 0x4000_0000;

/// The audit number of this machine's architecture.
#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xc000_00b7;

/// What a filter answers; [`ERRNO`] and [`TRACE`] carry a number in their lower half.
pub(super) const KILL_PROCESS: u32 = 0x8000_0000;
pub(super) const KILL_THREAD: u32 = 0;
pub(super) const TRAP: u32 = 0x0003_0000;
pub(super) const ERRNO: u32 = 0x0005_0000;
pub(super) const TRACE: u32 = 0x7ff0_0000;
pub(super) const LOG: u32 = 0x7ffc_0000;
pub(super) const ALLOW: u32 = 0x7fff_0000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    /// The bits of `mask` are those of the value.
    Masked {
        mask: u64,
    },
}

/// Something about one argument of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) argument: u32,
    pub(super) is: Comparison,
    pub(super) value: u64,
}

/// What a call gets whose conditions all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) conditions: Vec<Condition>,
    pub(super) verdict: u32,
}

/// Cases of each call by its number, of which the first counts that holds.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) calls: BTreeMap<u32, Vec<Case>>,
    /// What everything else gets.
    pub(super) otherwise: u32,
    /// What calls of the x32 form get, which have numbers of their own.
    pub(super) x32: u32,
}

type Instruction = (u16, u8, u8, u32);

/// Compiles the rules. Calls of another architecture end the process: the rules say nothing of its numbers.
pub(super) fn compile(rules: &Rules) -> Result<Program, SeccompError> {
    let mut program = vec![
        (LOAD_WORD, 0, 0, OFFSET_ARCH),
        (JUMP_EQUAL, 1, 0, AUDIT_ARCH),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD_WORD, 0, 0, OFFSET_NUMBER),
    ];
    program.extend(search(&ranges(rules)?));
    if program.len() > INSTRUCTIONS_MAX {
        return Err(SeccompError::Compile(format!("it needs {} instructions of {INSTRUCTIONS_MAX}", program.len())));
    }
    Ok(Program::from_instructions(program))
}

/// Where each range of numbers begins, and what is done from there on. The first begins at 0.
fn ranges(rules: &Rules) -> Result<Vec<(u32, Vec<Instruction>)>, SeccompError> {
    let otherwise = || vec![(RETURN, 0, 0, rules.otherwise)];
    let mut ranges = vec![(0, otherwise())];
    for (number, cases) in &rules.calls {
        begin(&mut ranges, *number, body(cases, rules.otherwise)?);
        begin(&mut ranges, number + 1, otherwise());
    }
    if cfg!(target_arch = "x86_64") {
        begin(&mut ranges, X32_BIT, vec![(RETURN, 0, 0, rules.x32)]);
    }
    Ok(ranges)
}

/// Begins a range, in the place of one that begins there, or goes on with one that is alike.
fn begin(ranges: &mut Vec<(u32, Vec<Instruction>)>, at: u32, body: Vec<Instruction>) {
    if ranges.last().is_some_and(|(start, _)| *start == at) {
        ranges.pop();
    }
    if ranges.last().is_none_or(|(_, before)| *before != body) {
        ranges.push((at, body));
    }
}

/// Finds the range of the number that is loaded.
fn search(ranges: &[(u32, Vec<Instruction>)]) -> Vec<Instruction> {
    if let [(_, body)] = ranges {
        return body.clone();
    }
    let (lower, upper) = ranges.split_at(ranges.len() / 2);
    let (start, (lower, upper)) = (upper[0].0, (search(lower), search(upper)));
    let mut code = match u8::try_from(lower.len()) {
        Ok(far) => vec![(JUMP_GREATER_OR_EQUAL, far, 0, start)],
        // Further than a condition can jump.
        Err(_) => vec![(JUMP_GREATER_OR_EQUAL, 0, 1, start), (JUMP, 0, 0, lower.len() as u32)],
    };
    code.extend(lower.into_iter().chain(upper));
    code
}

/// What is done with one call.
fn body(cases: &[Case], otherwise: u32) -> Result<Vec<Instruction>, SeccompError> {
    let mut code = Vec::new();
    for case in cases {
        let mut tests = Vec::new();
        for condition in &case.conditions {
            compare(*condition, &mut tests)?;
        }
        let end = tests.len() + 1;
        let resolve = |at: usize, to: To| match to {
            To::Skip(n) => n,
            To::End => u8::try_from(end - at - 1).expect("six conditions are under 50 instructions"),
        };
        code.extend(tests.iter().enumerate().map(|(at, i)| (i.code, resolve(at, i.yes), resolve(at, i.no), i.k)));
        code.push((RETURN, 0, 0, case.verdict));
        if case.conditions.is_empty() {
            return Ok(code);
        }
    }
    code.push((RETURN, 0, 0, otherwise));
    Ok(code)
}

/// Where an instruction's jump leads.
#[derive(Clone, Copy)]
enum To {
    /// Over so many instructions.
    Skip(u8),
    /// Past the case.
    End,
}

struct Test {
    code: u16,
    yes: To,
    no: To,
    k: u32,
}

fn plain(code: u16, k: u32) -> Test {
    Test { code, yes: To::Skip(0), no: To::Skip(0), k }
}

fn jump(code: u16, k: u32, yes: To, no: To) -> Test {
    Test { code, yes, no, k }
}

/// Falls through where the condition holds. Arguments have 64 bits, instructions compare 32 of them.
fn compare(condition: Condition, code: &mut Vec<Test>) -> Result<(), SeccompError> {
    if condition.argument >= ARGUMENTS_MAX {
        return Err(SeccompError::Compile(format!("system calls have no argument {}", condition.argument)));
    }
    let low = OFFSET_ARGUMENTS + condition.argument * 8;
    let high = low + 4;
    let halves = |value: u64| ((value >> 32) as u32, value as u32);
    let (upper, lower) = halves(condition.value);
    let (on, end) = (To::Skip(0), To::End);
    code.push(plain(LOAD_WORD, high));
    match condition.is {
        Comparison::Equal => {
            code.extend([jump(JUMP_EQUAL, upper, on, end), plain(LOAD_WORD, low), jump(JUMP_EQUAL, lower, on, end)]);
        }
        Comparison::NotEqual => code.extend([
            jump(JUMP_EQUAL, upper, on, To::Skip(2)),
            plain(LOAD_WORD, low),
            jump(JUMP_EQUAL, lower, end, on),
        ]),
        Comparison::Greater | Comparison::GreaterOrEqual => {
            let last = if condition.is == Comparison::Greater { JUMP_GREATER } else { JUMP_GREATER_OR_EQUAL };
            code.extend([
                jump(JUMP_GREATER, upper, To::Skip(3), on),
                jump(JUMP_EQUAL, upper, on, end),
                plain(LOAD_WORD, low),
                jump(last, lower, on, end),
            ]);
        }
        Comparison::Less | Comparison::LessOrEqual => {
            let last = if condition.is == Comparison::Less { JUMP_GREATER_OR_EQUAL } else { JUMP_GREATER };
            code.extend([
                jump(JUMP_GREATER, upper, end, on),
                jump(JUMP_EQUAL, upper, on, To::Skip(2)),
                plain(LOAD_WORD, low),
                jump(last, lower, end, on),
            ]);
        }
        Comparison::Masked { mask } => {
            let (mask_upper, mask_lower) = halves(mask);
            code.extend([
                plain(AND, mask_upper),
                jump(JUMP_EQUAL, upper, on, end),
                plain(LOAD_WORD, low),
                plain(AND, mask_lower),
                jump(JUMP_EQUAL, lower, on, end),
            ]);
        }
    }
    Ok(())
}

/// What a program answers to a call of this machine's form, by an interpreter of the few instructions used.
#[cfg(test)]
pub(super) fn answer(program: &Program, number: u32, args: [u64; 6]) -> u32 {
    run(&program.to_bytes(), number, args)
}

#[cfg(test)]
fn run(program: &[u8], number: u32, args: [u64; 6]) -> u32 {
    let mut data = vec![];
    data.extend(number.to_ne_bytes());
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
            JUMP => at += k as usize,
            JUMP_EQUAL => branch(accumulator == k),
            JUMP_GREATER => branch(accumulator > k),
            JUMP_GREATER_OR_EQUAL => branch(accumulator >= k),
            RETURN => return k,
            other => panic!("instruction {other:#x}"),
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn always(verdict: u32) -> Vec<Case> {
        vec![Case { conditions: Vec::new(), verdict }]
    }

    /// Some calls without conditions, some with one on their first argument.
    fn some_calls() -> impl Strategy<Value = BTreeMap<u32, Vec<Case>>> {
        let verdict = prop_oneof![Just(ALLOW), Just(ERRNO | 1), Just(LOG)];
        let one = (verdict, proptest::option::of(0_u64..3)).prop_map(|(verdict, value)| {
            let condition = |value| Condition { argument: 0, is: Comparison::Equal, value };
            vec![Case { conditions: value.map(condition).into_iter().collect(), verdict }]
        });
        proptest::collection::btree_map(0_u32..500, one, 0..300)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn each_call_gets_what_its_rules_say(calls in some_calls()) {
            let rules = Rules { calls, otherwise: ERRNO | 0x26, x32: KILL_PROCESS };
            let program = compile(&rules).unwrap().to_bytes();
            for number in 0..510 {
                for value in 0..3 {
                    let holds = |case: &&Case| case.conditions.iter().all(|c| c.value == value);
                    let case = rules.calls.get(&number).and_then(|cases| cases.iter().find(holds));
                    let wanted = case.map_or(rules.otherwise, |case| case.verdict);
                    prop_assert_eq!(run(&program, number, [value, 0, 0, 0, 0, 0]), wanted, "call {}", number);
                }
            }
        }
    }

    #[test]
    fn ranges_of_calls_take_two_instructions_each() {
        let calls = (0..200).chain(300..400).map(|number| (number, always(ALLOW))).collect();
        let program = compile(&Rules { calls, otherwise: ERRNO | 1, x32: ERRNO | 1 }).unwrap();
        // Allowed, not, allowed, not: four ends and three questions behind the look at the architecture.
        assert_eq!(program.to_bytes().len() / 8, 4 + 7);
    }

    #[test]
    fn the_x32_form_has_an_answer_of_its_own() {
        let calls = [(1, always(ALLOW))].into();
        let program = compile(&Rules { calls, otherwise: ALLOW, x32: KILL_PROCESS }).unwrap();
        assert_eq!(
            answer(&program, 1 | X32_BIT, [0; 6]),
            if cfg!(target_arch = "x86_64") { KILL_PROCESS } else { ALLOW }
        );
        assert_eq!(answer(&program, 2, [0; 6]), ALLOW);
    }
}
