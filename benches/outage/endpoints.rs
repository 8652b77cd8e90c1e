//! The endpoints: two processes that fail and return on command.

use std::process::{Command, Stdio};

use crate::target::{Outcome, Target};

/// An event that endpoints meet.
#[derive(Clone, Copy)]
pub(crate) enum Event {
    Nothing,
    /// The processes of this part end: connections are refused.
    Refuse(Part),
    /// All processes stop: nobody answers any more.
    Hang,
    Return,
}

/// The endpoints that an event concerns.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// The marked ones: fewer than the guard's share.
    Marked,
    All,
}

/// One process for the marked endpoints and one for the others.
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

    /// Returns the port of the marked endpoints, and that of the others.
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

/// Runs a command that must succeed, and discards what it prints to stdout.
pub(crate) fn run(command: &mut Command) -> Outcome<()> {
    match command.stdout(Stdio::null()).status()?.success() {
        true => Ok(()),
        false => Err(format!("{command:?} failed").into()),
    }
}
