//! The endpoints: two processes that fail and return when they are told to.

use std::process::{Command, Stdio};

use crate::target::{Outcome, Target};

/// What happens to them.
#[derive(Clone, Copy)]
pub(crate) enum Event {
    Nothing,
    /// Nobody listens any more.
    Refuse(Part),
    /// Nobody answers any more, all of them.
    Hang,
    Return,
}

/// Which of them.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// Fewer than the guard's share.
    Marked,
    All,
}

/// One process for the marked ones and one for the others.
pub(crate) struct Endpoints {
    ports: [u16; 2],
    running: [Option<Target>; 2],
}

impl Endpoints {
    pub(crate) fn start() -> Outcome<Self> {
        let running = [Target::start(0)?, Target::start(0)?];
        let ports = [running[0].port, running[1].port];
        Ok(Self { ports, running: running.map(Some) })
    }

    /// Where marked ones are probed, and the others.
    pub(crate) fn ports(&self) -> [u16; 2] {
        self.ports
    }

    pub(crate) fn meet(&mut self, event: Event) -> Outcome<()> {
        match event {
            Event::Nothing => {}
            Event::Refuse(Part::Marked) => self.running[0] = None,
            Event::Refuse(Part::All) => self.running = [None, None],
            Event::Hang => self.signal("-STOP")?,
            Event::Return => {
                self.signal("-CONT")?;
                for (place, port) in self.running.iter_mut().zip(self.ports) {
                    if place.is_none() {
                        *place = Some(Target::start(port)?);
                    }
                }
            }
        }
        Ok(())
    }

    fn signal(&self, signal: &str) -> Outcome<()> {
        for target in self.running.iter().flatten() {
            run(Command::new("kill").args([signal, &target.process.id().to_string()]))?;
        }
        Ok(())
    }
}

/// Runs a command that is to succeed; what it prints is of no use.
pub(crate) fn run(command: &mut Command) -> Outcome<()> {
    match command.stdout(Stdio::null()).status()?.success() {
        true => Ok(()),
        false => Err(format!("{command:?} failed").into()),
    }
}
