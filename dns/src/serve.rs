//! Answers over UDP and TCP: from the zone, or from the node's name servers where a name is not ours. hickory frames,
//! bounds and truncates the messages.

use crate::upstream::{Reply, Upstream};
use crate::zone::{Answer, Zone};
use async_trait::async_trait;
use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Edns, Header, HeaderCounts, Metadata, OpCode, ResponseCode};
use hickory_server::proto::rr::{DNSClass, Name, Record, RecordType};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use std::sync::Arc;

/// Aliases that are followed before the chain counts as a circle.
const ALIASES_MAX: usize = 8;
/// The largest answer over UDP: what passes every network in one packet.
/// k8s: CoreDNS's bufsize of the DNS flag day 2020.
const UDP_PAYLOAD_MAX: u16 = 1232;

/// Who answers.
pub struct Responder {
    zone: Zone,
    upstream: Upstream,
}

/// A whole answer.
#[derive(Debug, PartialEq)]
pub struct Response {
    pub code: ResponseCode,
    /// The cluster's own word, not somebody else's.
    pub authoritative: bool,
    pub answers: Vec<Record>,
    pub additionals: Vec<Record>,
    pub authority: Option<Record>,
}

impl Responder {
    pub fn new(zone: Zone, upstream: Upstream) -> Self {
        Self { zone, upstream }
    }

    pub async fn respond(&self, name: &Name, ty: RecordType) -> Response {
        let mut aliases = Vec::new();
        let mut asked = name.clone();
        loop {
            match self.zone.answer(&asked, ty) {
                Answer::Alias { record, .. } if ty == RecordType::CNAME => {
                    return own(ResponseCode::NoError, vec![*record], Vec::new(), None);
                }
                Answer::Alias { .. } if aliases.len() == ALIASES_MAX => {
                    return own(ResponseCode::ServFail, Vec::new(), Vec::new(), None);
                }
                Answer::Alias { record, target } => {
                    aliases.push(*record);
                    asked = target;
                }
                Answer::Absent => {
                    // A name that exists as an alias exists, whatever its target.
                    let code = if aliases.is_empty() { ResponseCode::NXDomain } else { ResponseCode::NoError };
                    return own(code, aliases, Vec::new(), Some(self.zone.authority()));
                }
                Answer::Records { answers, additionals } => {
                    let authority = answers.is_empty().then(|| self.zone.authority());
                    aliases.extend(answers);
                    return own(ResponseCode::NoError, aliases, additionals, authority);
                }
                Answer::Outside => {
                    let authoritative = !aliases.is_empty();
                    let Reply { code, answers, authority } = self.upstream.ask(&asked, ty).await;
                    let code = if authoritative { ResponseCode::NoError } else { code };
                    aliases.extend(answers);
                    return Response { code, authoritative, answers: aliases, additionals: Vec::new(), authority };
                }
            }
        }
    }
}

fn own(code: ResponseCode, answers: Vec<Record>, additionals: Vec<Record>, authority: Option<Record>) -> Response {
    Response { code, authoritative: true, answers, additionals, authority }
}

fn refusal(code: ResponseCode) -> Response {
    Response { code, authoritative: false, answers: Vec::new(), additionals: Vec::new(), authority: None }
}

/// The side that faces hickory's server.
#[derive(Clone)]
pub(crate) struct Handler(pub(crate) Arc<Responder>);

impl Handler {
    async fn answer(&self, request: &Request) -> Response {
        if request.metadata.op_code != OpCode::Query {
            return refusal(ResponseCode::NotImp);
        }
        let [question] = request.queries.queries() else { return refusal(ResponseCode::FormErr) };
        if question.query_class() != DNSClass::IN {
            return refusal(ResponseCode::NotImp);
        }
        // As it was written: resolvers that mix the case check that it comes back.
        self.0.respond(question.original().name(), question.query_type()).await
    }
}

#[async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut to: R) -> ResponseInfo {
        let Response { code, authoritative, answers, additionals, authority } = self.answer(request).await;
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.response_code = code;
        metadata.authoritative = authoritative;
        metadata.recursion_available = true;
        let mut builder = MessageResponseBuilder::from_message_request(request);
        let edns = request.edns.as_ref().map(|_| {
            let mut edns = Edns::new();
            edns.set_max_payload(UDP_PAYLOAD_MAX);
            edns
        });
        if let Some(edns) = &edns {
            builder.edns(edns);
        }
        let nothing = std::iter::empty::<&Record>();
        let message = builder.build(metadata, &answers, nothing, authority.as_ref(), &additionals);
        match to.send_response(message).await {
            Ok(info) => info,
            Err(error) => {
                tracing::debug!(%error, "an answer was not sent");
                failed(request)
            }
        }
    }
}

/// What the server's log is told of an answer that was not sent.
fn failed(request: &Request) -> ResponseInfo {
    let mut metadata = Metadata::response_from_request(&request.metadata);
    metadata.response_code = ResponseCode::ServFail;
    ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() })
}
