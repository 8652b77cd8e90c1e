//! `$GENERATE`: records in sequence, in the syntax of BIND.
//!
//! `$` stands for the number. `${OFFSET,WIDTH,BASE}` stands for the number plus an offset, with
//! leading zeros up to a width, in base `d`, `o`, `x` or `X`; or, for `n` or `N`, as hex digits in
//! reverse with dots between. `$$` and `\$` stand for a dollar sign.

use std::fmt::Write;
use std::ops::Range;

use super::line::Head;
use super::{Context, GENERATED_MAX, Mistake, Reader};
use crate::wire::excerpt::excerpt;
use crate::wire::rdata::{Token, logical_line};

/// The largest width, in characters.
const WIDTH_MAX: usize = 255;

/// The numbers of a directive.
struct Numbers {
    first: u32,
    last: u32,
    step: u32,
}

impl Reader<'_> {
    /// Adds the records of the directive at `whole`. Stops at the first mistake.
    pub(super) fn generate(
        &mut self,
        context: &mut Context,
        (range, owner, rest): (&Token<'_>, &Token<'_>, &[Token<'_>]),
        whole: &Range<usize>,
    ) -> Result<(), Mistake> {
        let numbers = Numbers::read(range.text).ok_or_else(|| {
            let message = format!("expected a range, found `{}`", excerpt(range.text));
            Mistake::new(range.span.clone(), message)
                .help("a range is `1-254`, or `0-254/2` for every second number")
        })?;
        self.generated_left =
            self.generated_left.checked_sub(numbers.count()).ok_or_else(|| {
                let message =
                    format!("$GENERATE makes {GENERATED_MAX} records of a zone at the most");
                Mistake::new(range.span.clone(), message)
            })?;
        let mut data = rest;
        Head::read(&mut data, owner.span.end)?;
        let head = &rest[..rest.len() - data.len()];
        let (mut line, mut template) = (String::new(), String::new());
        let head = head.iter().map(|word| word.text).collect::<Vec<_>>().join(" ");
        for word in data {
            // A single word in quotes is the whole data, as in BIND.
            let quote = if word.quoted && data.len() > 1 { "\"" } else { "" };
            let _ = write!(template, " {quote}{}{quote}", word.text);
        }
        for number in (numbers.first..=numbers.last).step_by(numbers.step as usize) {
            line.clear();
            for (text, at) in [(owner.text, &owner.span), (&head, whole), (&template, whole)] {
                expand(text, i64::from(number), &mut line)
                    .map_err(|message| Mistake::new(at.clone(), message))?;
                line.push(' ');
            }
            let mut words = Vec::new();
            let made = logical_line(&line, 0, &mut words).map_err(|(error, _)| error.into());
            let made = made.and_then(|_| self.record(context, whole.start, false, &words));
            made.map_err(|Mistake { error, help }| {
                let message = format!("{}, in `{}`", error.message, excerpt(line.trim_end()));
                Mistake { help, ..Mistake::new(whole.clone(), message) }
            })?;
        }
        Ok(())
    }
}

impl Numbers {
    /// Reads `FIRST-LAST` or `FIRST-LAST/STEP`, numbers below 2³¹.
    fn read(text: &str) -> Option<Self> {
        let (range, step) = text.split_once('/').unwrap_or((text, "1"));
        let (first, last) = range.split_once('-')?;
        let number = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u32>().ok().filter(|&number| digits && number <= i32::MAX as u32)
        };
        let (first, last, step) = (number(first)?, number(last)?, number(step)?);
        (first <= last && step > 0).then_some(Self { first, last, step })
    }

    fn count(&self) -> usize {
        ((self.last - self.first) / self.step) as usize + 1
    }
}

/// Appends `template` to `out`, with `number` in place of each `$`.
fn expand(template: &str, number: i64, out: &mut String) -> Result<(), String> {
    let mut rest = template;
    while let Some(at) = rest.find(['$', '\\']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('\\') {
            let len = rest.chars().take(2).map(char::len_utf8).sum();
            out.push_str(&rest[..len]);
            rest = &rest[len..];
        } else if let Some(tail) = rest.strip_prefix("$$") {
            out.push('$');
            rest = tail;
        } else if let Some(tail) = rest.strip_prefix("${") {
            let (modifiers, tail) = tail.split_once('}').ok_or("`${` without `}`")?;
            Modifiers::read(modifiers)
                .ok_or_else(|| {
                    let found = excerpt(modifiers);
                    format!("expected an offset, a width and a base, found `${{{found}}}`")
                })?
                .write(number, out);
            rest = tail;
        } else {
            let _ = write!(out, "{number}");
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    Ok(())
}

/// The offset, width and base in `${…}`.
struct Modifiers {
    offset: i64,
    width: usize,
    base: u8,
}

impl Modifiers {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let offset = parts.next()?.parse::<i32>().ok()?;
        let width = parts.next().map_or(Some(0), |width| width.parse().ok())?;
        let base = match parts.next() {
            None => b'd',
            Some(base) => *base.as_bytes().first().filter(|_| base.len() == 1)?,
        };
        let is_sound = width <= WIDTH_MAX && b"doxXnN".contains(&base) && parts.next().is_none();
        is_sound.then_some(Self { offset: offset.into(), width, base })
    }

    fn write(&self, number: i64, out: &mut String) {
        let (number, width) = (number + self.offset, self.width);
        // Two's complement in 32 bits, as BIND prints numbers below zero.
        let bits = number as u32;
        // Writing to a string cannot fail.
        let _ = match self.base {
            b'd' => write!(out, "{number:0width$}"),
            b'o' => write!(out, "{bits:0width$o}"),
            b'x' => write!(out, "{bits:0width$x}"),
            b'X' => write!(out, "{bits:0width$X}"),
            base => {
                nibbles(bits, width, base == b'N', out);
                Ok(())
            }
        };
    }
}

/// Appends the hex digits of `number`, lowest first, with dots between, at least `width`
/// characters.
fn nibbles(mut number: u32, width: usize, is_upper: bool, out: &mut String) {
    let start = out.len();
    loop {
        let digit = char::from_digit(number & 15, 16).unwrap_or('0');
        out.push(if is_upper { digit.to_ascii_uppercase() } else { digit });
        number >>= 4;
        if number == 0 && out.len() - start >= width {
            return;
        }
        out.push('.');
        if number == 0 && out.len() - start >= width {
            return;
        }
    }
}
