//! A reader of HTTP/1.1 responses (RFC 9112), which takes their octets as they come.

use httparse::{EMPTY_HEADER, Header, ParserConfig, Response, Status};

/// The most fields of a head; a head with more is malformed.
const FIELDS_MAX: usize = 128;
/// The longest line with the size of a chunk, its extensions included, in octets.
const CHUNK_LINE_MAX: usize = 256;

/// The error of octets that are no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// A head, with the way in which its body ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// The length of the head, in octets.
    pub(super) len: usize,
    pub(super) body: Body,
    /// Whether another request may follow on the connection (RFC 9112 §9.3).
    pub(super) stays: bool,
}

/// The end of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// An end after which nothing has come.
    OfAll,
    /// An end after which something has come, or whose last line has not come yet.
    WithMore,
}

/// The end of a body, and the octets left until then (RFC 9112 §6.3).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// It ends after so many octets.
    Length(u64),
    /// It ends with a chunk of length 0.
    Chunked(Chunk),
    /// It ends with the connection.
    UntilClose,
}

/// The place in a chunk up to which a chunked body has been read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In the line with its size, of which this part has come.
    Line(Vec<u8>),
    /// So many octets before the end of its data.
    Data(u64),
    /// In the line break after its data.
    End,
}

/// Returns whether `seen`, whose last `fresh` octets are new, may hold a whole head: only then is
/// it worth parsing.
pub(super) fn may_end(seen: &[u8], fresh: usize) -> bool {
    let from = seen.len().saturating_sub(fresh + 3);
    let tail = seen.get(from..).unwrap_or_default();
    tail.windows(2).any(|two| two == b"\n\n") || tail.windows(3).any(|three| three == b"\n\r\n")
}

/// Reads the head that `seen` begins with, and lets `visit` see its status and its fields; `None`
/// if it is not complete.
///
/// `is_head` says that the request was HEAD, whose response has no body (RFC 9110 §9.3.2).
pub(super) fn head<T>(
    seen: &[u8],
    is_head: bool,
    visit: impl FnOnce(u16, &[Header]) -> T,
) -> Result<Option<(Head, T)>, Malformed> {
    let mut fields = [EMPTY_HEADER; FIELDS_MAX];
    let mut response = Response::new(&mut fields);
    let parsed = lenient().parse_response(&mut response, seen);
    let Status::Complete(len) = parsed.map_err(|_| Malformed)? else { return Ok(None) };
    let status = response.code.ok_or(Malformed)?;
    let body = match status {
        _ if is_head => Body::Length(0),
        100..=199 | 204 | 304 => Body::Length(0),
        _ => Body::of(response.headers)?,
    };
    let is_closing = |field: &Header| {
        let mut words = field.value.split(|octet| *octet == b',').map(<[u8]>::trim_ascii);
        field.name.eq_ignore_ascii_case("connection")
            && words.any(|word| word.eq_ignore_ascii_case(b"close"))
    };
    let stays = response.version == Some(1) && !response.headers.iter().any(is_closing);
    Ok(Some((Head { status, len, body, stays }, visit(status, response.headers))))
}

/// Returns a parser that takes what curl and browsers take: lines that go on in the next one, and
/// spaces before a colon or between the parts of the status line. It skips lines that are no field.
fn lenient() -> ParserConfig {
    let mut parser = ParserConfig::default();
    parser
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .ignore_invalid_headers_in_responses(true);
    parser
}

/// Returns the value of the first field of this name.
pub(super) fn field<'h>(fields: &[Header<'h>], name: &str) -> Option<&'h [u8]> {
    fields.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
}

impl Body {
    fn of(fields: &[Header]) -> Result<Self, Malformed> {
        let values = |name: &'static str| {
            let is_it = move |field: &&Header| field.name.eq_ignore_ascii_case(name);
            fields.iter().filter(is_it).flat_map(|field| field.value.split(|octet| *octet == b','))
        };
        // "identity" was a coding once, which changes nothing (RFC 2616 §3.6).
        let is_coding = |coding: &&[u8]| !coding.trim_ascii().eq_ignore_ascii_case(b"identity");
        if let Some(coding) = values("transfer-encoding").rfind(is_coding) {
            let is_chunked = coding.trim_ascii().eq_ignore_ascii_case(b"chunked");
            return Ok(if is_chunked {
                Self::Chunked(Chunk::Line(Vec::new()))
            } else {
                Self::UntilClose
            });
        }
        let mut length = None;
        for value in values("content-length") {
            let text = std::str::from_utf8(value.trim_ascii()).map_err(|_| Malformed)?;
            let is_number = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
            let number: u64 = text.parse().map_err(|_| Malformed)?;
            if !is_number || length.is_some_and(|length| length != number) {
                return Err(Malformed);
            }
            length = Some(number);
        }
        Ok(length.map_or(Self::UntilClose, Self::Length))
    }

    /// Reads a piece of the body, and hands its content to `take`; `None` if the body is not over.
    pub(super) fn read(
        &mut self,
        mut piece: &[u8],
        mut take: impl FnMut(&[u8]),
    ) -> Result<Option<End>, Malformed> {
        match self {
            Self::UntilClose => {
                take(piece);
                Ok(None)
            }
            Self::Length(left) => {
                take_some(&mut piece, left, take);
                Ok((*left == 0).then(|| End::before(piece, b"")))
            }
            Self::Chunked(chunk) => chunk.read(piece, &mut take),
        }
    }

    /// Returns whether the body is whole if the connection ends here.
    pub(super) fn may_close(&self) -> bool {
        matches!(self, Self::UntilClose | Self::Length(0))
    }
}

impl End {
    /// Returns the end after which `rest` has come; the body itself may end with `known`.
    fn before(rest: &[u8], known: &[u8]) -> Self {
        if rest == known { Self::OfAll } else { Self::WithMore }
    }
}

impl Chunk {
    fn read(
        &mut self,
        mut piece: &[u8],
        take: &mut impl FnMut(&[u8]),
    ) -> Result<Option<End>, Malformed> {
        while !piece.is_empty() {
            match self {
                Self::Data(left) => {
                    take_some(&mut piece, left, &mut *take);
                    if *left == 0 {
                        *self = Self::End;
                    }
                }
                Self::End => match piece.split_first() {
                    Some((b'\r', rest)) => piece = rest,
                    Some((b'\n', rest)) => (*self, piece) = (Self::Line(Vec::new()), rest),
                    _ => return Err(Malformed),
                },
                Self::Line(line) => {
                    let end = piece.iter().position(|octet| *octet == b'\n');
                    let (more, rest) = piece.split_at(end.unwrap_or(piece.len()));
                    if line.len() + more.len() > CHUNK_LINE_MAX {
                        return Err(Malformed);
                    }
                    line.extend_from_slice(more);
                    piece = rest.get(1..).unwrap_or_default();
                    if end.is_some() {
                        match chunk_size(line)? {
                            // Trailers may follow, which are not read.
                            0 => return Ok(Some(End::before(piece, b"\r\n"))),
                            size => *self = Self::Data(size),
                        }
                    }
                }
            }
        }
        Ok(None)
    }
}

/// Hands on the octets of `piece` that belong to the next `left`, and takes them off both.
fn take_some(piece: &mut &[u8], left: &mut u64, mut take: impl FnMut(&[u8])) {
    let len = usize::try_from(*left).unwrap_or(usize::MAX).min(piece.len());
    let (content, rest) = piece.split_at(len);
    take(content);
    *left -= len as u64;
    *piece = rest;
}

/// Reads the number that begins a line of a chunk (RFC 9112 §7.1).
fn chunk_size(line: &[u8]) -> Result<u64, Malformed> {
    let digits = line.split(|octet| *octet == b';').next().unwrap_or_default().trim_ascii();
    let text = std::str::from_utf8(digits).map_err(|_| Malformed)?;
    // The parser of numbers would take a sign.
    match text.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        true => u64::from_str_radix(text, 16).map_err(|_| Malformed),
        false => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The octets that chunks consist of, and others.
    const OCTETS: &[u8] = b"0012af\r\n\r\n; x\xff";

    fn read(message: &str) -> Result<Option<Head>, Malformed> {
        let head = head(message.as_bytes(), false, |_, _| ())?;
        Ok(head.map(|(head, ())| head))
    }

    /// Reads a body piece by piece; returns its content, and whether it was whole.
    fn content(mut body: Body, octets: &[u8], step: usize) -> Result<(Vec<u8>, bool), Malformed> {
        let mut content = Vec::new();
        for piece in octets.chunks(step) {
            if body.read(piece, |octets| content.extend_from_slice(octets))?.is_some() {
                return Ok((content, true));
            }
        }
        Ok((content, body.may_close()))
    }

    #[test]
    fn a_head_says_how_its_body_ends() {
        let body = |fields: &str| {
            let message = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
            read(&message).map(|head| head.map(|head| head.body))
        };
        let chunked = Body::Chunked(Chunk::Line(Vec::new()));
        assert_eq!(body("Content-Length: 7\r\n"), Ok(Some(Body::Length(7))));
        assert_eq!(body("content-length: 7, 7\r\nContent-Length:7\r\n"), Ok(Some(Body::Length(7))));
        assert_eq!(body("Transfer-Encoding: gzip, Chunked\r\n"), Ok(Some(chunked)));
        assert_eq!(body("Transfer-Encoding: gzip\r\n"), Ok(Some(Body::UntilClose)));
        assert_eq!(body(""), Ok(Some(Body::UntilClose)));
        for wrong in ["7, 8", "-1", "+7", "", "7 7", "99999999999999999999"] {
            assert_eq!(body(&format!("Content-Length: {wrong}\r\n")), Err(Malformed), "{wrong}");
        }
        let status = |status: u16| {
            read(&format!("HTTP/1.1 {status} x\r\nContent-Length: 7\r\n\r\n")).unwrap().unwrap()
        };
        assert_eq!([204, 304].map(|code| status(code).body), [Body::Length(0), Body::Length(0)]);
    }

    #[test]
    fn what_is_no_head_is_told_and_what_is_none_yet_is_waited_for() {
        assert_eq!(read("HTTP/1.1 200 OK\r\nA: b\r\n"), Ok(None));
        assert_eq!(read("SSH-2.0-OpenSSH_9.2\r\n\r\n"), Err(Malformed));
        assert_eq!(read("HTTP/1.1 20\r\n\r\n"), Err(Malformed));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(FIELDS_MAX + 1));
        assert_eq!(read(&many), Err(Malformed));
    }

    #[test]
    fn an_end_is_seen_however_the_octets_come() {
        for message in ["HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "HTTP/1.1 200 OK\nA: b\n\n"] {
            for step in 1..message.len() {
                let mut seen = Vec::new();
                let pieces = message.as_bytes().chunks(step);
                let ends = pieces.map(|piece| {
                    seen.extend_from_slice(piece);
                    may_end(&seen, piece.len())
                });
                assert_eq!(ends.filter(|ends| *ends).count(), 1, "{message:?} by {step}");
            }
        }
    }

    #[test]
    fn a_chunked_body_is_the_same_however_it_comes() {
        let octets = b"5\r\nhello\r\n1;a=\"b\"\r\n,\r\n00A\r\n 0123456\r\n\r\n0\r\nA: b\r\n\r\n";
        for step in 1..octets.len() {
            let body = Body::Chunked(Chunk::Line(Vec::new()));
            let whole = (b"hello, 0123456\r\n".to_vec(), true);
            assert_eq!(content(body, octets, step), Ok(whole), "{step}");
        }
        for wrong in ["x\r\n", "5\r\nhello!\r\n", "fffffffffffffffff\r\n", "-1\r\n", "\r\n5\r\n"] {
            let body = Body::Chunked(Chunk::Line(Vec::new()));
            assert_eq!(content(body, wrong.as_bytes(), 3), Err(Malformed), "{wrong:?}");
        }
        let endless = "1".repeat(CHUNK_LINE_MAX + 1);
        let body = Body::Chunked(Chunk::Line(Vec::new()));
        assert_eq!(content(body, endless.as_bytes(), 100), Err(Malformed));
    }

    #[test]
    fn a_connection_stays_unless_someone_says_or_sends_more() {
        let stays = |message: &str| read(message).unwrap().unwrap().stays;
        assert!(stays("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n"));
        assert!(!stays("HTTP/1.1 200 OK\r\nconnection: x, Close\r\n\r\n"));
        assert!(!stays("HTTP/1.0 200 OK\r\n\r\n"));
        let end = |mut body: Body, octets: &[u8]| body.read(octets, |_| ()).unwrap();
        assert_eq!(end(Body::Length(3), b"abc"), Some(End::OfAll));
        assert_eq!(end(Body::Length(3), b"abcd"), Some(End::WithMore));
        let chunked = || Body::Chunked(Chunk::Line(Vec::new()));
        assert_eq!(end(chunked(), b"1\r\na\r\n0\r\n\r\n"), Some(End::OfAll));
        assert_eq!(end(chunked(), b"0\r\n"), Some(End::WithMore), "its last line is to come");
        assert_eq!(end(chunked(), b"0\r\nA: b\r\n\r\n"), Some(End::WithMore));
    }

    proptest! {
        #[test]
        fn a_body_is_the_same_whatever_its_octets_and_pieces(
            octets in prop::collection::vec(prop::sample::select(OCTETS), 0..200),
            step in 1usize..20,
        ) {
            let chunked = || Body::Chunked(Chunk::Line(Vec::new()));
            let bodies = || [chunked(), Body::Length(7), Body::UntilClose];
            for (whole, pieces) in bodies().into_iter().zip(bodies()) {
                let whole = content(whole, &octets, octets.len().max(1));
                prop_assert_eq!(content(pieces, &octets, step), whole);
            }
        }
    }

    #[test]
    fn a_body_of_a_length_ends_there_and_one_cut_short_is_not_whole() {
        assert_eq!(content(Body::Length(3), b"abcdef", 2), Ok((b"abc".to_vec(), true)));
        assert_eq!(content(Body::Length(9), b"abcdef", 2), Ok((b"abcdef".to_vec(), false)));
        assert_eq!(content(Body::UntilClose, b"abcdef", 4), Ok((b"abcdef".to_vec(), true)));
    }
}
