//! `waypost check`: is a zone directory right?

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::{Failed, ZONES, load_config, loader, print_diagnostics};
use crate::snapshot::Zone;

/// Arguments of `waypost check`.
#[derive(Args)]
pub(super) struct Check {
    /// The zone directory.
    #[arg(value_name = "DIR", default_value = ZONES)]
    directory: PathBuf,
    /// The server's own settings [default: waypost.toml here, otherwise in /etc/waypost]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Check {
    /// Prints every diagnostic, or one line that says what was found right.
    pub(super) fn run(self) -> Result<(), Failed> {
        let config = load_config(self.config.as_ref())?;
        let load = loader(Some(&self.directory), &config).load();
        print_diagnostics(&load.diagnostics);
        let zones = load.zones.filter(|_| load.is_as_expected).ok_or(Failed)?;
        let services: usize = zones.iter().map(|zone| zone.services().len()).sum();
        let in_zone = |zone: &Arc<Zone>| -> usize {
            zone.services().iter().map(|service| zone.own_endpoint_count(service)).sum()
        };
        let endpoints: usize = zones.iter().map(in_zone).sum();
        let tests = match load.tests {
            0 => String::new(),
            tests => format!(", {} hold", count(tests, "test")),
        };
        say!(
            "{}: {}, {}, {}{tests}",
            self.directory.display(),
            count(zones.len(), "zone"),
            count(services, "service"),
            count(endpoints, "endpoint"),
        );
        Ok(())
    }
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
