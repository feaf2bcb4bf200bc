//! Which user a program runs as: the names that a pod or image gives, looked up in the container's own /etc/passwd and
//! /etc/group. Pure and strict: a line that is not understood is skipped, a name that is not found is an error, and a
//! number is never taken from text that is not all digits.

use crate::plan::{Identity, UserPlan};
use thiserror::Error;

#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum UserError {
    #[error("user {0:?} is not in the image's /etc/passwd")]
    UnknownUser(String),
    #[error("group {0:?} is not in the image's /etc/group")]
    UnknownGroup(String),
    #[error("user {0:?} is not of the form user[:group]")]
    Malformed(String),
}

/// The kernel keeps the highest id for "no change".
const ID_MAX: u32 = u32::MAX - 1;

struct PasswdEntry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

/// A number of decimal digits only; "+1", " 1" and "0x1" are not.
fn id(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|id| *id <= ID_MAX)
}

fn passwd_entry(line: &str) -> Option<PasswdEntry<'_>> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, ..] = fields.as_slice() else { return None };
    (!name.is_empty()).then_some(())?;
    Some(PasswdEntry { name, uid: id(uid)?, gid: id(gid)?, home })
}

/// (name, gid, members)
fn group_entry(line: &str) -> Option<(&str, u32, &str)> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, gid, members] = fields.as_slice() else { return None };
    (!name.is_empty()).then_some(())?;
    Some((name, id(gid)?, members))
}

/// The ids that `plan` means, given the container's /etc/passwd and /etc/group (empty where there is none).
pub(crate) fn resolve(plan: &UserPlan, passwd: &str, group: &str) -> Result<Identity, UserError> {
    let (user, named_group) = match plan.user.split_once(':') {
        Some((_, g)) if g.contains(':') => return Err(UserError::Malformed(plan.user.clone())),
        Some((u, g)) => (u, (!g.is_empty()).then_some(g)),
        None => (plan.user.as_str(), None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let mut entries = passwd.lines().filter_map(passwd_entry);
    // A name wins over a number that reads the same, as with getpwnam.
    let by_name = passwd.lines().filter_map(passwd_entry).find(|e| e.name == user);
    let entry = by_name.or_else(|| id(user).and_then(|uid| entries.find(|e| e.uid == uid)));
    let uid = match (&entry, id(user)) {
        (Some(entry), _) => entry.uid,
        (None, Some(uid)) => uid,
        (None, None) => return Err(UserError::UnknownUser(user.to_owned())),
    };
    let gid = match (plan.gid, named_group) {
        (Some(gid), _) => gid,
        (None, Some(name)) => group_id(name, group)?,
        (None, None) => entry.as_ref().map_or(0, |e| e.gid),
    };
    let mut groups = plan.supplemental.clone();
    if !plan.strict_groups {
        let name = entry.as_ref().map(|e| e.name);
        let member_of = |(_, gid, members): (&str, u32, &str)| {
            members.split(',').any(|m| !m.is_empty() && Some(m) == name).then_some(gid)
        };
        groups.extend(group.lines().filter_map(group_entry).filter_map(member_of));
    }
    // The kernel knows the user's own group apart from these; CRI and its clients name it among them.
    groups.push(gid);
    groups.sort_unstable();
    groups.dedup();
    let home = entry.map_or("", |e| e.home);
    Ok(Identity { uid, gid, groups, home: if home.is_empty() { "/".into() } else { home.into() } })
}

fn group_id(name: &str, group: &str) -> Result<u32, UserError> {
    let found = group.lines().filter_map(group_entry).find(|(n, ..)| *n == name).map(|(_, gid, _)| gid);
    found.or_else(|| id(name)).ok_or_else(|| UserError::UnknownGroup(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
        web:x:33:34:web:/var/www:/sbin/nologin\n\
        bad:x:-1:0::/:/bin/sh\n\
        12:x:1200:1200::/twelve:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nstaff:x:50:web,other\nweb:x:34:\nmail:x:8:web\nhuge:x:99999999999:web\n";

    fn check(user: &str, expect: &Result<(u32, u32, Vec<u32>, &str), UserError>) {
        let plan = UserPlan { user: user.into(), supplemental: vec![7], ..UserPlan::default() };
        let found = resolve(&plan, PASSWD, GROUP).map(|i| (i.uid, i.gid, i.groups, i.home));
        let expect = expect.as_ref().map(|(u, g, s, h)| (*u, *g, s.clone(), (*h).to_owned()));
        assert_eq!(found.as_ref(), expect.as_ref().map_err(|e| *e), "{user:?}");
    }

    #[test]
    fn users_are_found_by_name_then_number_and_nothing_else() {
        check("", &Ok((0, 0, vec![0, 7], "/root")));
        check("web", &Ok((33, 34, vec![7, 8, 34, 50], "/var/www")));
        check("33", &Ok((33, 34, vec![7, 8, 34, 50], "/var/www")));
        check("33:staff", &Ok((33, 50, vec![7, 8, 50], "/var/www")));
        check("web:77", &Ok((33, 77, vec![7, 8, 50, 77], "/var/www")));
        check("5000", &Ok((5000, 0, vec![0, 7], "/")));
        check("12", &Ok((1200, 1200, vec![7, 1200], "/twelve")));
        check("nobody", &Err(UserError::UnknownUser("nobody".into())));
        check("bad", &Err(UserError::UnknownUser("bad".into())));
        check("+0", &Err(UserError::UnknownUser("+0".into())));
        check("-1", &Err(UserError::UnknownUser("-1".into())));
        check("4294967295", &Err(UserError::UnknownUser("4294967295".into())));
        check("web:nogroup", &Err(UserError::UnknownGroup("nogroup".into())));
        check("a:b:c", &Err(UserError::Malformed("a:b:c".into())));
    }

    #[test]
    fn strict_groups_are_only_those_asked_for_and_the_users_own() {
        let plan = UserPlan { user: "web".into(), gid: Some(9), supplemental: vec![5, 5], strict_groups: true };
        let found = resolve(&plan, PASSWD, GROUP).unwrap();
        assert_eq!((found.uid, found.gid, found.groups), (33, 9, vec![5, 9]));
    }
}
