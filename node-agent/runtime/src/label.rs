//! Security modules of the host: AppArmor profiles for programs that ask for one, and a plain refusal of what cannot be
//! enforced. What the host does not have is never silently left out.

use crate::security_profile;
use crate::spec::SpecError;
use proto::cri;
use proto::cri::security_profile::ProfileType;
use std::fs;
use std::path::Path;

const APPARMOR_ENABLED: &str = "/sys/module/apparmor/parameters/enabled";
const APPARMOR_PROFILES: &str = "/sys/kernel/security/apparmor/profiles";
const SELINUX: &str = "/sys/fs/selinux/enforce";
/// What `RuntimeDefault` stands for; an administrator loads it, as the runtime ships no parser.
const APPARMOR_DEFAULT: &str = "drover-default";

/// The AppArmor profile that a container's programs are to run under.
pub(crate) fn apparmor(context: &cri::LinuxContainerSecurityContext) -> Result<Option<String>, SpecError> {
    if context.privileged {
        return Ok(None);
    }
    let Some(name) = wanted(context)? else { return Ok(None) };
    if fs::read_to_string(APPARMOR_ENABLED).is_ok_and(|text| text.trim() == "Y") {
        // Where the list cannot be read the kernel still refuses an unknown name at the start.
        let loaded = fs::read_to_string(APPARMOR_PROFILES).map_or(true, |text| is_loaded(&text, &name));
        if loaded {
            Ok(Some(name))
        } else {
            Err(SpecError::Invalid(format!("AppArmor profile {name:?} is not loaded")))
        }
    } else {
        Err(SpecError::Invalid(format!("AppArmor profile {name:?}: AppArmor is not enabled on the host")))
    }
}

#[expect(deprecated, reason = "older clients say it in this field alone")]
fn wanted(context: &cri::LinuxContainerSecurityContext) -> Result<Option<String>, SpecError> {
    let wanted = security_profile::wanted(context.apparmor.as_ref(), &context.apparmor_profile)?;
    Ok(wanted.and_then(|profile| match profile.profile_type() {
        ProfileType::Unconfined => None,
        ProfileType::RuntimeDefault => Some(APPARMOR_DEFAULT.to_owned()),
        ProfileType::Localhost => {
            let name = profile.localhost_ref.as_str();
            Some(name.strip_prefix("localhost/").unwrap_or(name).to_owned())
        }
    }))
}

/// The list has a line `name (mode)` for each profile.
fn is_loaded(list: &str, name: &str) -> bool {
    list.lines().any(|line| line.rsplit_once(" (").is_some_and(|(found, _)| found == name))
}

/// Labels have no effect on a host without SELinux, as everywhere; on one with it they would be a promise.
pub(crate) fn refuse_selinux(options: Option<&cri::SeLinuxOption>) -> Result<(), SpecError> {
    let asked = options.is_some_and(|o| [&o.user, &o.role, &o.r#type, &o.level].iter().any(|part| !part.is_empty()));
    if asked && Path::new(SELINUX).exists() {
        return Err(SpecError::Unsupported("an SELinux label"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(kind: ProfileType, name: &str) -> cri::LinuxContainerSecurityContext {
        let profile = cri::SecurityProfile { profile_type: kind.into(), localhost_ref: name.into() };
        cri::LinuxContainerSecurityContext { apparmor: Some(profile), ..Default::default() }
    }

    #[test]
    fn profiles_are_named_by_kind() {
        let name = |context: &cri::LinuxContainerSecurityContext| wanted(context).unwrap();
        assert_eq!(name(&context(ProfileType::Unconfined, "")), None);
        assert_eq!(name(&context(ProfileType::RuntimeDefault, "")).as_deref(), Some(APPARMOR_DEFAULT));
        assert_eq!(name(&context(ProfileType::Localhost, "localhost/web")).as_deref(), Some("web"));
        #[expect(deprecated, reason = "older clients say it in this field alone")]
        let old = cri::LinuxContainerSecurityContext { apparmor_profile: "localhost/web".into(), ..Default::default() };
        assert_eq!(name(&old).as_deref(), Some("web"));
    }

    #[test]
    fn loaded_profiles_are_found_whole() {
        let list = "web (enforce)\n/usr/bin/man (complain)\n";
        assert!(is_loaded(list, "web") && is_loaded(list, "/usr/bin/man"));
        assert!(!is_loaded(list, "we") && !is_loaded(list, "enforce"));
    }
}
