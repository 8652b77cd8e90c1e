//! Where records are written: an offset each, and the text itself for the rest.

use std::ops::Range;
use std::sync::Arc;

use super::line::head_at;
use crate::config::diagnostic::Source;
use crate::zone::with_room;

/// Where the records of a master file, and of those that it includes, are written.
#[derive(Debug, Default)]
pub struct Written {
    /// The number of the first of these records among all.
    first: usize,
    /// Where the line of each starts in its file.
    starts: Vec<u32>,
    /// Each file, and from which record on; one that includes another comes again after it.
    files: Vec<(usize, Arc<Source>)>,
}

impl Written {
    /// Places of the records from the number `first` on, those of a text of `len` octets.
    pub(super) fn from(first: usize, len: usize) -> Self {
        Self { first, starts: with_room(len / 16), files: Vec::new() }
    }

    /// Notes the next record.
    pub(super) fn push(&mut self, source: &Arc<Source>, start: usize) {
        if !self.files.last().is_some_and(|(_, last)| Arc::ptr_eq(last, source)) {
            self.files.push((self.starts.len(), Arc::clone(source)));
        }
        // The file is smaller than 4 GiB (`Reader::file`).
        self.starts.push(start as u32);
    }

    /// The file of the record of this number, and the bytes from the owner, or what stands first
    /// on the line, to the type; `None` for a record that no master file wrote.
    pub fn place(&self, number: usize) -> Option<(Arc<Source>, Range<usize>)> {
        let at = number.checked_sub(self.first)?;
        let start = *self.starts.get(at)? as usize;
        let file = self.files.partition_point(|(first, _)| *first <= at).checked_sub(1)?;
        let source = &self.files.get(file)?.1;
        Some((Arc::clone(source), head_at(&source.text, start).unwrap_or(start..start)))
    }
}
