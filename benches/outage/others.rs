//! The other work of the machine: where there is much of it, latencies and losses tell little else.

use std::fs;

use crate::target::Outcome;

/// A counter of the ticks, 100 to the second, that a core spent on anything but one process.
pub(crate) struct Others {
    core: &'static str,
    process: u32,
    before: u64,
}

impl Others {
    pub(crate) fn new(core: &'static str, process: u32) -> Outcome<Self> {
        let before = ticks(core, process)?;
        Ok(Self { core, process, before })
    }

    /// Returns the ticks since the last call, or since `new`.
    pub(crate) fn ticks(&mut self) -> Outcome<u64> {
        let now = ticks(self.core, self.process)?;
        let ticks = now.saturating_sub(self.before);
        self.before = now.max(self.before);
        Ok(ticks)
    }
}

fn ticks(core: &str, process: u32) -> Outcome<u64> {
    let sum = |fields: &mut dyn Iterator<Item = &str>| fields.flat_map(str::parse::<u64>).sum();
    let (all, own) =
        (fs::read_to_string("/proc/stat")?, fs::read_to_string(format!("/proc/{process}/stat"))?);
    let core = all.lines().find_map(|line| line.strip_prefix(&format!("cpu{core} ")));
    // User, nice, system.
    let all: u64 = sum(&mut core.ok_or("no such core")?.split_whitespace().take(3));
    // After the name, which may have spaces: state is field 3, utime 14, stime 15.
    let own = own.rsplit_once(')').ok_or("no name")?.1;
    let own: u64 = sum(&mut own.split_whitespace().skip(11).take(2));
    Ok(all.saturating_sub(own))
}

/// Returns how many datagrams found a queue full so far: the server's at `port`, and its clients'.
pub(crate) fn dropped(port: u16) -> Outcome<(u64, u64)> {
    let (mut server, mut clients) = (0, 0);
    let port = format!(":{port:04X}");
    for line in fs::read_to_string("/proc/net/udp")?.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // Number, local address, remote address; the last field counts the dropped datagrams.
        let [_, local, remote, .., drops] = fields[..] else { continue };
        let drops: u64 = drops.parse()?;
        server += if local.ends_with(&port) { drops } else { 0 };
        clients += if remote.ends_with(&port) { drops } else { 0 };
    }
    Ok((server, clients))
}
