//! What clients say of seccomp and AppArmor: a message, or the text that came before it and that older clients still
//! send alone. Pure.

use crate::spec::SpecError;
use proto::cri::SecurityProfile;
use proto::cri::security_profile::ProfileType;

const LOCALHOST: &str = "localhost/";

/// The profile that `message`, or else `text`, asks for; none where neither says anything.
pub(crate) fn wanted(message: Option<&SecurityProfile>, text: &str) -> Result<Option<SecurityProfile>, SpecError> {
    if let Some(profile) = message {
        return Ok(Some(profile.clone()));
    }
    let of = |kind: ProfileType, name: &str| SecurityProfile { profile_type: kind.into(), localhost_ref: name.into() };
    // k8s: the annotations that this field was made for had these words
    match (text, text.strip_prefix(LOCALHOST)) {
        ("", _) => Ok(None),
        ("runtime/default" | "docker/default", _) => Ok(Some(of(ProfileType::RuntimeDefault, ""))),
        ("unconfined", _) => Ok(Some(of(ProfileType::Unconfined, ""))),
        (_, Some(name)) if !name.is_empty() => Ok(Some(of(ProfileType::Localhost, name))),
        _ => Err(SpecError::Invalid(format!("{text:?} is not a security profile"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_a_message_or_else_a_text() {
        let kind = |text: &str| wanted(None, text).map(|p| p.map(|p| (p.profile_type(), p.localhost_ref)));
        assert_eq!(kind(""), Ok(None));
        assert_eq!(kind("runtime/default"), Ok(Some((ProfileType::RuntimeDefault, String::new()))));
        assert_eq!(kind("unconfined"), Ok(Some((ProfileType::Unconfined, String::new()))));
        assert_eq!(kind("localhost/web"), Ok(Some((ProfileType::Localhost, "web".to_owned()))));
        assert!(kind("localhost/").is_err() && kind("web").is_err());
        let message = SecurityProfile { profile_type: ProfileType::Unconfined.into(), localhost_ref: String::new() };
        assert_eq!(wanted(Some(&message), "localhost/web"), Ok(Some(message)));
    }
}
