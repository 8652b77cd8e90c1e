//! The file that keeps states over a restart.
//!
//! The first line has the time of writing. Then each address has a line: a number that stands for
//! what is probed, and the state. The last line has the checksum of all before it. Only Waypost
//! reads the file, and it believes all of it or nothing.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use tracing::{info, warn};

use super::files;
use super::lock::Lock;
use crate::clock::Clock;
use crate::config::StateFile;
use crate::health::{Kept, State};

/// The first words of the file; the number is the version of the format.
const HEAD: &str = "waypost-states 2 ";

/// The first word of the last line.
const FOOT: &str = "sha256 ";

/// The largest file that is read, in octets: room for two million states.
const LEN_MAX: u64 = 64 << 20;

/// The number of ticks of the control thread between two writes: half a minute if no file changes.
/// The stop writes too.
const TICKS: u32 = 15;

/// A reader and writer of kept states.
#[derive(Debug)]
pub(super) struct States {
    file: Option<StateFile>,
    /// The lock, held while the file is ours: no other process reads or writes the file then.
    lock: Option<Arc<Lock>>,
    /// The number of ticks since the last write.
    ticks: u32,
    /// Whether the last write failed, so that the log has it already.
    has_failed: bool,
}

impl States {
    pub(super) fn new(file: Option<StateFile>) -> Self {
        let lock = file.as_ref().map(|file| Arc::new(Lock::new(file.path.clone())));
        Self { file, lock, ticks: 0, has_failed: false }
    }

    /// Returns the lock of the file, if there is one.
    pub(super) fn lock(&self) -> Option<Arc<Lock>> {
        self.lock.clone()
    }

    /// Returns the states that were kept if they are new enough; none while another process has the
    /// file.
    pub(super) fn read(&mut self, clock: &Clock) -> Vec<Kept> {
        let is_ours = self.is_ours();
        let Some(StateFile { path, max_age }) = &self.file else { return Vec::new() };
        match is_ours {
            Ok(true) => {}
            Ok(false) => {
                let file = path.display();
                warn!(
                    %file,
                    "another process keeps its states in {file}: this one starts without \
                     earlier states, and keeps none while the other runs; give each server a \
                     state_file of its own"
                );
                return Vec::new();
            }
            Err(error) => {
                self.complain(&error);
                return Vec::new();
            }
        }
        files::remove_left(path);
        let text = match files::read(path, LEN_MAX) {
            Ok((octets, _)) => String::from_utf8(octets).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                let file = path.display();
                warn!(
                    %file, %error,
                    "cannot read the states kept in {file}: {error}; starting without earlier \
                     states"
                );
                return Vec::new();
            }
        };
        let Some((written, kept)) = parse(&text) else {
            let file = path.display();
            warn!(%file, "the states kept in {file} are damaged: starting without earlier states");
            return Vec::new();
        };
        let age = i64::from(clock.unix()) - i64::from(written);
        if !(0..=max_age.as_secs() as i64).contains(&age) {
            let file = path.display();
            info!(
                %file, age_s = age,
                "the states kept in {file} are too old ({age} s): starting without earlier states"
            );
            return Vec::new();
        }
        let (file, states) = (path.display(), kept.len());
        info!(%file, states, age_s = age, "resumed {states} states of {age} s ago from {file}");
        kept
    }

    /// Keeps the states that `known` returns, now and then.
    pub(super) fn tick(&mut self, clock: &Clock, known: impl FnOnce() -> Vec<Kept>) {
        self.ticks += 1;
        if self.file.is_some() && self.ticks >= TICKS {
            self.write(clock, known);
        }
    }

    /// Keeps the states that `known` returns.
    pub(super) fn write(&mut self, clock: &Clock, known: impl FnOnce() -> Vec<Kept>) {
        let is_ours = self.is_ours();
        let Some(StateFile { path, .. }) = &self.file else { return };
        self.ticks = 0;
        let result = is_ours.and_then(|is_ours| match is_ours {
            true => files::replace(path, &[text(clock.unix(), &known()).as_bytes()]),
            false => Ok(()),
        });
        match result {
            Ok(()) => self.has_failed = false,
            Err(error) => self.complain(&error),
        }
    }

    /// Whether no other process has the file; it is locked from then on.
    fn is_ours(&self) -> io::Result<bool> {
        self.lock.as_ref().map_or(Ok(false), |lock| lock.take())
    }

    /// Warns once that states cannot be kept.
    fn complain(&mut self, error: &io::Error) {
        let Some(StateFile { path, .. }) = self.file.as_ref().filter(|_| !self.has_failed) else {
            return;
        };
        let file = path.display();
        warn!(
            %file, %error,
            "cannot keep the states in {file}: {error}; a restart will begin without them"
        );
        self.has_failed = true;
    }
}

fn text(written: u32, kept: &[Kept]) -> String {
    let mut text = format!("{HEAD}{written} {}\n", kept.len());
    for Kept { fingerprint, state } in kept {
        // This never fails, because a String grows.
        let _ = writeln!(text, "{fingerprint:016x} {state}");
    }
    let checksum = files::checksum(text.as_bytes());
    text + FOOT + &checksum + "\n"
}

/// Returns the time of writing and the states; `None` if the file is damaged.
fn parse(text: &str) -> Option<(u32, Vec<Kept>)> {
    let (body, checksum) = text.strip_suffix('\n')?.rsplit_once(FOOT)?;
    if checksum != files::checksum(body.as_bytes()) {
        return None;
    }
    let mut lines = body.strip_suffix('\n')?.split('\n');
    let (written, count) = lines.next()?.strip_prefix(HEAD)?.split_once(' ')?;
    let kept: Option<Vec<Kept>> = lines
        .map(|line| {
            let (fingerprint, state) = line.split_once(' ')?;
            let fingerprint = u64::from_str_radix(fingerprint, 16).ok()?;
            let state = [State::Up, State::Down].into_iter().find(|s| s.to_string() == state)?;
            Some(Kept { fingerprint, state })
        })
        .collect();
    let kept = kept.filter(|kept| Some(kept.len()) == count.parse().ok())?;
    Some((written.parse().ok()?, kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_damaged_is_not() {
        let kept = [(7, State::Up), (u64::MAX, State::Down)]
            .map(|(fingerprint, state)| Kept { fingerprint, state });
        let text = text(1_700_000_000, &kept);
        assert_eq!(parse(&text), Some((1_700_000_000, kept.to_vec())));
        for end in 0..text.len() {
            assert_eq!(parse(&text[..end]), None, "{:?}", &text[..end]);
        }
        assert_eq!(parse(&text.replace("down", "gone")), None);
        assert_eq!(parse(&text.replace("states 2", "states 3")), None);
        for at in 0..text.len() {
            let mut octets = text.clone().into_bytes();
            octets[at] ^= 1;
            let flipped = String::from_utf8(octets).unwrap();
            assert_eq!(parse(&flipped), None, "{flipped:?}");
        }
    }
}
