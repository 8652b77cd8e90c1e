//! The backends of a service: tiny HTTP servers on loopback that die and come back.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// An HTTP server that answers every request with 200 and `ok`.
pub(crate) struct Backend {
    address: SocketAddr,
    served: Arc<AtomicU32>,
    running: Option<Running>,
}

struct Running {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Backend {
    /// Serves on `ip` (any address of 127/8) and `port`, or a free port if that is 0.
    pub(crate) fn start(ip: IpAddr, port: u16) -> Self {
        let listener = TcpListener::bind((ip, port)).expect("an address of loopback");
        let address = listener.local_addr().expect("a bound address");
        let mut backend = Self { address, served: Arc::default(), running: None };
        backend.run(listener);
        backend
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the number of connections it has served.
    pub(crate) fn served(&self) -> u32 {
        self.served.load(Ordering::SeqCst)
    }

    /// Closes the port: new connections are refused from now on.
    pub(crate) fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop.store(true, Ordering::SeqCst);
            // Wakes the accept; its outcome does not matter.
            let _ = TcpStream::connect(self.address);
            running.thread.join().expect("the backend's thread ends");
        }
    }

    /// Opens the same port again.
    pub(crate) fn revive(&mut self) {
        assert!(self.running.is_none(), "only a dead backend can be revived");
        let listener = TcpListener::bind(self.address).expect("the port is free again");
        self.run(listener);
    }

    fn run(&mut self, listener: TcpListener) {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, served) = (Arc::clone(&stop), Arc::clone(&self.served));
        let thread = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                answer(stream);
                served.fetch_add(1, Ordering::SeqCst);
            }
        });
        self.running = Some(Running { stop, thread });
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads one request's head and answers; a client that says nothing for long is dropped.
fn answer(mut stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|four| four == b"\r\n\r\n") && head.len() < 8192 {
        match stream.read(&mut buffer) {
            Ok(len) if len > 0 => head.extend_from_slice(&buffer[..len]),
            _ => return,
        }
    }
    let _ =
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
    let _ = stream.shutdown(Shutdown::Both);
}
