//! The `exec` probe: a program of this machine, whose exit status says how the endpoint is.
//!
//! No shell takes part. The program gets the variables below and no others. It reads nothing, and
//! its output is not read.

use std::io;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;
use tokio::task::spawn_blocking;

use super::Reason;
use super::attempt::Attempt;
use crate::zone::ExecCheck;

/// The search path that the program gets.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A prober that runs the same program each time.
#[derive(Debug)]
pub(super) struct Exec(ExecCheck);

impl Exec {
    pub(super) fn new(check: ExecCheck) -> Self {
        Self(check)
    }

    pub(super) async fn probe(
        &self,
        address: SocketAddr,
        attempt: &Attempt,
    ) -> Result<Reason, Reason> {
        attempt.needs_no_connection();
        let mut command = Command::new(&self.0.program);
        command.args(&self.0.arguments).env_clear().env("PATH", PATH).env("LANG", "C");
        command.env("WAYPOST_ADDRESS", address.ip().to_string());
        if address.port() != 0 {
            command.env("WAYPOST_PORT", address.port().to_string());
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // A group of its own, so that its children end with it at the timeout.
        command.process_group(0).kill_on_drop(true);
        let cannot = |error: io::Error| Reason::CannotRun(error.kind());
        // On another thread: `spawn` waits for the program to run, for ever on a file system that
        // hangs.
        let started = spawn_blocking(move || {
            let child = command.spawn()?;
            Ok((Group(child.id()), child))
        });
        let started = started.await.map_err(|_| Reason::Panicked)?;
        let (mut group, mut child) = started.map_err(cannot)?;
        let status = child.wait().await;
        group.0 = None;
        self.judge(status.map_err(cannot)?)
    }

    fn judge(&self, status: ExitStatus) -> Result<Reason, Reason> {
        match status.code().and_then(|code| u8::try_from(code).ok()) {
            Some(code) if self.0.exit.contains(&code) => Ok(Reason::Exited(code)),
            Some(code) => Err(Reason::Exited(code)),
            None => Err(Reason::Killed),
        }
    }
}

/// The processes of a probe; if it is dropped while they run, it ends them all.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let leader = self.0.and_then(|pid| Pid::from_raw(pid as i32));
        if let Some(leader) = leader {
            // It fails only if none of them is left.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}
