//! The only file that names hickory-server: its servers, and our answers as it wants them.
//!
//! It takes responses as records only, so what the waist wrote is taken apart again: owners and
//! RDATA octet by octet, EDNS options as they are. Only compression may differ.

use std::io;
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Edns, EdnsFlags, Header, HeaderCounts, Metadata};
use hickory_server::proto::rr::rdata::NULL;
use hickory_server::proto::rr::rdata::opt::EdnsOption;
use hickory_server::proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_server::proto::serialize::binary::{BinDecodable, BinDecoder, BinEncoder};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo, Server};
use hickory_server::zone_handler::{MessageResponse, MessageResponseBuilder, Queries};
use tokio::sync::watch;

use super::Listener;
use crate::answer::PADDING_BLOCK;
use crate::transport::bind::EncryptedSocket;
use crate::transport::counters::Counters;
use crate::transport::guarded::Guarded;
use crate::transport::{Over, Respond, STREAM_RESPONSE};
use crate::wire::edns::{code, options};
use crate::wire::kind::Type;
use crate::wire::rdata;

/// The longest that a handshake, a request or its body may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// Serves `listener` until `stop` turns true, or for as long as it can.
pub(super) async fn serve<R: Respond>(
    listener: &Listener,
    front: &Front<R>,
    stop: &mut watch::Receiver<bool>,
) -> io::Result<()> {
    let mut server = Server::new(Desk { front: front.clone(), over: listener.over });
    let (certificate, idle) =
        (Arc::clone(&listener.tls.certificate), listener.idle.min(HANDSHAKE_MAX));
    // Clones, so that the address stays ours whatever becomes of the server.
    match &listener.socket {
        EncryptedSocket::Streams(socket) => {
            let socket = tokio::net::TcpListener::from_std(socket.try_clone()?)?;
            let path = listener.tls.https_path.clone();
            server.register_https_listener(socket, idle, certificate, None, path)?;
        }
        EncryptedSocket::Datagrams(socket) => {
            let socket = tokio::net::UdpSocket::from_std(socket.try_clone()?)?;
            match listener.over {
                Over::H3 => server.register_h3_listener(socket, idle, certificate, None)?,
                _ => server.register_quic_listener(socket, idle, certificate)?,
            }
        }
    }
    // An error means that whoever could tell us to stop is gone: stop.
    let stopped = async { drop(stop.wait_for(|&stop| stop).await) };
    tokio::select! {
        () = stopped => server.shutdown_gracefully().await,
        ended = server.block_until_done() => ended,
    }
    .map_err(io::Error::other)
}

/// What all listeners of the thread answer with.
pub(super) struct Front<R>(Arc<Mutex<Shared<R>>>);

impl<R> Clone for Front<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Behind a lock because hickory asks for `Sync`; one thread uses it, so nobody ever waits.
struct Shared<R> {
    responder: Guarded<R>,
    counters: Arc<Counters>,
    out: Box<[u8]>,
}

impl<R: Respond> Front<R> {
    /// Answers with `responder`.
    pub(super) fn new(responder: Guarded<R>, counters: Arc<Counters>) -> Self {
        let out = vec![0; STREAM_RESPONSE].into();
        Self(Arc::new(Mutex::new(Shared { responder, counters, out })))
    }

    /// The waist's response to `request`, taken apart; `None` if there is none.
    fn answer(&self, request: &Request, over: Over) -> Option<Parts> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Shared { responder, counters, out } = &mut *shared;
        counters.received.add(1);
        responder.refresh();
        let len = responder.respond(request.as_slice(), request.src(), over, out)?;
        let parts = out.get(..len).and_then(Parts::read);
        if parts.is_none() {
            tracing::error!("a response cannot be taken apart and was dropped");
        }
        parts
    }

    /// Lets the responder look for newer data.
    pub(super) fn freshen(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).responder.freshen();
    }

    fn count(&self, is_sent: bool) {
        let shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = &shared.counters;
        if is_sent { counters.sent.add(1) } else { counters.send_errors.add(1) }
    }
}

/// Where the requests of one listener arrive.
struct Desk<R> {
    front: Front<R>,
    over: Over,
}

#[async_trait::async_trait]
impl<R: Respond> RequestHandler for Desk<R> {
    async fn handle_request<H: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut handle: H,
    ) -> ResponseInfo {
        // What is returned is for information only; nothing is sent unless the handle is used.
        let metadata = Metadata::response_from_request(&request.metadata);
        let unsent = ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() });
        // RFC 9250 §4.2.1: over QUIC the id is 0, and hickory answers as if it were.
        if self.over == Over::Quic && metadata.id != 0 {
            return unsent;
        }
        let Some(mut parts) = self.front.answer(request, self.over) else { return unsent };
        let Some(nothing) = no_queries() else { return unsent };
        let queries = if parts.has_question { &request.queries } else { &nothing };
        parts.pad(queries);
        let sent = handle.send_response(parts.response(queries)).await;
        self.front.count(sent.is_ok());
        sent.unwrap_or(unsent)
    }
}

/// An empty question section.
fn no_queries() -> Option<Queries> {
    Queries::read(&mut BinDecoder::new(&[]), 0).ok()
}

/// A response as hickory wants it.
struct Parts {
    /// The length of what the waist wrote.
    len: usize,
    metadata: Metadata,
    has_question: bool,
    answers: Vec<Record>,
    authorities: Vec<Record>,
    /// Without OPT.
    additionals: Vec<Record>,
    edns: Option<Edns>,
}

impl Parts {
    /// Takes a response apart.
    fn read(wire: &[u8]) -> Option<Self> {
        let mut decoder = BinDecoder::new(wire);
        let header = Header::read(&mut decoder).ok()?;
        let counts = header.counts;
        for _ in 0..counts.queries {
            Name::read(&mut decoder).ok()?;
            decoder.read_slice(4).ok()?;
        }
        let mut edns = None;
        let mut section = |count: u16| -> Option<Vec<Record>> {
            let mut records = Vec::with_capacity(count.into());
            for _ in 0..count {
                read_record(wire, &mut decoder, &mut records, &mut edns)?;
            }
            Some(records)
        };
        let answers = section(counts.answers)?;
        let authorities = section(counts.authorities)?;
        let additionals = section(counts.additionals)?;
        let mut metadata = header.metadata;
        metadata.merge_response_code(edns.as_ref().map_or(0, Edns::rcode_high));
        let (len, has_question) = (wire.len(), counts.queries > 0);
        Some(Self { len, metadata, has_question, answers, authorities, additionals, edns })
    }

    /// The response, to `queries`.
    fn response<'a>(&'a self, queries: &'a Queries) -> Response<'a> {
        MessageResponseBuilder::new(queries, self.edns.as_ref()).build(
            self.metadata,
            &self.answers,
            &self.authorities,
            &[],
            &self.additionals,
        )
    }

    /// Makes the padding, if there is some, what it takes to reach a whole number of blocks with
    /// hickory's compression.
    fn pad(&mut self, queries: &Queries) {
        let is_padding =
            |option: &EdnsOption| matches!(option, EdnsOption::Unknown(code::PADDING, _));
        let Some(options) = self.edns.as_mut().map(|edns| &mut edns.options_mut().options) else {
            return;
        };
        let Some(at) = options.iter().position(|(_, option)| is_padding(option)) else { return };
        options[at].1 = EdnsOption::Unknown(code::PADDING, Vec::new());
        let mut wire = Vec::with_capacity(self.len);
        let mut encoder = BinEncoder::new(&mut wire);
        encoder.set_max_size(u16::MAX);
        if self.response(queries).destructive_emit(&mut encoder).is_err() {
            return;
        }
        let room = STREAM_RESPONSE.saturating_sub(wire.len());
        let padding = (wire.len().next_multiple_of(PADDING_BLOCK) - wire.len()).min(room);
        if let Some(edns) = &mut self.edns {
            edns.options_mut().options[at].1 = EdnsOption::Unknown(code::PADDING, vec![0; padding]);
        }
    }
}

/// A response that borrows its records.
type Response<'a> = MessageResponse<
    'a,
    'a,
    slice::Iter<'a, Record>,
    slice::Iter<'a, Record>,
    slice::Iter<'a, Record>,
    slice::Iter<'a, Record>,
>;

/// Takes the next record out of `wire`: into `edns` if it is OPT, else to the end of `records`.
fn read_record(
    wire: &[u8],
    decoder: &mut BinDecoder<'_>,
    records: &mut Vec<Record>,
    edns: &mut Option<Edns>,
) -> Option<()> {
    let name = Name::read(decoder).ok()?;
    let rtype = decoder.read_u16().ok()?.unverified();
    let class = decoder.read_u16().ok()?.unverified();
    let ttl = decoder.read_u32().ok()?.unverified();
    let len = usize::from(decoder.read_u16().ok()?.unverified());
    let start = decoder.index();
    let data = decoder.read_slice(len).ok()?.unverified();
    if rtype == Type::OPT.0 {
        *edns = Some(read_edns(class, ttl, data)?);
        return Some(());
    }
    // Octets, whatever the type: hickory's own reading of a type must not change it.
    let rdata = NULL::with(rdata::expand(Type(rtype), wire, start..start + len)?);
    let data = RData::Unknown { code: RecordType::from(rtype), rdata };
    let mut record = Record::from_rdata(name, ttl, data);
    record.dns_class = DNSClass::from(class);
    records.push(record);
    Some(())
}

/// OPT with its options as they are (RFC 6891 §6.1).
fn read_edns(size: u16, ttl: u32, data: &[u8]) -> Option<Edns> {
    let [rcode_high, version, flags @ ..] = ttl.to_be_bytes();
    let mut edns = Edns::new();
    edns.set_max_payload(size).set_rcode_high(rcode_high).set_version(version);
    *edns.flags_mut() = EdnsFlags::from(u16::from_be_bytes(flags));
    for option in options(data) {
        let (code, value) = option.ok()?;
        edns.options_mut().insert(EdnsOption::Unknown(code, value.to_vec()));
    }
    Some(edns)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A response with an A record, a cookie and some padding.
    const RESPONSE: &[u8] = b"\x00\x07\x84\x00\x00\x01\x00\x01\x00\x00\x00\x01\
        \x01a\x07example\x00\x00\x01\x00\x01\
        \xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x0a\x00\x04\xc0\x00\x02\x50\
        \x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x13\
        \x00\x0a\x00\x0601cook\x00\x0c\x00\x05\0\0\0\0\0";

    /// What hickory makes of a response.
    fn rewritten(wire: &[u8]) -> Vec<u8> {
        let mut parts = Parts::read(wire).unwrap();
        let queries = Queries::read(&mut BinDecoder::new(&wire[12..]), 1).unwrap();
        parts.pad(&queries);
        let mut out = Vec::new();
        let mut encoder = BinEncoder::new(&mut out);
        encoder.set_max_size(u16::MAX);
        parts.response(&queries).destructive_emit(&mut encoder).unwrap();
        out
    }

    #[test]
    fn options_pass_and_padding_fills_whole_blocks() {
        let out = rewritten(RESPONSE);
        assert_eq!(out.len(), PADDING_BLOCK);
        assert_eq!(out[..27], RESPONSE[..27], "header and question");
        // What follows the owner, which may be compressed otherwise; OPT up to its length; cookie.
        for part in [&RESPONSE[29..43], &RESPONSE[43..52], &RESPONSE[54..64]] {
            assert!(out.windows(part.len()).any(|window| window == part), "{part:02x?}");
        }
    }

    #[test]
    fn a_response_cut_short_is_not_taken_apart() {
        for len in 0..RESPONSE.len() {
            assert!(Parts::read(&RESPONSE[..len]).is_none(), "{len}");
        }
    }
}
