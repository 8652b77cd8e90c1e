//! `waypost explain`: the reasons for an answer.

use clap::Args;

use super::engine::{Asking, Response, parse_name, parse_type, refuse_astray};
use super::{Failed, Format, dig};
use crate::explain::Explanation;
use crate::observe;
use crate::wire::kind::Type;

/// The line about the source of states: no check runs here.
const SOURCE: &str =
    "from       the zone files: every endpoint counts as up, except by `state` and --down";

/// Arguments of `waypost explain`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    waypost explain web.example.com\n  \
    waypost explain web.example.com AAAA --client 198.51.100.7\n  \
    waypost explain web.example.com A --down web/fra1 --down web/ams1\n  \
    waypost explain web.example.com A --subnet 198.51.100.0/24 --format json")]
pub(super) struct Explain {
    /// The name to ask for
    #[arg(value_name = "NAME")]
    name: String,
    /// The type to ask for
    #[arg(value_name = "TYPE", default_value = "A", value_parser = parse_type)]
    qtype: Type,
    #[command(flatten)]
    asking: Asking,
    /// The form of the explanation
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Explain {
    /// Asks the question, and prints the answer with its reasons.
    pub(super) fn run(self) -> Result<(), Failed> {
        let mut engine = self.asking.engine()?;
        let name = parse_name(&self.name)?;
        refuse_astray(&mut engine, &self.name, &name, self.qtype)?;
        let (message, hops) = engine.explain(&name, self.qtype);
        let why = Explanation::new(engine.snapshot(), engine.geo(), &hops);
        match self.format {
            Format::Text => {
                let text = format!("{SOURCE}\n{why}");
                match observe::is_colored(&std::io::stdout()) {
                    true => say!("{}", observe::colored(&text)),
                    false => say!("{text}"),
                }
                dig::print(&message);
            }
            Format::Json => {
                let response = Response::new(&name, self.qtype, &message);
                say!("{}", serde_json::json!({ "response": response, "hops": why.hops }));
            }
        }
        Ok(())
    }
}
