//! A process that answers every request with 200, at any address of 127.0.0.0/8: benches probe
//! it.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use socket2::{Domain, Socket, Type};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// The environment variable that makes a bench the target; its value is the port.
const TARGET: &str = "WAYPOST_BENCH_TARGET";
/// Connections that may wait to be accepted: the limit of Linux unless configured otherwise.
const BACKLOG: i32 = 4096;

/// The running process; it ends with this value.
pub(crate) struct Target {
    pub(crate) process: Child,
    pub(crate) port: u16,
}

impl Target {
    /// Starts the process at `port`, or at a free port if that is 0.
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

/// Runs as the target until this process ends, if it was started as one; otherwise returns `None`.
/// `main` begins with this.
pub(crate) fn run_if_told() -> Option<Outcome<()>> {
    let port = std::env::var(TARGET).ok()?;
    Some(port.parse().map_err(Into::into).and_then(|port| Ok(answer(port)?)))
}

/// Answers requests, one connection after the other, until stdin ends.
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
        // A client that left early is no error.
        let Ok(mut stream) = stream else { continue };
        if matches!(stream.read(&mut buffer), Ok(1..)) {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n");
        }
    }
    Ok(())
}
