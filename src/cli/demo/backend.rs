//! The web servers of the demo, each at its own address, which can be broken on purpose.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The last octet of the first backend's address, 127.0.0.11.
const FIRST_HOST: u8 = 11;
/// The longest time that a client may take to send its request.
const REQUEST_TIME: Duration = Duration::from_millis(500);
/// The interval at which a hung connection looks at the mode and at its client.
const HUNG_POLL: Duration = Duration::from_millis(50);
/// The longest head of a request that is read, in octets.
const HEAD_LEN_MAX: usize = 8192;

/// The response header by which a backend asks Waypost for less weight.
pub(super) const AGENT_HEADER: &str = "x-waypost";

/// The behaviour of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// The backend answers every request with 200 and its name.
    Serving,
    /// The backend answers, and asks for no new clients.
    Draining,
    /// The backend accepts connections and sends nothing.
    Hung,
    /// The port is closed.
    Killed,
}

impl Mode {
    const ALL: [Self; 4] = [Self::Serving, Self::Draining, Self::Hung, Self::Killed];
}

/// An HTTP server on loopback.
pub(super) struct Backend {
    name: &'static str,
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// State that the threads of one backend share.
struct Shared {
    name: &'static str,
    mode: AtomicU8,
}

impl Shared {
    fn mode(&self) -> Mode {
        let at = usize::from(self.mode.load(Ordering::SeqCst));
        Mode::ALL.get(at).copied().unwrap_or(Mode::Serving)
    }

    fn set_mode(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::SeqCst);
    }
}

impl Backend {
    /// Starts a backend for each name, on 127.0.0.11 and up, all on `port`; 0 takes any.
    pub(super) fn start_all(names: &[&'static str], port: u16) -> io::Result<Vec<Self>> {
        let mut backends: Vec<Self> = Vec::with_capacity(names.len());
        for (name, host) in names.iter().zip(FIRST_HOST..) {
            let port = backends.first().map_or(port, |first| first.address.port());
            let ip = IpAddr::V4(Ipv4Addr::new(127, 0, 0, host));
            backends.push(Self::start(name, SocketAddr::new(ip, port))?);
        }
        Ok(backends)
    }

    fn start(name: &'static str, address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { name, mode: AtomicU8::new(Mode::Serving as u8) });
        let mut backend = Self { name, address, shared, accepting: None };
        backend.accept_from(listener)?;
        Ok(backend)
    }

    /// Returns the name of the backend.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the address that the backend listens on.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the behaviour to `mode`.
    ///
    /// # Errors
    /// The port cannot be opened again.
    pub(super) fn behave(&mut self, mode: Mode) -> io::Result<()> {
        if mode == Mode::Killed {
            self.close();
            return Ok(());
        }
        if self.accepting.is_none() {
            let listener = TcpListener::bind(self.address)?;
            self.shared.set_mode(mode);
            return self.accept_from(listener);
        }
        self.shared.set_mode(mode);
        Ok(())
    }

    fn accept_from(&mut self, listener: TcpListener) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let accepting = thread::Builder::new().name(self.name.into()).spawn(move || {
            for stream in listener.incoming() {
                if shared.mode() == Mode::Killed {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let shared = Arc::clone(&shared);
                // The loss of a client, or of a thread for it, does not matter to the backend.
                let answering = move || drop(answer(stream, &shared));
                drop(thread::Builder::new().spawn(answering));
            }
        })?;
        self.accepting = Some(accepting);
        Ok(())
    }

    /// Closes the port: connections are refused from now on.
    fn close(&mut self) {
        self.shared.set_mode(Mode::Killed);
        if let Some(accepting) = self.accepting.take() {
            // The connection wakes the thread; its fate does not matter.
            drop(TcpStream::connect(self.address));
            drop(accepting.join());
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.close();
    }
}

/// Reads the head of one request, and answers it as the mode demands.
fn answer(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(REQUEST_TIME))?;
    let (mut head, mut piece) = (Vec::new(), [0; 1024]);
    let is_whole = |head: &[u8]| head.windows(4).any(|four| four == b"\r\n\r\n");
    while !is_whole(&head) && head.len() < HEAD_LEN_MAX {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            len => head.extend_from_slice(piece.get(..len).unwrap_or_default()),
        }
    }
    while shared.mode() == Mode::Hung {
        // A client that waits sends nothing more. If it closes the connection, the read returns,
        // and this thread ends.
        stream.set_read_timeout(Some(HUNG_POLL))?;
        match stream.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    let word = match shared.mode() {
        Mode::Killed => return Ok(()),
        Mode::Draining => "drain",
        Mode::Serving | Mode::Hung => "ready",
    };
    let body = format!("{}\n", shared.name);
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\
         {AGENT_HEADER}: {word}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
