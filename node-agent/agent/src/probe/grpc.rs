//! The gRPC health check, as `grpc.health.v1` defines it: one unary call.

use http::uri::PathAndQuery;
use std::time::Duration;
use tonic::client::Grpc;
use tonic::transport::Endpoint;
use tonic_prost::ProstCodec;

#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `SERVING` in the protocol's enumeration.
const SERVING: i32 = 1;

/// Whether the service says that it serves; the error is what to tell the user.
pub async fn check(host: &str, port: u16, service: &str, timeout: Duration) -> Result<(), String> {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let address = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|e| e.to_string())?;
    let channel = endpoint.connect_timeout(timeout).connect().await;
    let channel =
        channel.map_err(|_| format!("timeout: failed to connect service \"{address}\" within {timeout:?}"))?;
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.map_err(|e| e.to_string())?;
    let codec: ProstCodec<HealthCheckRequest, HealthCheckResponse> = ProstCodec::default();
    let request = tonic::Request::new(HealthCheckRequest { service: service.to_owned() });
    let path = PathAndQuery::from_static("/grpc.health.v1.Health/Check");
    let reply: tonic::Response<HealthCheckResponse> = grpc
        .unary(request, path, codec)
        .await
        .map_err(|status| format!("error: health rpc probe failed: {}", status.message()))?;
    match reply.into_inner().status {
        SERVING => Ok(()),
        other => Err(format!("service unhealthy (responded with \"{}\")", name(other))),
    }
}

fn name(status: i32) -> &'static str {
    match status {
        0 => "UNKNOWN",
        2 => "NOT_SERVING",
        3 => "SERVICE_UNKNOWN",
        _ => "an unknown status",
    }
}
