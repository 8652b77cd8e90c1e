//! A process that answers every request with 200, at any address of 127.0.0.0/8: the probed side
//! of benches.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use socket2::{Domain, Socket, Type};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// How a bench is told to be the target, and at which port.
const TARGET: &str = "WAYPOST_BENCH_TARGET";
/// Connections that wait to be taken: what Linux allows unless told otherwise.
const BACKLOG: i32 = 4096;

/// The process; ends with this value.
pub(crate) struct Target {
    pub(crate) process: Child,
    pub(crate) port: u16,
}

impl Target {
    /// Starts it at `port`; 0: at one that is free.
    pub(crate) fn start(port: u16) -> Outcome<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .env(TARGET, port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let output = process.stdout.take().ok_or("no output")?;
        BufReader::new(output).read_line(&mut line)?;
        Ok(Self { process, port: line.trim().parse()? })
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What `main` begins with: if this process is to be the target, it is that until it ends.
pub(crate) fn run_if_told() -> Option<Outcome<()>> {
    let port = std::env::var(TARGET).ok()?;
    Some(port.parse().map_err(Into::into).and_then(|port| Ok(answer(port)?)))
}

/// Answers requests, one connection after the other, until its input ends.
fn answer(port: u16) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from(socket);
    println!("{}", listener.local_addr()?.port());
    io::stdout().flush()?;
    std::thread::spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let mut buffer = [0; 1024];
    for stream in listener.incoming() {
        // Whoever leaves early has its reasons.
        let Ok(mut stream) = stream else { continue };
        if matches!(stream.read(&mut buffer), Ok(1..)) {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n");
        }
    }
    Ok(())
}
