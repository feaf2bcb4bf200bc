//! Tokens of a file (`token,user,uid,"group,group"` a line): for people and tools that are known before the cluster is.
//! k8s: `--token-auth-file`

use client::identity::Identity;
use std::collections::HashMap;
use std::path::Path;

/// Whom each token names; it holds as long as the server runs.
#[derive(Debug, Default)]
pub struct StaticTokens(HashMap<String, Identity>);

#[derive(Debug, thiserror::Error)]
pub enum StaticTokenError {
    #[error("cannot read the tokens in {path}")]
    Unreadable { path: String, source: std::io::Error },
    /// The line's text is not told: it holds a token.
    #[error("line {line} of {path} {problem}")]
    Line { path: String, line: usize, problem: &'static str },
}

impl StaticTokens {
    pub fn read(path: &Path) -> Result<Self, StaticTokenError> {
        let shown = || path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|source| StaticTokenError::Unreadable { path: shown(), source })?;
        Self::parse(&text).map_err(|(line, problem)| StaticTokenError::Line { path: shown(), line, problem })
    }

    fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        let mut tokens = HashMap::new();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let fields = fields(line).map_err(|problem| (at + 1, problem))?;
            let [token, user, uid, rest @ ..] = fields.as_slice() else {
                return Err((at + 1, "needs at least 3 columns: token, user name, user uid"));
            };
            if token.is_empty() {
                return Err((at + 1, "has no token"));
            }
            let groups = rest.first().map(String::as_str).unwrap_or_default();
            let groups = groups.split(',').filter(|group| !group.is_empty());
            let identity = Identity { uid: uid.clone(), ..Identity::new(user, groups) };
            if tokens.insert(token.clone(), identity).is_some() {
                return Err((at + 1, "repeats a token"));
            }
        }
        Ok(Self(tokens))
    }

    pub fn find(&self, token: &str) -> Option<&Identity> {
        self.0.get(token)
    }
}

/// The columns of a line; one in quotes may hold commas, and quotes written twice.
fn fields(line: &str) -> Result<Vec<String>, &'static str> {
    let mut fields = vec![];
    let mut rest = line.trim_end();
    loop {
        let mut field = String::new();
        if let Some(mut quoted) = rest.strip_prefix('"') {
            loop {
                let Some((part, after)) = quoted.split_once('"') else { return Err("ends within quotes") };
                field.push_str(part);
                if let Some(more) = after.strip_prefix('"') {
                    field.push('"');
                    quoted = more;
                } else {
                    rest = after;
                    break;
                }
            }
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            field.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        fields.push(field);
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None if rest.is_empty() => return Ok(fields),
            None => return Err("has letters after a quote"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_token_its_user_and_his_groups() {
        let text =
            "admin-token,admin,uid-1,\"system:masters,people\"\n\nplain, \"o\"\"neill\",uid-2\none,user,uid-3,group\n";
        let tokens = StaticTokens::parse(text).unwrap();
        let of = |token: &str| tokens.find(token).map(|it| (it.user.as_str(), it.uid.as_str(), it.groups.join(" ")));
        assert_eq!(of("admin-token"), Some(("admin", "uid-1", "system:masters people".to_owned())));
        assert_eq!(of("plain"), Some(("o\"neill", "uid-2", String::new())));
        assert_eq!(of("one"), Some(("user", "uid-3", "group".to_owned())));
        assert_eq!(of("other"), None);
    }

    #[test]
    fn a_line_that_names_nobody_is_refused_by_its_number() {
        for (text, line) in [("a,b,c\nd,e\n", 2), (",b,c", 1), ("a,b,c\na,d,e", 2), ("a,b,c,\"d", 1), ("a,\"b\"c,d", 1)]
        {
            assert_eq!(StaticTokens::parse(text).unwrap_err().0, line, "{text}");
        }
    }
}
