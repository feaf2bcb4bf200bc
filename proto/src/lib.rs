//! Wire types of the gRPC interfaces on a node, generated from the .proto files in this package.
//!
//! [`cri`] is the container runtime interface v1, between node agent and runtime; [`drover`] is what our runtime offers
//! beyond it; [`csi`] is what storage drivers speak, [`registration`] how they are found, [`deviceplugin`] is both for
//! devices, [`dra`] is what drivers of claimed devices speak, and [`podresources`] says who has which. [`confinement`] is what both sides of CRI mean by a container that asks for nothing. No behaviour lives here.

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

/// What a container gets that asks for nothing else: of pods, and of image builds.
pub mod confinement {
    /// k8s: the parts of /proc and /sys that a container cannot see unless it asks for an unmasked /proc.
    pub const MASKED_PATHS: &[&str] = &[
        "/proc/asound",
        "/proc/acpi",
        "/proc/interrupts",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/sys/firmware",
        "/sys/devices/virtual/powercap",
    ];
    pub const READONLY_PATHS: &[&str] = &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
}

/// Beyond CRI: `drover.v1`.
pub mod drover {
    #![expect(clippy::pedantic, unused_qualifications, reason = "generated code")]
    tonic::include_proto!("drover.v1");
}

/// CSI v1: `csi.v1`.
pub mod csi {
    #![expect(clippy::pedantic, unused_qualifications, reason = "generated code")]
    tonic::include_proto!("csi.v1");

    impl std::fmt::Debug for NodeStageVolumeRequest {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("NodeStageVolumeRequest").field("volume_id", &self.volume_id).finish_non_exhaustive()
        }
    }

    impl std::fmt::Debug for NodePublishVolumeRequest {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("NodePublishVolumeRequest")
                .field("volume_id", &self.volume_id)
                .field("target_path", &self.target_path)
                .finish_non_exhaustive()
        }
    }
}

/// `pluginregistration`
pub mod registration {
    #![expect(clippy::pedantic, unused_qualifications, reason = "generated code")]
    tonic::include_proto!("pluginregistration");
}

/// Device plugins: `v1beta1`.
pub mod deviceplugin {
    #![expect(clippy::pedantic, unused_qualifications, reason = "generated code")]
    tonic::include_proto!("v1beta1");
}

/// Devices that are claimed: `k8s.io.kubelet.pkg.apis.dra.v1`.
pub mod dra {
    #![expect(clippy::pedantic, unused_qualifications, reason = "generated code")]
    tonic::include_proto!("k8s.io.kubelet.pkg.apis.dra.v1");
}

/// Which pods have which devices: `v1`.
pub mod podresources {
    #![expect(clippy::pedantic, unused_qualifications, reason = "generated code")]
    tonic::include_proto!("v1");
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
