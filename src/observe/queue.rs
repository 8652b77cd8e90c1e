//! The lines on their way to standard error. Their queue is bounded, so that a slow or absent
//! reader costs no memory.

use std::io::{ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// The most octets that may wait in the queue.
const WAITING_MAX: usize = 1 << 20;

/// The capacity that a batch keeps for the next lines, in octets.
const ROOM: usize = 64 << 10;

/// The pause after a write that failed, for want of space for example.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The pause after a write that found the reader slow.
const SLOW_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// The lines that wait to be written, 1 MiB at most. A line without room is dropped and counted.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Backlog>,
    /// Notified whenever `waiting` changes.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Backlog {
    octets: Vec<u8>,
    /// The number of lines after `octets` that found no room.
    dropped: u64,
    is_ending: bool,
}

/// The input of the queue, to which `tracing` writes its lines.
#[derive(Debug)]
pub(super) struct Lines(pub(super) Arc<Queue>);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

impl Queue {
    /// Appends a whole line, or drops it. Never waits for the reader of the log.
    pub(super) fn push(&self, line: &[u8]) {
        let mut waiting = self.waiting();
        // After a lost line no line goes in before the loss is told.
        if waiting.dropped > 0 || waiting.octets.len() + line.len() > WAITING_MAX {
            waiting.dropped += 1;
        } else {
            waiting.octets.extend_from_slice(line);
        }
        drop(waiting);
        self.changed.notify_one();
    }

    /// Lets [`Queue::write_to`] end once everything is written, or at the first failure.
    pub(super) fn end(&self) {
        self.waiting().is_ending = true;
        self.changed.notify_one();
    }

    /// Writes lines to `out` as they come, and a line of `told` in the place of dropped ones.
    pub(super) fn write_to(&self, mut out: impl Write, told: impl Fn(u64) -> String) {
        let mut batch = Vec::new();
        while self.take(&mut batch, &told) && self.write(&mut out, &batch) {
            batch.clear();
            batch.shrink_to(ROOM);
        }
    }

    /// Waits for lines and moves them into `batch`, which is empty. Returns `false` if there will
    /// be no more.
    fn take(&self, batch: &mut Vec<u8>, told: &impl Fn(u64) -> String) -> bool {
        let mut waiting = self.waiting();
        while waiting.octets.is_empty() && waiting.dropped == 0 {
            if waiting.is_ending {
                return false;
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(batch, &mut waiting.octets);
        let dropped = std::mem::take(&mut waiting.dropped);
        drop(waiting);
        if dropped > 0 {
            batch.extend_from_slice(told(dropped).as_bytes());
        }
        true
    }

    /// Writes all of `batch`, and repeats failed writes. Returns `false` if one fails at the end.
    fn write(&self, out: &mut impl Write, mut batch: &[u8]) -> bool {
        while !batch.is_empty() {
            let wait = match out.write(batch) {
                Ok(0) => AGAIN_AFTER,
                Ok(written) => {
                    batch = batch.get(written..).unwrap_or(&[]);
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => SLOW_AGAIN_AFTER,
                Err(_) => AGAIN_AFTER,
            };
            let is_going_on = |waiting: &mut Backlog| !waiting.is_ending;
            let waited = self.changed.wait_timeout_while(self.waiting(), wait, is_going_on);
            if waited.unwrap_or_else(PoisonError::into_inner).0.is_ending {
                if wait == AGAIN_AFTER {
                    return false;
                }
                std::thread::sleep(wait);
            }
        }
        true
    }

    fn waiting(&self) -> MutexGuard<'_, Backlog> {
        // A thread that panics with the lock leaves it whole: lines are added in one step.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::mpsc;

    use super::*;

    /// An output that takes as much as `may` allows, and keeps it.
    struct Out {
        may: mpsc::Receiver<io::Result<usize>>,
        taken: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Out {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let most = self.may.recv().unwrap_or(Ok(usize::MAX))?;
            let taken = &octets[..most.min(octets.len())];
            self.taken.lock().unwrap().extend_from_slice(taken);
            Ok(taken.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns the output after `act` has pushed lines and allowed the output to take some.
    fn written(act: impl FnOnce(&Queue, &mpsc::Sender<io::Result<usize>>)) -> String {
        let (queue, taken) = (Queue::default(), Arc::new(Mutex::new(Vec::new())));
        let (let_take, may) = mpsc::channel();
        let out = Out { may, taken: Arc::clone(&taken) };
        std::thread::scope(|scope| {
            scope.spawn(|| queue.write_to(out, |dropped| format!("{dropped} dropped\n")));
            act(&queue, &let_take);
            drop(let_take);
            queue.end();
        });
        let taken = taken.lock().unwrap().clone();
        String::from_utf8(taken).unwrap()
    }

    #[test]
    fn lines_come_out_whole_and_in_order_whatever_is_taken_at_a_time() {
        let text = written(|queue, may| {
            queue.push(b"one\n");
            queue.push(b"two\n");
            (0..3).for_each(|_| may.send(Ok(1)).unwrap());
            may.send(Err(ErrorKind::Interrupted.into())).unwrap();
            may.send(Err(ErrorKind::WouldBlock.into())).unwrap();
        });
        assert_eq!(text, "one\ntwo\n");
    }

    #[test]
    fn what_finds_no_room_is_counted_and_told_in_its_place() {
        let line = [b"x".repeat(ROOM - 1), b"\n".to_vec()].concat();
        let text = written(|queue, may| {
            queue.push(b"first\n");
            // The output has not taken this line before all the others have been pushed.
            while !queue.waiting().octets.is_empty() {
                std::thread::yield_now();
            }
            (0..WAITING_MAX / ROOM + 5).for_each(|_| queue.push(&line));
            queue.push(b"small\n");
            may.send(Ok(usize::MAX)).unwrap();
            may.send(Ok(usize::MAX)).unwrap();
            while queue.waiting().dropped > 0 {
                std::thread::yield_now();
            }
            queue.push(b"last\n");
        });
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('x')).collect();
        assert_eq!(lines, ["first", "6 dropped", "last"]);
        assert_eq!(text.len(), WAITING_MAX + "first\n6 dropped\nlast\n".len());
    }

    #[test]
    fn an_end_that_takes_nothing_does_not_keep_the_process() {
        let text = written(|queue, may| {
            queue.push(b"lost\n");
            may.send(Err(ErrorKind::BrokenPipe.into())).unwrap();
        });
        assert_eq!(text, "");
    }
}
