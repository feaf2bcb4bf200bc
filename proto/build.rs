//! Compiles the .proto files into message types, clients and servers.

fn main() -> std::io::Result<()> {
    tonic_prost_build::configure()
        // Pieces of an image archive are shared, not copied, between the wire and their reader.
        .bytes(".drover.v1.ImportChunk.data")
        // Holds passwords and tokens: `cri` writes its own Debug that leaves them out.
        .skip_debug([".runtime.v1.AuthConfig"])
        .compile_protos(&["proto/cri_v1.proto", "proto/drover_v1.proto"], &["proto"])
}
