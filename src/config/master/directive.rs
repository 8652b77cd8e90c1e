//! The lines that start with `$`: `$ORIGIN`, `$TTL`, `$INCLUDE`, `$GENERATE`.

use std::sync::Arc;

use super::line::read_ttl;
use super::{Context, Mistake, OCTETS_MAX, Reader};
use crate::config::files::{locate, plain};
use crate::wire::excerpt::excerpt;
use crate::wire::rdata::Token;

/// The greatest depth of nested includes.
const INCLUDE_DEPTH_MAX: usize = 8;

/// The least number of octets that an included file counts for.
const INCLUDE_COST: usize = 1 << 10;

impl Reader<'_> {
    /// Follows the directive `word` with its arguments.
    pub(super) fn directive(
        &mut self,
        context: &mut Context,
        word: &Token<'_>,
        arguments: &[Token<'_>],
    ) -> Result<(), Mistake> {
        let fail = |message: String| Mistake::new(word.span.clone(), message);
        match (word.text.to_ascii_uppercase().as_str(), arguments) {
            ("$ORIGIN", [name]) => context.origin = context.name(name, "the new origin")?,
            ("$TTL", [ttl]) => context.default_ttl = Some(read_ttl(ttl)?),
            ("$INCLUDE", [file]) => self.include(context, file, None)?,
            ("$INCLUDE", [file, origin]) => self.include(context, file, Some(origin))?,
            ("$ORIGIN", _) => return Err(fail("$ORIGIN takes one name".to_owned())),
            ("$TTL", _) => return Err(fail("$TTL takes one TTL, such as `1h`".to_owned())),
            ("$INCLUDE", _) => {
                return Err(fail("$INCLUDE takes a file and, if need be, an origin".to_owned()));
            }
            ("$GENERATE", [range, owner, rest @ ..]) if !rest.is_empty() => {
                let whole = word.span.start..rest.last().map_or(0, |last| last.span.end);
                self.generate(context, (range, owner, rest), &whole)?;
            }
            ("$GENERATE", _) => {
                return Err(fail("$GENERATE takes a range and a record".to_owned())
                    .help("such as `$GENERATE 1-254 $ PTR host-$.example.net.`"));
            }
            _ => {
                let message = format!("`{}` is not a directive", excerpt(word.text));
                return Err(fail(message).help(
                    "directives are $ORIGIN, $TTL, $INCLUDE and $GENERATE; an owner that starts \
                     with a dollar sign is written `\\$`",
                ));
            }
        }
        Ok(())
    }

    /// Reads another file in the middle of this one.
    fn include(
        &mut self,
        context: &Context,
        file: &Token<'_>,
        origin: Option<&Token<'_>>,
    ) -> Result<(), Mistake> {
        let fail = |message: String| Mistake::new(file.span.clone(), message);
        let origin = match origin {
            Some(word) => context.name(word, "the origin of the included file")?,
            None => context.origin.clone(),
        };
        let path = locate(self.files.root(), &context.source.path, file.text).map_err(fail)?;
        if self.open.contains(&plain(&path)) {
            return Err(fail(format!("{} includes itself", path.display())));
        }
        if self.open.len() > INCLUDE_DEPTH_MAX {
            return Err(fail(format!("includes nest deeper than {INCLUDE_DEPTH_MAX} files")));
        }
        let source = self
            .files
            .read(&path)
            .map_err(|failure| fail(format!("cannot read {}: {failure}", path.display())))?;
        // Even an empty file costs the reading of it.
        let cost = source.text.len().max(INCLUDE_COST);
        self.octets_left = self.octets_left.checked_sub(cost).ok_or_else(|| {
            fail(format!("all included files hold more than {} MiB", OCTETS_MAX >> 20))
        })?;
        let included =
            Context { source: Arc::clone(&source), origin, owner: None, ..context.clone() };
        self.file(included);
        Ok(())
    }
}
