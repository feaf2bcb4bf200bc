//! Wire types of the gRPC interfaces on a node, generated from the .proto files in this package.
//!
//! [`cri`] is the container runtime interface v1, between node agent and runtime; [`drover`] is what our runtime offers
//! beyond it. No behaviour lives here.

#![forbid(unsafe_code)]

/// CRI v1: `runtime.v1`.
pub mod cri {
    #![expect(clippy::pedantic, unused_qualifications, reason = "generated code")]
    tonic::include_proto!("runtime.v1");

    impl std::fmt::Debug for AuthConfig {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("AuthConfig")
                .field("username", &self.username)
                .field("server_address", &self.server_address)
                .finish_non_exhaustive()
        }
    }
}

/// Beyond CRI: `drover.v1`.
pub mod drover {
    #![expect(clippy::pedantic, unused_qualifications, reason = "generated code")]
    tonic::include_proto!("drover.v1");
}

#[cfg(test)]
mod tests {
    use super::cri::AuthConfig;

    #[test]
    fn credentials_do_not_reach_debug_output() {
        let auth = AuthConfig {
            username: "robot".into(),
            password: "hunter2".into(),
            auth: "cm9ib3Q6aHVudGVyMg==".into(),
            identity_token: "hunter2".into(),
            registry_token: "hunter2".into(),
            ..AuthConfig::default()
        };
        let shown = format!("{auth:?}");
        assert!(shown.contains("robot") && !shown.contains("hunter2") && !shown.contains("cm9i"), "{shown}");
    }
}
