//! The backends of the service: HTTP servers, each on an address of its own.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Ports to try until one is free on every address.
const PORTS_MAX: usize = 50;

/// An HTTP server that answers every request with 200 and its name.
pub(crate) struct Backend {
    name: &'static str,
    address: SocketAddr,
    running: Option<Running>,
}

struct Running {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Starts a backend for each name, on 127.0.0.11 and up, all on one port.
pub(crate) fn start_all<const N: usize>(names: [&'static str; N]) -> io::Result<Vec<Backend>> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..PORTS_MAX {
        match try_all(names) {
            Ok(backends) => return Ok(backends),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn try_all<const N: usize>(names: [&'static str; N]) -> io::Result<Vec<Backend>> {
    let mut backends: Vec<Backend> = Vec::with_capacity(N);
    for (name, host) in names.into_iter().zip(11..) {
        let ip = IpAddr::V4(Ipv4Addr::new(127, 0, 0, host));
        let port = backends.first().map_or(0, |first| first.address.port());
        let listener = TcpListener::bind((ip, port))?;
        let address = listener.local_addr()?;
        backends.push(Backend { name, address, running: Some(run(name, listener)) });
    }
    Ok(backends)
}

impl Backend {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.running.is_some()
    }

    /// Closes the port: connections are refused from now on.
    pub(crate) fn kill(&mut self) {
        if let Some(Running { stop, thread }) = self.running.take() {
            stop.store(true, Ordering::SeqCst);
            // Wakes the thread; the outcome of this connection does not matter.
            drop(TcpStream::connect(self.address));
            drop(thread.join());
        }
    }

    /// Opens the same port again.
    pub(crate) fn revive(&mut self) -> io::Result<()> {
        let listener = TcpListener::bind(self.address)?;
        self.running = Some(run(self.name, listener));
        Ok(())
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.kill();
    }
}

fn run(name: &'static str, listener: TcpListener) -> Running {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread = thread::spawn(move || {
        for stream in listener.incoming() {
            if stopped.load(Ordering::SeqCst) {
                return;
            }
            // A client that went away is no error.
            let _ = stream.and_then(|stream| answer(stream, name));
        }
    });
    Running { stop, thread }
}

/// Reads the head of one request and answers it.
fn answer(mut stream: TcpStream, name: &str) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    let (mut head, mut piece) = (Vec::new(), [0; 1024]);
    while !head.ends_with(b"\r\n\r\n") && head.len() < 8192 {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            len => head.extend_from_slice(&piece[..len]),
        }
    }
    let len = name.len();
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {len}\r\nconnection: close\r\n\r\n{name}")
}
