//! One issuer in the words of `--oidc-*`, as the configuration that says the same.
//! k8s: `kubeapiserver/options/authentication.go`, ToAuthenticationConfig

use super::config::{
    AuthenticationConfiguration, ClaimMappings, ClaimValidationRule, Issuer, JwtAuthenticator,
    PrefixedClaimOrExpression,
};

/// What was typed. Empty: nothing was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OidcFlags {
    pub issuer_url: String,
    pub client_id: String,
    pub username_claim: String,
    /// `-`: none.
    pub username_prefix: String,
    pub groups_claim: String,
    pub groups_prefix: String,
    /// Claims and the values that they must have.
    pub required_claims: Vec<(String, String)>,
    /// PEM of the authorities that sign the issuer's certificate.
    pub authorities: String,
    pub signing_algorithms: Vec<String>,
}

impl From<OidcFlags> for AuthenticationConfiguration {
    fn from(flags: OidcFlags) -> Self {
        let username_prefix = match (flags.username_prefix.as_str(), flags.username_claim.as_str()) {
            ("-", _) | ("", "email") => String::new(),
            // Users of the issuer are never those of the cluster that have the same name.
            ("", _) => format!("{}#", flags.issuer_url),
            (prefix, _) => prefix.to_owned(),
        };
        let from_claim = |claim: String, prefix| PrefixedClaimOrExpression {
            claim,
            prefix: Some(prefix),
            expression: String::new(),
        };
        let groups = if flags.groups_claim.is_empty() {
            PrefixedClaimOrExpression::default()
        } else {
            from_claim(flags.groups_claim, flags.groups_prefix)
        };
        let username = from_claim(flags.username_claim, username_prefix);
        let required = flags.required_claims.into_iter().map(|(claim, required_value)| ClaimValidationRule {
            claim,
            required_value,
            ..ClaimValidationRule::default()
        });
        let issuer = Issuer {
            url: flags.issuer_url,
            certificate_authority: flags.authorities,
            audiences: vec![flags.client_id],
            algorithms: flags.signing_algorithms,
            ..Issuer::default()
        };
        let jwt = JwtAuthenticator {
            issuer,
            claim_validation_rules: required.collect(),
            claim_mappings: ClaimMappings { username, groups, ..ClaimMappings::default() },
            user_validation_rules: Vec::new(),
        };
        Self { jwt: vec![jwt], anonymous: None }
    }
}
