//! Answers over UDP and TCP: from the zone, or from the node's name servers where a name is not ours. hickory frames,
//! bounds and truncates the messages.

use crate::search::SearchPaths;
use crate::upstream::{Reply, Upstream};
use crate::zone::{self, Answer, Zone};
use async_trait::async_trait;
use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Edns, Header, HeaderCounts, Metadata, OpCode, ResponseCode};
use hickory_server::proto::rr::rdata::CNAME;
use hickory_server::proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Aliases that are followed before the chain counts as a circle.
const ALIASES_MAX: usize = 8;
/// The largest answer over UDP: what passes every network in one packet.
/// k8s: CoreDNS's bufsize of the DNS flag day 2020.
const UDP_PAYLOAD_MAX: u16 = 1232;
/// A search path that takes longer is left to the client, whose own patience ends after five seconds.
const SEARCH_MAX: Duration = Duration::from_secs(2);

/// Who answers.
pub struct Responder {
    zone: Zone,
    upstream: Upstream,
    /// `None`: clients go through theirs themselves.
    search: Option<SearchPaths>,
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
        Self { zone, upstream, search: None }
    }

    /// Answers pods with what the rest of their search path leads to.
    pub fn search(self, paths: SearchPaths) -> Self {
        Self { search: Some(paths), ..self }
    }

    /// What `client` is told.
    pub async fn respond_to(&self, client: IpAddr, name: &Name, ty: RecordType) -> Response {
        let response = self.respond(name, ty).await;
        // Our own word that there is no such name; with somebody else's, a path has ended.
        let ours = response.authoritative && response.code == ResponseCode::NXDomain;
        let Some(paths) = self.search.as_ref().filter(|_| ours) else { return response };
        if !matches!(ty, RecordType::A | RecordType::AAAA) {
            return response;
        }
        let found = tokio::time::timeout(SEARCH_MAX, self.first_of(paths.after(name, client), ty)).await;
        match found {
            Ok(Some((target, found))) => self.as_alias(name, target, found),
            // Who got no answer may ask on.
            Ok(None) | Err(_) => response,
        }
    }

    /// The first of these names that exists, and what is there. None where that cannot be said: a client may go on in
    /// its own way after a failure, and on its own account.
    async fn first_of(&self, names: Vec<Name>, ty: RecordType) -> Option<(Name, Response)> {
        for name in names {
            let response = self.respond(&name, ty).await;
            match response.code {
                ResponseCode::NXDomain => {}
                ResponseCode::NoError => return Some((name, response)),
                _ => return None,
            }
        }
        None
    }

    /// As the answer to a question for `name`, which is ours, and stays true for as long as anything here.
    fn as_alias(&self, name: &Name, target: Name, found: Response) -> Response {
        if found.answers.is_empty() {
            return own(ResponseCode::NoError, Vec::new(), Vec::new(), Some(self.zone.authority()));
        }
        let mut answers = vec![Record::from_rdata(name.clone(), zone::TTL, RData::CNAME(CNAME(target)))];
        answers.extend(found.answers);
        own(ResponseCode::NoError, answers, found.additionals, found.authority)
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
        self.0.respond_to(request.src().ip(), question.original().name(), question.query_type()).await
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
