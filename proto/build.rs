//! Compiles the .proto files into message types, clients and servers.

fn main() -> std::io::Result<()> {
    tonic_prost_build::configure()
        // Pieces of an image archive are shared, not copied, between the wire and their reader.
        .bytes(".drover.v1.ImportChunk.data")
        // Passwords, tokens and secrets of volumes: the modules below write their own Debug, which leaves them out.
        .skip_debug([".runtime.v1.AuthConfig", ".csi.v1.NodeStageVolumeRequest", ".csi.v1.NodePublishVolumeRequest"])
        .compile_protos(
            &[
                "proto/cri_v1.proto",
                "proto/drover_v1.proto",
                "proto/csi_v1.proto",
                "proto/registration_v1.proto",
                "proto/deviceplugin_v1beta1.proto",
                "proto/podresources_v1.proto",
                "proto/dra_v1.proto",
            ],
            &["proto"],
        )
}
