//! The places of records in their files: one offset each, and the text itself for the rest.

use std::ops::Range;
use std::sync::Arc;

use super::line::head_at;
use crate::config::diagnostic::Source;
use crate::zone::with_room;

/// The places of the records of a master file and of the files that it includes.
#[derive(Debug, Default)]
pub struct Written {
    /// The number of the first of these records among all records.
    first: usize,
    /// For each record, the offset of its line in its file.
    starts: Vec<u32>,
    /// For each file, the index of its first record. A file that includes another comes again after
    /// it.
    files: Vec<(usize, Arc<Source>)>,
}

impl Written {
    /// Creates an empty table for the records from the number `first` on, with room for those of a
    /// text of `len` octets.
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

    /// Returns the file of the record of this number, and the bytes from the first word of its line
    /// to the type. `None` if no master file wrote the record.
    pub fn place(&self, number: usize) -> Option<(Arc<Source>, Range<usize>)> {
        let at = number.checked_sub(self.first)?;
        let start = *self.starts.get(at)? as usize;
        let file = self.files.partition_point(|(first, _)| *first <= at).checked_sub(1)?;
        let source = &self.files.get(file)?.1;
        Some((Arc::clone(source), head_at(&source.text, start).unwrap_or(start..start)))
    }
}
