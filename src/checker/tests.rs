//! The checker as a whole, against real sockets on the loopback.

use std::cell::RefCell;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpSocket};

use super::*;
use crate::health::{Binding, Bit, Board, GuardPolicy};
use crate::zone::{Check, CheckKind, Reach, TcpCheck};

const AMPLE: Duration = Duration::from_secs(20);
const HOUR: Duration = Duration::from_secs(3600);

/// Makes a TCP check; checks with different `tag`s are different ones.
fn check(interval: Duration, timeout: Duration, tag: usize) -> Check {
    let send = Some(tag.to_string().into_bytes());
    let kind = CheckKind::Tcp(TcpCheck { send, expect: None });
    Check { interval, timeout, rise: 2, fall: 2, ..Check::new(kind) }
}

fn expecting(check: Check, bytes: &str) -> Check {
    let expect = Some(bytes.as_bytes().to_vec());
    Check { kind: CheckKind::Tcp(TcpCheck { send: None, expect }), ..check }
}

/// Makes limits that allow as many probes to one address as in all.
fn limits(concurrency: usize) -> Limits {
    Limits { concurrency, per_address: concurrency }
}

/// A checker, its table, and a board that shows everything in it.
struct Scene {
    checker: Checker,
    table: Arc<Mutex<Table>>,
    board: Arc<Board>,
    clock: Clock,
}

impl Scene {
    fn new(concurrency: usize) -> Self {
        let (table, clock) = (
            Arc::new(Mutex::new(Table::new(GuardPolicy { share: 1.0, ..GuardPolicy::default() }))),
            Clock::system(),
        );
        let checker = Checker::new(
            clock.clone(),
            Arc::clone(&table),
            limits(concurrency),
            Reach::everywhere(),
        );
        Self { checker, table, board: Arc::new(Board::new(32)), clock }
    }

    /// Binds endpoint `at` and starts to probe it.
    fn add(&mut self, at: usize, address: SocketAddr, check: Check) -> Arc<[Binding]> {
        let bindings: Arc<[Binding]> = [binding(at, address, check)].into();
        self.table.lock().unwrap().bind(&self.board, &bindings, &[], self.clock.now());
        self.checker.sync();
        bindings
    }

    fn remove(&mut self, bindings: &Arc<[Binding]>) {
        self.table.lock().unwrap().unbind(bindings);
        self.checker.sync();
    }

    fn serves(&self, at: usize) -> bool {
        self.board.word((at / 64) as u32) & (1 << (at % 64)) != 0
    }

    /// Waits until endpoint `at` serves, or does not; returns how long it took, [`AMPLE`] at the
    /// most.
    async fn until(&self, at: usize, serves: bool) -> Duration {
        let started = Instant::now();
        while self.serves(at) != serves {
            assert!(started.elapsed() < AMPLE, "endpoint {at} never turned");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        started.elapsed()
    }
}

fn binding(at: usize, address: SocketAddr, check: Check) -> Binding {
    let bit = Bit { word: (at / 64) as u32, at: (at % 64) as u8 };
    Binding::of(Probed { address, check: Arc::new(check) }, &format!("e{at}"), bit)
}

/// Listens on `address`, whether or not a listener had it before.
fn listen(address: SocketAddr) -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket.listen(1024).unwrap()
}

fn loopback() -> TcpListener {
    listen(SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// Takes a port that refuses connections for as long as this socket lives.
fn refusing() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    socket
}

/// Starts a server that takes connections and closes them, while the test's runtime lives.
fn closing_server() -> SocketAddr {
    let listener = loopback();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    address
}

#[tokio::test]
async fn first_verdicts_are_all_in_as_soon_as_the_slowest_is() {
    let mut scene = Scene::new(256);
    assert!(scene.checker.first_verdicts(Duration::ZERO).await, "nothing to wait for");
    let silent = loopback();
    let timeout = Duration::from_millis(400);
    let mute = expecting(check(HOUR, timeout, 0), "220");
    scene.add(0, closing_server(), check(HOUR, AMPLE, 0));
    scene.add(1, silent.local_addr().unwrap(), mute);
    let started = Instant::now();
    assert!(!scene.checker.first_verdicts(timeout / 8).await, "one is still out");
    assert!(scene.checker.first_verdicts(AMPLE).await);
    assert!(started.elapsed() >= timeout * 9 / 10 && started.elapsed() < AMPLE / 2);
    assert!(scene.serves(0) && !scene.serves(1));
}

#[tokio::test]
async fn a_dead_endpoint_is_down_and_a_revived_one_up_within_the_promised_time() {
    let (interval, timeout) = (Duration::from_millis(500), Duration::from_millis(100));
    let listener = loopback();
    let address = listener.local_addr().unwrap();
    let mut scene = Scene::new(256);
    scene.add(0, address, check(interval, timeout, 0));
    assert!(scene.checker.first_verdicts(AMPLE).await);
    assert!(scene.serves(0));
    drop(listener);
    // The promise's 0.1 s, and as much again for a machine that is busy with other tests.
    let slack = Duration::from_millis(200);
    let down = scene.until(0, false).await;
    assert!(down <= interval * 2 + timeout + slack, "{down:?}");
    let _listener = listen(address);
    let up = scene.until(0, true).await;
    assert!(up <= interval * 2 + slack, "{up:?}");
}

#[tokio::test]
async fn while_a_turn_is_near_probes_come_sooner() {
    let (interval, fast) = (Duration::from_secs(2), Duration::from_millis(100));
    let listener = loopback();
    let address = listener.local_addr().unwrap();
    let mut scene = Scene::new(256);
    let check = check(interval, fast, 0);
    scene.add(0, address, Check { fall: 10, fast_interval: Some(fast), ..check });
    assert!(scene.checker.first_verdicts(AMPLE).await);
    drop(listener);
    let down = scene.until(0, false).await;
    assert!(down <= interval + fast * 10 + interval / 2, "{down:?}, not {:?}", interval * 10);
}

#[tokio::test]
async fn a_probe_that_takes_its_whole_interval_does_not_slow_the_pace() {
    let interval = Duration::from_millis(200);
    let silent = loopback();
    let mut scene = Scene::new(256);
    let started = Instant::now();
    let mute = expecting(check(interval, interval, 0), "220");
    scene.add(0, silent.local_addr().unwrap(), mute);
    for _ in 0..6 {
        let _ = silent.accept().await.unwrap();
    }
    assert!(started.elapsed() < interval * 8, "{:?}", started.elapsed());
}

#[tokio::test]
async fn sync_starts_what_is_new_stops_what_is_gone_and_keeps_the_rest() {
    let (kept, gone, paced) = (loopback(), loopback(), loopback());
    let short = Duration::from_millis(100);
    let mut scene = Scene::new(256);
    scene.add(0, kept.local_addr().unwrap(), check(HOUR, AMPLE, 0));
    let leaving = scene.add(1, gone.local_addr().unwrap(), check(short, short, 0));
    kept.accept().await.unwrap();
    gone.accept().await.unwrap();
    scene.remove(&leaving);
    scene.checker.sync();
    scene.add(2, paced.local_addr().unwrap(), check(short, short, 0));
    // Probes that were under way when `gone` left have arrived by the first of these.
    paced.accept().await.unwrap();
    while tokio::time::timeout(Duration::ZERO, gone.accept()).await.is_ok() {}
    for _ in 0..5 {
        paced.accept().await.unwrap();
    }
    let pending = |listener| async move {
        tokio::time::timeout(Duration::from_millis(1), TcpListener::accept(listener)).await.is_ok()
    };
    assert!(!pending(&gone).await, "probed although nothing asks for it");
    assert!(!pending(&kept).await, "probed afresh although it stayed");
    assert!(scene.serves(0) && scene.serves(2));
}

#[tokio::test]
async fn the_limit_holds_and_waiting_for_it_is_not_held_against_an_endpoint() {
    const LIMIT: usize = 3;
    let timeout = Duration::from_millis(500);
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let listener = loopback();
    let address = listener.local_addr().unwrap();
    let seen = Arc::clone(&most);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (open, most) = (Arc::clone(&open), Arc::clone(&seen));
            tokio::spawn(async move {
                most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(timeout / 5).await;
                // Before the answer: after it, the prober may start the next probe.
                open.fetch_sub(1, Ordering::SeqCst);
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"220 ready").await;
            });
        }
    });
    let mut scene = Scene::new(LIMIT);
    for at in 0..24 {
        let mut check = check(HOUR + Duration::from_secs(at as u64), timeout, 0);
        check = expecting(check, "220");
        scene.add(at, address, check);
    }
    let started = Instant::now();
    assert!(scene.checker.first_verdicts(AMPLE).await);
    assert!(started.elapsed() > timeout, "the last of them waited longer than its timeout");
    assert_eq!(scene.board.word(0), u64::MAX);
    assert_eq!(most.load(Ordering::SeqCst), LIMIT);
}

#[tokio::test]
async fn a_thousand_endpoints_get_their_first_verdicts() {
    let refusing = refusing();
    let (up, down) = (closing_server(), refusing.local_addr().unwrap());
    let mut scene = Scene::new(128);
    let bindings: Arc<[Binding]> = (0..1000)
        .map(|at| binding(at, if at % 2 == 0 { up } else { down }, check(HOUR, AMPLE, at)))
        .collect();
    scene.table.lock().unwrap().bind(&scene.board, &bindings, &[], scene.clock.now());
    scene.checker.sync();
    assert!(scene.checker.first_verdicts(AMPLE).await);
    for at in 0..1000 {
        assert_eq!(scene.serves(at), at % 2 == 0, "endpoint {at}");
    }
}

#[tokio::test]
async fn a_stopped_checker_probes_nothing_more() {
    let listener = loopback();
    let address = listener.local_addr().unwrap();
    let short = Duration::from_millis(100);
    let mut scene = Scene::new(256);
    scene.add(0, address, check(short, short, 0));
    listener.accept().await.unwrap();
    scene.checker.stop().await;
    while tokio::time::timeout(Duration::ZERO, listener.accept()).await.is_ok() {}
    assert!(tokio::time::timeout(short * 4, listener.accept()).await.is_err());
}

thread_local! {
    /// The text that this thread logged.
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A writer to [`LOGGED`].
struct ThreadLog;

impl Write for ThreadLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Lets every thread log to a text of its own. A subscriber of one thread alone would miss lines
/// that another thread came upon first: that thread has no subscriber, so tracing remembers that
/// nobody wants them.
fn log_to_threads() {
    static SET: Once = Once::new();
    SET.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(|| ThreadLog);
        tracing::subscriber::set_global_default(subscriber.finish()).expect("no other one");
    });
}

#[tokio::test]
async fn every_endpoint_that_turns_gets_one_line() {
    log_to_threads();
    let refusing = refusing();
    let address = refusing.local_addr().unwrap();
    let mut scene = Scene::new(256);
    let check = check(HOUR, AMPLE, 0);
    let bindings: Arc<[Binding]> =
        [binding(0, address, check.clone()), binding(1, address, check)].into();
    scene.table.lock().unwrap().bind(&scene.board, &bindings, &[], scene.clock.now());
    scene.checker.sync();
    assert!(scene.checker.first_verdicts(AMPLE).await);
    scene.checker.stop().await;
    let text = String::from_utf8(LOGGED.take()).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    for (line, endpoint) in text.lines().zip(["e0", "e1"]) {
        let message = format!("web.example.com./{endpoint} is down: connection refused");
        assert!(line.contains("WARN waypost::health: ") && line.contains(&message), "{line}");
        for field in [
            format!("address={address}"),
            "check=\"tcp\"".into(),
            "from=unknown".into(),
            "to=down".into(),
            "reason=\"connection refused\"".into(),
        ] {
            assert!(line.contains(&field), "{field}: {line}");
        }
    }
}

#[tokio::test]
async fn checks_that_panic_begin_anew() {
    let starts = AtomicUsize::new(0);
    let start = || async {
        assert!(starts.fetch_add(1, Ordering::Relaxed) >= 2, "a panic, as the test wants it");
    };
    again_if_it_panics(start).await;
    assert_eq!(starts.load(Ordering::Relaxed), 3);
}
