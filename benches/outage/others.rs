//! What else the machine did: where it has other work, latencies and losses are mostly about that.

use std::fs;

use crate::target::Outcome;

/// Ticks of what the core did beside a process, 100 to the second.
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

    /// Since it was last asked.
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
    // Behind the name, which may have spaces: state is field 3, utime 14, stime 15.
    let own = own.rsplit_once(')').ok_or("no name")?.1;
    let own: u64 = sum(&mut own.split_whitespace().skip(11).take(2));
    Ok(all.saturating_sub(own))
}

/// Datagrams that found a queue full so far: of the server at `port`, and of its clients.
pub(crate) fn dropped(port: u16) -> Outcome<(u64, u64)> {
    let (mut server, mut clients) = (0, 0);
    let port = format!(":{port:04X}");
    for line in fs::read_to_string("/proc/net/udp")?.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // Number, local and remote address; the last one is what was dropped.
        let [_, local, remote, .., drops] = fields[..] else { continue };
        let drops: u64 = drops.parse()?;
        server += if local.ends_with(&port) { drops } else { 0 };
        clients += if remote.ends_with(&port) { drops } else { 0 };
    }
    Ok((server, clients))
}
