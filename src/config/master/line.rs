//! The line of a record: `[owner] [ttl] [class] type data`, TTL and class in either order.

use std::ops::Range;
use std::sync::Arc;

use super::{Context, Mistake, Reader, no_name};
use crate::config::words::{near_type, stray_at};
use crate::wire::excerpt::excerpt;
use crate::wire::kind::{CLASS_IN, Type};
use crate::wire::name::Name;
use crate::wire::rdata::{Token, logical_line, parse_period, parse_tokens};
use crate::zone::{RecordError, Ttl};

impl Reader<'_> {
    /// Reads the words of the logical line that starts at `start`.
    pub(super) fn line(
        &mut self,
        context: &mut Context,
        start: usize,
        words: &[Token<'_>],
    ) -> Result<(), Mistake> {
        let Some(first) = words.first() else { return Ok(()) };
        if first.text.starts_with('$') && !first.quoted {
            return self.directive(context, first, &words[1..]);
        }
        let owner_is_blank = is_blank(&context.source.text, start);
        if !owner_is_blank && let Some(warning) = stray_at(first.text) {
            self.warn(&Arc::clone(&context.source), first.span.clone(), warning);
        }
        self.record(context, start, owner_is_blank, words)
    }

    /// Reads a record from its words. `start` is the offset of its line, or that of the `$GENERATE`
    /// that makes it.
    pub(super) fn record(
        &mut self,
        context: &mut Context,
        start: usize,
        owner_is_blank: bool,
        words: &[Token<'_>],
    ) -> Result<(), Mistake> {
        let Some(first) = words.first() else { return Ok(()) };
        let mut rest = words;
        if !owner_is_blank {
            rest = &words[1..];
            self.owner(context, first)?;
        }
        let Some(owner) = context.owner else {
            return Err(Mistake::new(
                first.span.clone(),
                "this line repeats the owner of the line before, but there is none",
            )
            .help("start the line with an owner, such as `@`"));
        };
        let head =
            Head::read(&mut rest, first.span.end).map_err(|mistake| match owner_is_blank {
                true if mistake.help.is_none() => {
                    mistake.help("a line that starts with a space repeats the owner before it")
                }
                _ => mistake,
            })?;
        let end = words.last().map_or(start, |last| last.span.end);
        if let Some(ttl) = head.ttl {
            context.last_ttl = Some(ttl);
        }
        let rtype = head.rtype;
        parse_tokens(rtype, rest, end, &context.origin, &mut self.rdata)?;
        if let (Type::SOA, Some(minimum)) = (rtype, self.rdata.last_chunk()) {
            self.soa_ttl = Ttl::from_secs(u32::from_be_bytes(*minimum)).or(self.soa_ttl);
        }
        let ttl = self.ttl(context, &head)?;
        let pushed = self.records.push(owner, rtype, ttl, &self.rdata);
        pushed.map_err(|error| refused(first, error))?;
        self.written.push(&context.source, start);
        Ok(())
    }

    /// Reads the owner of this line, which following lines may repeat.
    fn owner(&mut self, context: &mut Context, word: &Token<'_>) -> Result<(), Mistake> {
        match Name::parse_into(word.text, Some(&context.origin), &mut self.name) {
            Ok(()) => {
                let owner = self.records.owner_of(&self.name);
                context.owner = Some(owner.map_err(|error| refused(word, error))?);
                Ok(())
            }
            Err(error) => {
                // Lines that repeat a bad owner must not be reported as well.
                context.owner = self.records.owner(&context.origin).ok();
                Err(no_name(word, "the owner", error))
            }
        }
    }

    /// Returns the record's own TTL, or the one that it inherits.
    fn ttl(&self, context: &mut Context, head: &Head) -> Result<Ttl, Mistake> {
        let given = context.default_ttl.or(context.last_ttl).or(self.default_ttl).or(self.soa_ttl);
        head.ttl.or(given).ok_or_else(|| {
            // One such error is enough: the cure is the same for all records.
            context.default_ttl = Some(Ttl::MAX);
            Mistake::new(head.type_at..head.end, "this record has no TTL, and nothing gives it one")
                .help("write `$TTL 1h` at the top of the file")
        })
    }
}

/// Returns whether the line that starts at `start` has no owner of its own.
fn is_blank(text: &str, start: usize) -> bool {
    matches!(text.as_bytes().get(start), Some(b' ' | b'\t'))
}

fn refused(word: &Token<'_>, error: RecordError) -> Mistake {
    Mistake::new(word.span.clone(), error.to_string())
}

/// Returns the bytes from the first word to the type, for the record whose line starts at `start`.
/// `None` if no line of words starts there.
pub(super) fn head_at(text: &str, start: usize) -> Option<Range<usize>> {
    let mut words = Vec::new();
    logical_line(text, start, &mut words).ok()?;
    let (first, others) = words.split_first()?;
    let mut rest = if is_blank(text, start) { &words[..] } else { others };
    // The words of a `$GENERATE` are in another order.
    let end = Head::read(&mut rest, first.span.end).map_or(first.span.end, |head| head.end);
    Some(first.span.start..end)
}

/// The words between the owner and the data.
pub(super) struct Head {
    ttl: Option<Ttl>,
    rtype: Type,
    /// The offset at which the type starts.
    type_at: usize,
    /// The offset at which the type ends.
    end: usize,
}

impl Head {
    /// Takes TTL, class and type off the front of `rest`. The text before `rest` ends at `end`.
    pub(super) fn read(rest: &mut &[Token<'_>], mut end: usize) -> Result<Self, Mistake> {
        let (mut ttl, mut class) = (None, false);
        while let Some((word, tail)) = rest.split_first() {
            *rest = tail;
            end = word.span.end;
            if ttl.is_none() && word.text.starts_with(|first: char| first.is_ascii_digit()) {
                ttl = Some(read_ttl(word)?);
            } else if let Some(number) = class_number(word.text).filter(|_| !class) {
                if number != CLASS_IN {
                    let message =
                        format!("class `{}`; only class IN is served", excerpt(word.text));
                    return Err(Mistake::new(word.span.clone(), message));
                }
                class = true;
            } else {
                let rtype = read_type(word)?;
                return Ok(Self { ttl, rtype, type_at: word.span.start, end });
            }
        }
        Err(Mistake::new(end..end, "the line ends before the record type"))
    }
}

/// Reads a TTL, 0 to 2³¹−1 seconds.
pub(super) fn read_ttl(word: &Token<'_>) -> Result<Ttl, Mistake> {
    parse_period(word.text).and_then(Ttl::from_secs).ok_or_else(|| {
        let message = format!("expected a TTL, found `{}`", excerpt(word.text));
        Mistake::new(word.span.clone(), message)
            .help("a TTL is seconds up to 2147483647, or a period such as `1h30m`")
    })
}

/// Returns the number of a class (RFC 1035 §3.2.4, RFC 3597 §5).
fn class_number(text: &str) -> Option<u16> {
    const CLASSES: [(&str, u16); 6] =
        [("IN", 1), ("CS", 2), ("CH", 3), ("HS", 4), ("NONE", 254), ("ANY", 255)];
    if let Some((_, number)) = CLASSES.iter().find(|(class, _)| class.eq_ignore_ascii_case(text)) {
        return Some(*number);
    }
    let (head, digits) = text.split_at_checked(5)?;
    if head.eq_ignore_ascii_case("CLASS") { digits.parse().ok() } else { None }
}

/// Reads a type that a zone can hold.
fn read_type(word: &Token<'_>) -> Result<Type, Mistake> {
    let mistake = |message| Mistake::new(word.span.clone(), message);
    match word.text.parse::<Type>() {
        Ok(rtype) if rtype.is_meta() => {
            Err(mistake(format!("{rtype} is a type of queries; a zone cannot hold it")))
        }
        Ok(rtype) => Ok(rtype),
        Err(_) => {
            let message = format!("expected a record type, found `{}`", excerpt(word.text));
            Err(Mistake { help: near_type(word.text), ..mistake(message) })
        }
    }
}
