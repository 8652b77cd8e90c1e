//! The wishes of the user as events: keys, lines and signals.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::Sender;
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use super::Event;
use super::backend::Mode;

/// The meaning of a key or a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// The next keys are to act on the backend with this index.
    Choose(usize),
    /// The chosen backend is to behave like this.
    Behave(Mode),
    /// The demo is to end.
    End,
}

/// Each wish with its key, and with its word in lines.
const WISHES: [(u8, &str, Wish); 5] = [
    (b'k', "kill", Wish::Behave(Mode::Killed)),
    (b'r', "revive", Wish::Behave(Mode::Serving)),
    (b'h', "hang", Wish::Behave(Mode::Hung)),
    (b'd', "drain", Wish::Behave(Mode::Draining)),
    (b'q', "quit", Wish::End),
];

/// The octet that Ctrl-D sends while the terminal hands over single keys.
const END_OF_TRANSMISSION: u8 = 4;

/// Returns the wish of a key; `None` if the key has no meaning.
pub(super) fn wish_of_key(key: u8) -> Option<Wish> {
    match key {
        END_OF_TRANSMISSION => Some(Wish::End),
        b'1'..=b'9' => Some(Wish::Choose(usize::from(key - b'1'))),
        _ => {
            let key = key.to_ascii_lowercase();
            WISHES.iter().find(|(of, ..)| *of == key).map(|(_, _, wish)| *wish)
        }
    }
}

/// Returns the wish of a word; `None` if the word has no meaning.
pub(super) fn wish_of_word(word: &str) -> Option<Wish> {
    WISHES.iter().find(|(_, of, _)| *of == word).map(|(_, _, wish)| *wish)
}

/// Sends each key of a terminal as an event, and the end of input.
pub(super) fn send_keys(events: Sender<Event>) -> io::Result<()> {
    thread::Builder::new().name("keys".into()).spawn(move || {
        for key in io::stdin().lock().bytes() {
            let Ok(key) = key else { break };
            if events.send(Event::Key(key)).is_err() {
                return;
            }
        }
        let _ = events.send(Event::End);
    })?;
    Ok(())
}

/// Sends each line of standard input as an event, and the end of input.
pub(super) fn send_lines(events: Sender<Event>) -> io::Result<()> {
    thread::Builder::new().name("lines".into()).spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if events.send(Event::Line(line)).is_err() {
                return;
            }
        }
        let _ = events.send(Event::End);
    })?;
    Ok(())
}

/// Sends signals as events: those that end a program, and the one by which it goes on.
pub(super) fn send_signals(events: Sender<Event>) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let inside = runtime.enter();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut quit = signal(SignalKind::quit())?;
    let mut go_on = signal(SignalKind::from_raw(libc::SIGCONT))?;
    drop(inside);
    thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            loop {
                let event = tokio::select! {
                    _ = terminate.recv() => Event::End,
                    _ = interrupt.recv() => Event::End,
                    _ = hangup.recv() => Event::End,
                    _ = quit.recv() => Event::End,
                    _ = go_on.recv() => Event::Resumed,
                };
                if events.send(event).is_err() {
                    return;
                }
            }
        });
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_words_say_the_same() {
        for (key, word, wish) in WISHES {
            assert_eq!(wish_of_key(key), Some(wish));
            assert_eq!(wish_of_key(key.to_ascii_uppercase()), Some(wish));
            assert_eq!(wish_of_word(word), Some(wish));
        }
        assert_eq!(wish_of_key(b'2'), Some(Wish::Choose(1)));
        assert_eq!(wish_of_key(b'x'), None);
        assert_eq!(wish_of_word("explode"), None);
    }
}
