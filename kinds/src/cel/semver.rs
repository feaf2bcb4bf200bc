//! Semantic versions. k8s: `apiserver/pkg/cel/library/semverlib.go`

use super::eval::EvalError;
use super::library::Answer;
use super::value::Val;
use std::cmp::Ordering;
use std::rc::Rc;

/// `1.2.3-rc.1+build`; what is built does not count in comparisons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Semver {
    numbers: [u64; 3],
    pre: Vec<String>,
}

fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

impl Semver {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let identifiers = |text: &str| -> Option<Vec<String>> {
            let is_one =
                |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            text.split('.').map(|part| Some(part).filter(is_one).map(str::to_owned)).collect()
        };
        let (rest, build) = text.split_once('+').map_or((text, None), |(rest, build)| (rest, Some(build)));
        if let Some(build) = build {
            identifiers(build)?;
        }
        let (core, pre) = rest.split_once('-').map_or((rest, None), |(core, pre)| (core, Some(pre)));
        let pre = pre.map_or(Some(Vec::new()), identifiers)?;
        if pre.iter().any(|part| part.bytes().all(|byte| byte.is_ascii_digit()) && number(part).is_none()) {
            return None;
        }
        let numbers: Option<Vec<u64>> = core.split('.').map(number).collect();
        Some(Self { numbers: numbers?.try_into().ok()?, pre })
    }

    /// What people write: a leading `v`, zeros in front, fewer numbers.
    fn normalized(text: &str) -> String {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (core, rest) = text.split_at(text.find(['-', '+']).unwrap_or(text.len()));
        let plain = |part: &str| match part.trim_start_matches('0') {
            "" if !part.is_empty() => "0".to_owned(),
            part => part.to_owned(),
        };
        let mut parts: Vec<String> = core.split('.').map(plain).collect();
        while parts.len() < 3 {
            parts.push("0".to_owned());
        }
        format!("{}{rest}", parts.join("."))
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let by_part = |a: &String, b: &String| match (number(a), number(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => a.cmp(b),
        };
        self.numbers.cmp(&other.numbers).then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let pairs = self.pre.iter().zip(&other.pre).map(|(a, b)| by_part(a, b));
                pairs.fold(Ordering::Equal, Ordering::then).then(self.pre.len().cmp(&other.pre.len()))
            }
        })
    }
}

pub(super) fn global<'a>(name: &str, args: &[Val<'a>]) -> Answer<'a> {
    let text = match args {
        [Val::Str(text)] | [Val::Str(text), Val::Bool(false)] => text.clone().into_owned(),
        [Val::Str(text), Val::Bool(true)] => Semver::normalized(text),
        _ => return None,
    };
    let version = Semver::parse(&text);
    match name {
        "isSemver" => Some(Ok(Val::Bool(version.is_some()))),
        "semver" => Some(match version {
            Some(version) => Ok(Val::Semver(Rc::new(version))),
            None => Err(EvalError::new(format!("{text:?} is no semantic version"))),
        }),
        _ => None,
    }
}

pub(super) fn member<'a>(version: &Semver, name: &str, args: &[Val<'a>]) -> Answer<'a> {
    let part = |at: usize| Ok(Val::Int(i64::try_from(version.numbers[at]).unwrap_or(i64::MAX)));
    Some(match (name, args) {
        ("major", []) => part(0),
        ("minor", []) => part(1),
        ("patch", []) => part(2),
        ("isLessThan", [Val::Semver(other)]) => Ok(Val::Bool(version.compare(other).is_lt())),
        ("isGreaterThan", [Val::Semver(other)]) => Ok(Val::Bool(version.compare(other).is_gt())),
        ("compareTo", [Val::Semver(other)]) => Ok(Val::Int(version.compare(other) as i64)),
        _ => return None,
    })
}
