//! A DNS client over UDP. hickory-proto writes its queries and reads the responses: code that
//! shares nothing with the server understands what it says.

use std::error::Error;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::str::FromStr;
use std::time::Duration;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};

/// The time one response may take. There are no retries: every lost query is a failure.
const PATIENCE: Duration = Duration::from_secs(2);

/// A client of one server, and the name that it asks for.
pub(crate) struct Client {
    socket: UdpSocket,
    name: Name,
    asked: u32,
}

impl Client {
    pub(crate) fn new(server: SocketAddr, name: &str) -> Result<Self, Box<dyn Error>> {
        let socket = UdpSocket::bind((server.ip(), 0))?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { socket, name: Name::from_str(name)?, asked: 0 })
    }

    /// Returns how many times [`Client::ask`] has been answered.
    pub(crate) fn asked(&self) -> u32 {
        self.asked
    }

    /// Asks for the name's A records, of which there must be exactly one.
    pub(crate) fn ask(&mut self) -> Result<IpAddr, Box<dyn Error>> {
        let response = self.exchange(&self.name, RecordType::A)?;
        self.asked += 1;
        match response.answers.as_slice() {
            [record] => record.data.ip_addr().ok_or_else(|| format!("no address: {record}").into()),
            records => Err(format!("{} records in an answer, expected 1", records.len()).into()),
        }
    }

    /// Asks for the SRV records of `name`, and returns them as readable lines, heaviest first.
    pub(crate) fn ask_srv(&self, name: &str) -> Result<Vec<String>, Box<dyn Error>> {
        let response = self.exchange(&Name::from_str(name)?, RecordType::SRV)?;
        let mut records: Vec<_> = response
            .answers
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(srv) => Some(srv),
                _ => None,
            })
            .collect();
        records.sort_by_key(|srv| (srv.priority, std::cmp::Reverse(srv.weight)));
        let line = |srv: &&hickory_proto::rr::rdata::SRV| {
            let (priority, weight, port) = (srv.priority, srv.weight, srv.port);
            format!("priority {priority}   weight {weight}   port {port}   {}", srv.target)
        };
        Ok(records.iter().map(line).collect())
    }

    fn exchange(&self, name: &Name, rtype: RecordType) -> Result<Message, Box<dyn Error>> {
        let mut query = Message::query();
        query.add_query(Query::query(name.clone(), rtype));
        self.socket.send(&query.to_vec()?)?;
        let mut buffer = [0; 1232];
        let len = self
            .socket
            .recv(&mut buffer)
            .map_err(|error| format!("a query for {name} got no response: {error}"))?;
        let response = Message::from_vec(buffer.get(..len).unwrap_or_default())?;
        let metadata = &response.metadata;
        if metadata.id != query.metadata.id {
            return Err("a response has another query's id".into());
        }
        match metadata.response_code {
            ResponseCode::NoError => Ok(response),
            other => Err(format!("{name} {rtype} was answered with {other}").into()),
        }
    }
}
