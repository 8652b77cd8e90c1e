//! The `redis`, `mysql` and `postgres` probes: as much of each protocol as tells whether the server
//! takes clients. None gives a password: a server that asks for one is up.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Reason;
use super::attempt::Attempt;
use super::connect::{Connection, Dialer, First};
use super::parting::Parting;
use super::reason::Code;

/// The longest reply that is read, in octets; servers that work send shorter ones.
const REPLY_MAX: usize = 4096;

/// `PING` in the protocol of Redis.
const REDIS_PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

/// The capabilities that MySQL's client announces: protocol 4.1, its kind of password, plugins.
const MYSQL_CAPABILITIES: u32 = 0x0008_8200;
/// The largest packet that the client would take, in octets.
const MYSQL_PACKET_MAX: u32 = 1 << 24;
/// The number of utf8mb4.
const MYSQL_CHARSET: u8 = 45;
/// The errors of a refused login or database: the server works.
const MYSQL_DENIED: [u16; 3] = [1045, 1698, 1044];

/// The version of PostgreSQL's protocol, 3.0.
const POSTGRES_VERSION: u32 = 3 << 16;
/// The classes of SQLSTATE with which a server works: authorization refused, no such database.
const POSTGRES_DENIED: [&[u8]; 2] = [b"28", b"3D"];

/// A prober that asks a database server whether it takes clients.
#[derive(Clone, Debug)]
pub(super) struct Database {
    dialer: Dialer,
    protocol: Protocol,
}

#[derive(Clone, Debug)]
enum Protocol {
    Redis,
    /// MySQL, under this user's name.
    Mysql(String),
    /// PostgreSQL, under this user's name.
    Postgres(String),
}

impl Database {
    pub(super) fn redis(dialer: Dialer) -> Self {
        Self { dialer, protocol: Protocol::Redis }
    }

    pub(super) fn mysql(user: &str, dialer: Dialer) -> Self {
        Self { dialer, protocol: Protocol::Mysql(user.to_owned()) }
    }

    pub(super) fn postgres(user: &str, dialer: Dialer) -> Self {
        Self { dialer, protocol: Protocol::Postgres(user.to_owned()) }
    }

    pub(super) async fn probe(
        &self,
        address: SocketAddr,
        attempt: &Attempt,
    ) -> Result<Reason, Reason> {
        let first = match self.protocol {
            Protocol::Redis | Protocol::Postgres(_) => First::Probe,
            Protocol::Mysql(_) => First::Endpoint,
        };
        let mut stream = attempt.connected(self.dialer.dial(address, first)).await?;
        let outcome = match &self.protocol {
            Protocol::Redis => redis(&mut stream).await,
            Protocol::Mysql(user) => mysql(&mut stream, user).await,
            Protocol::Postgres(user) => postgres(&mut stream, user).await,
        };
        attempt.leave(Parting::first(stream.into_stream()));
        outcome
    }
}

async fn redis(stream: &mut Connection) -> Result<Reason, Reason> {
    stream.write_all(REDIS_PING).await?;
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        if line.len() == REPLY_MAX {
            return Err(Reason::NotItsProtocol);
        }
        line.push(stream.read_u8().await?);
    }
    match &line[..] {
        b"+PONG\r\n" => Ok(Reason::Ready),
        [b'-', error @ ..] => match Code::of(error.split(|byte| *byte <= b' ').next()) {
            Some(code) if ["NOAUTH", "NOPERM", "WRONGPASS"].contains(&code.as_str()) => {
                Ok(Reason::Ready)
            }
            Some(code) => Err(Reason::NotReady(code)),
            None => Err(Reason::NotItsProtocol),
        },
        _ => Err(Reason::NotItsProtocol),
    }
}

/// Asks a MySQL server, up to the end of the handshake: a server counts clients that leave before
/// as errors, and refuses their host after a hundred of them.
async fn mysql(stream: &mut Connection, user: &str) -> Result<Reason, Reason> {
    let (_, greeting) = mysql_packet(stream).await?;
    match greeting[..] {
        [10, ..] => {}
        [0xff, low, high, ..] => return Err(mysql_error(low, high)),
        _ => return Err(Reason::NotItsProtocol),
    }
    let mut login = MYSQL_CAPABILITIES.to_le_bytes().to_vec();
    login.extend_from_slice(&MYSQL_PACKET_MAX.to_le_bytes());
    login.push(MYSQL_CHARSET);
    login.extend_from_slice(&[0; 23]);
    login.extend_from_slice(user.as_bytes());
    // The end of the name, no password, and the plugin for passwords.
    login.extend_from_slice(b"\0\0mysql_native_password\0");
    mysql_send(stream, 1, &login).await?;
    // A server may ask for the password in another way, once or twice.
    for _ in 0..3 {
        let (sequence, reply) = mysql_packet(stream).await?;
        match reply[..] {
            [0, ..] => {
                // Logged in after all: the probe leaves as clients do.
                mysql_send(stream, 0, &[1]).await?;
                return Ok(Reason::Ready);
            }
            [0xff, low, high, ..] => {
                let denied = MYSQL_DENIED.contains(&u16::from_le_bytes([low, high]));
                return if denied { Ok(Reason::Ready) } else { Err(mysql_error(low, high)) };
            }
            [1 | 0xfe, ..] => mysql_send(stream, sequence.wrapping_add(1), &[]).await?,
            _ => return Err(Reason::NotItsProtocol),
        }
    }
    Ok(Reason::Ready)
}

fn mysql_error(low: u8, high: u8) -> Reason {
    Reason::NotReady(Code::number(u16::from_le_bytes([low, high])))
}

/// Reads the next packet; returns its number and its content.
async fn mysql_packet(stream: &mut Connection) -> Result<(u8, Vec<u8>), Reason> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let [a, b, c, sequence] = head;
    let len = u32::from_le_bytes([a, b, c, 0]) as usize;
    if !(1..=REPLY_MAX).contains(&len) {
        return Err(Reason::NotItsProtocol);
    }
    let mut packet = vec![0; len];
    stream.read_exact(&mut packet).await?;
    Ok((sequence, packet))
}

async fn mysql_send(stream: &mut Connection, sequence: u8, packet: &[u8]) -> Result<(), Reason> {
    let [a, b, c, _] = (packet.len() as u32).to_le_bytes();
    Ok(stream.write_all(&[&[a, b, c, sequence], packet].concat()).await?)
}

async fn postgres(stream: &mut Connection, user: &str) -> Result<Reason, Reason> {
    let mut startup = POSTGRES_VERSION.to_be_bytes().to_vec();
    for part in ["user", user, "database", "postgres", "application_name", "waypost", ""] {
        startup.extend_from_slice(part.as_bytes());
        startup.push(0);
    }
    let len = startup.len() as u32 + 4;
    stream.write_all(&[&len.to_be_bytes()[..], &startup].concat()).await?;
    let kind = stream.read_u8().await?;
    let len = stream.read_u32().await? as usize;
    if !(4..=REPLY_MAX).contains(&len) {
        return Err(Reason::NotItsProtocol);
    }
    let mut reply = vec![0; len - 4];
    stream.read_exact(&mut reply).await?;
    match kind {
        // Whatever the server asks for, it takes clients.
        b'R' => Ok(Reason::Ready),
        b'E' => {
            let mut fields = reply.split(|byte| *byte == 0);
            let state = fields.find_map(|field| field.strip_prefix(b"C"));
            let denied =
                |state: &[u8]| POSTGRES_DENIED.iter().any(|class| state.starts_with(class));
            match (state.is_some_and(denied), Code::of(state)) {
                (true, _) => Ok(Reason::Ready),
                (false, Some(code)) => Err(Reason::NotReady(code)),
                (false, None) => Err(Reason::NotItsProtocol),
            }
        }
        _ => Err(Reason::NotItsProtocol),
    }
}
