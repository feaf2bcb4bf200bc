//! What was typed about who is let in, and what it means to the API server.

use anyhow::{Context, Result, bail};
use apiserver::access::{Access, Authentication, Authorization, AuthorizationOrder};
use apiserver::audit::{AuditOptions, LogOptions, WebhookOptions};
use apiserver::auth::oidc::OidcFlags;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Clone, Args)]
pub(crate) struct AccessArgs {
    /// An AuthenticationConfiguration: other issuers of tokens, and who may come without credentials; read again when it
    /// changes
    #[arg(long, value_name = "FILE", conflicts_with_all = ["oidc_issuer_url", "oidc_client_id"])]
    authentication_config: Option<PathBuf>,
    #[command(flatten)]
    oidc: OidcArgs,
    /// An AuthorizationConfiguration: Node, RBAC, others and webhooks in the order in which they are asked (default: Node and RBAC);
    /// read again when it changes
    #[arg(long, value_name = "FILE")]
    authorization_config: Option<PathBuf>,
    /// Authorizers in the order in which they are asked: Node, RBAC, ABAC, AlwaysAllow, AlwaysDeny
    #[arg(long, value_name = "MODE,..", value_delimiter = ',', conflicts_with = "authorization_config")]
    authorization_mode: Vec<String>,
    /// Policies of the mode ABAC, a line of JSON each
    #[arg(long, value_name = "FILE")]
    authorization_policy_file: Option<PathBuf>,
    #[command(flatten)]
    audit: AuditArgs,
    /// An AdmissionConfiguration: defaults and exemptions of Pod Security
    #[arg(long, value_name = "FILE")]
    admission_control_config_file: Option<PathBuf>,
}

/// One OpenID Connect provider.
#[derive(Debug, Clone, Args)]
struct OidcArgs {
    /// OpenID Connect provider whose tokens are believed, https only
    #[arg(long, value_name = "URL", requires = "oidc_client_id")]
    oidc_issuer_url: Option<String>,
    /// Audience that its tokens must be for
    #[arg(long, value_name = "ID", requires = "oidc_issuer_url")]
    oidc_client_id: Option<String>,
    /// Claim that names the user
    #[arg(long, value_name = "CLAIM", default_value = "sub", requires = "oidc_issuer_url")]
    oidc_username_claim: String,
    /// What user names begin with; `-` is nothing (default: the provider's URL and #, and nothing for the claim email)
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true, requires = "oidc_issuer_url")]
    #[arg(allow_hyphen_values = true)]
    oidc_username_prefix: String,
    /// Claim that names the user's groups
    #[arg(long, value_name = "CLAIM", default_value = "", hide_default_value = true, requires = "oidc_issuer_url")]
    oidc_groups_claim: String,
    /// What group names begin with
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true, requires = "oidc_issuer_url")]
    oidc_groups_prefix: String,
    /// Claim that tokens must have, and its value; may be repeated
    #[arg(long, value_name = "CLAIM=VALUE", value_parser = pair, value_delimiter = ',', requires = "oidc_issuer_url")]
    oidc_required_claim: Vec<(String, String)>,
    /// Authorities that sign the provider's certificate, PEM (default: those that this machine trusts)
    #[arg(long, value_name = "FILE", requires = "oidc_issuer_url")]
    oidc_ca_file: Option<PathBuf>,
    /// Algorithms that its tokens may be signed with
    #[arg(long, value_name = "NAME,..", value_delimiter = ',', default_value = "RS256", requires = "oidc_issuer_url")]
    oidc_signing_algs: Vec<String>,
}

/// What is told of requests, and to whom.
#[derive(Debug, Clone, Args)]
struct AuditArgs {
    /// An audit policy (audit.k8s.io/v1): which requests are told of, and how much
    #[arg(long, value_name = "FILE")]
    audit_policy_file: Option<PathBuf>,
    /// Where audit events are written, a line each; `-` is the standard output
    #[arg(long, value_name = "FILE", requires = "audit_policy_file", allow_hyphen_values = true)]
    audit_log_path: Option<PathBuf>,
    /// Megabytes that the audit log may have before it is put aside
    #[arg(long, value_name = "MB", default_value_t = 100, requires = "audit_log_path")]
    audit_log_maxsize: u64,
    /// Days that audit logs stay that were put aside; 0: for ever
    #[arg(long, value_name = "DAYS", default_value_t = 0, requires = "audit_log_path")]
    audit_log_maxage: u32,
    /// Audit logs put aside that stay; 0: all
    #[arg(long, value_name = "COUNT", default_value_t = 0, requires = "audit_log_path")]
    audit_log_maxbackup: usize,
    /// Kubeconfig of a webhook that audit events are sent to
    #[arg(long, value_name = "FILE", requires = "audit_policy_file")]
    audit_webhook_config_file: Option<PathBuf>,
    /// Events that wait for the webhook; more are dropped
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, requires = "audit_webhook_config_file")]
    audit_webhook_batch_buffer_size: usize,
    /// Events that are sent at once
    #[arg(long, value_name = "COUNT", default_value_t = 400, requires = "audit_webhook_config_file")]
    audit_webhook_batch_max_size: usize,
    /// How long an event waits for others
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = crate::args::duration)]
    #[arg(requires = "audit_webhook_config_file")]
    audit_webhook_batch_max_wait: Duration,
    /// Time before what was not sent is tried again
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = crate::args::duration)]
    #[arg(requires = "audit_webhook_config_file")]
    audit_webhook_initial_backoff: Duration,
}

impl AuditArgs {
    fn options(&self) -> Option<AuditOptions> {
        let Self { audit_log_maxsize, audit_log_maxage, audit_log_maxbackup, .. } = *self;
        let log = self.audit_log_path.clone().map(|path| LogOptions {
            path,
            megabytes_max: audit_log_maxsize,
            days_max: audit_log_maxage,
            backups_max: audit_log_maxbackup,
        });
        let webhook = self.audit_webhook_config_file.clone().map(|kubeconfig| WebhookOptions {
            kubeconfig,
            buffer: self.audit_webhook_batch_buffer_size,
            batch: self.audit_webhook_batch_max_size,
            wait: self.audit_webhook_batch_max_wait,
            backoff: self.audit_webhook_initial_backoff,
        });
        let policy = self.audit_policy_file.clone()?;
        Some(AuditOptions { policy, log, webhook })
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (claim, value) = text.split_once('=').filter(|(claim, _)| !claim.is_empty()).ok_or("not CLAIM=VALUE")?;
    Ok((claim.to_owned(), value.to_owned()))
}

impl AccessArgs {
    pub(crate) fn access(&self) -> Result<Access> {
        let admission = self.admission_control_config_file.clone();
        let authorization = self.authorization()?;
        Ok(Access { authentication: self.authentication()?, authorization, audit: self.audit.options(), admission })
    }

    fn authorization(&self) -> Result<Authorization> {
        let (modes, policies) = (self.authorization_mode.clone(), self.authorization_policy_file.clone());
        let order = match &self.authorization_config {
            Some(path) => AuthorizationOrder::File(path.clone()),
            None if policies.is_some() && !modes.iter().any(|mode| mode == "ABAC") => {
                bail!("--authorization-policy-file is for --authorization-mode ABAC");
            }
            None if modes.is_empty() => AuthorizationOrder::Own,
            None => AuthorizationOrder::Modes(modes),
        };
        Ok(Authorization { order, policies })
    }

    fn authentication(&self) -> Result<Authentication> {
        if let Some(path) = &self.authentication_config {
            return Ok(Authentication::File(path.clone()));
        }
        let OidcArgs { oidc_issuer_url: Some(issuer_url), oidc_client_id: Some(client_id), .. } = self.oidc.clone()
        else {
            return Ok(Authentication::Own);
        };
        let authorities = match &self.oidc.oidc_ca_file {
            Some(path) => std::fs::read_to_string(path)
                .with_context(|| format!("cannot read --oidc-ca-file {}", path.display()))?,
            None => String::new(),
        };
        let oidc = self.oidc.clone();
        let flags = OidcFlags {
            issuer_url,
            client_id,
            username_claim: oidc.oidc_username_claim,
            username_prefix: oidc.oidc_username_prefix,
            groups_claim: oidc.oidc_groups_claim,
            groups_prefix: oidc.oidc_groups_prefix,
            required_claims: oidc.oidc_required_claim,
            authorities,
            signing_algorithms: oidc.oidc_signing_algs,
        };
        Ok(Authentication::Fixed(Box::new(flags.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        access: AccessArgs,
    }

    fn typed(line: &str) -> Result<Authentication, String> {
        let words = std::iter::once("drover").chain(line.split_whitespace());
        let parsed = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        parsed.access.access().map(|access| access.authentication).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn nothing_typed_believes_nobody_but_the_cluster() {
        assert!(matches!(typed(""), Ok(Authentication::Own)));
    }

    #[test]
    fn flags_say_what_a_file_would() {
        let line = "--oidc-issuer-url https://id.example --oidc-client-id kube --oidc-groups-claim roles \
                    --oidc-groups-prefix id: --oidc-required-claim hd=example";
        let Ok(Authentication::Fixed(config)) = typed(line) else { panic!("it is one issuer") };
        let [one] = config.jwt.as_slice() else { panic!("it is one issuer") };
        assert_eq!(one.claim_mappings.username.prefix.as_deref(), Some("https://id.example#"));
        assert_eq!(one.claim_mappings.groups.prefix.as_deref(), Some("id:"));
        assert_eq!((one.claim_validation_rules[0].claim.as_str(), one.issuer.algorithms.len()), ("hd", 1));
        let Ok(Authentication::Fixed(config)) = typed(&format!("{line} --oidc-username-prefix -")) else { panic!() };
        assert_eq!(config.jwt[0].claim_mappings.username.prefix.as_deref(), Some(""));
    }

    #[test]
    fn an_audit_needs_a_policy_and_takes_upstream_s_defaults() {
        let audit = |line: &str| {
            let words = std::iter::once("drover").chain(line.split_whitespace());
            let parsed = Line::try_parse_from(words).map_err(|error| error.to_string())?;
            Ok::<_, String>(parsed.access.access().map_err(|error| error.to_string())?.audit)
        };
        assert_eq!(audit(""), Ok(None));
        assert!(audit("--audit-log-path -").unwrap_err().contains("--audit-policy-file <FILE>"));
        let options = audit("--audit-policy-file p --audit-log-path - --audit-webhook-config-file k").unwrap().unwrap();
        let (log, webhook) = (options.log.unwrap(), options.webhook.unwrap());
        assert_eq!((log.path, log.megabytes_max, log.backups_max), ("-".into(), 100, 0));
        assert_eq!((webhook.buffer, webhook.batch, webhook.wait), (10_000, 400, Duration::from_secs(30)));
    }

    #[test]
    fn modes_come_in_their_order_and_policies_with_theirs() {
        let authorization = |line: &str| {
            let words = std::iter::once("drover").chain(line.split_whitespace());
            let parsed = Line::try_parse_from(words).map_err(|error| error.to_string())?;
            parsed.access.access().map(|access| access.authorization).map_err(|error| format!("{error:#}"))
        };
        let typed = authorization("--authorization-mode Node,ABAC --authorization-policy-file p").unwrap();
        let AuthorizationOrder::Modes(modes) = typed.order else { panic!("modes were typed") };
        assert_eq!((modes, typed.policies), (vec!["Node".to_owned(), "ABAC".to_owned()], Some("p".into())));
        let refused = authorization("--authorization-mode RBAC --authorization-policy-file p").unwrap_err();
        assert!(refused.contains("--authorization-mode ABAC"), "{refused}");
        assert!(
            authorization("--authorization-mode RBAC --authorization-config f").unwrap_err().contains("cannot be used")
        );
    }

    #[test]
    fn the_file_and_the_flags_exclude_each_other_and_flags_come_in_pairs() {
        for (line, told) in [
            ("--authentication-config f --oidc-issuer-url https://i --oidc-client-id c", "cannot be used with"),
            ("--oidc-issuer-url https://i", "--oidc-client-id <ID>"),
            ("--oidc-client-id c", "--oidc-issuer-url <URL>"),
            ("--oidc-groups-claim c", "--oidc-issuer-url <URL>"),
            ("--oidc-issuer-url https://i --oidc-client-id c --oidc-required-claim x", "not CLAIM=VALUE"),
            ("--oidc-issuer-url https://i --oidc-client-id c --oidc-ca-file /nowhere", "cannot read --oidc-ca-file"),
        ] {
            let refused = typed(line).unwrap_err();
            assert!(refused.contains(told), "{line}: {refused}");
        }
    }
}
