//! `waypost check`: a check of everything that `serve` reads.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::settings::Settings;
use super::{Failed, Format, print_diagnostics};
use crate::config::{Diagnostic, ServerConfig, Severity};
use crate::server::{GeoFiles, Loader, examine, size_of};
use crate::snapshot::Zone;
use crate::wire::excerpt::counted;

/// Arguments of `waypost check`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    waypost check zones\n  \
    waypost check --bind --strict           before a deployment\n  \
    waypost check zones.new --format json   for programs\n\n\
    Run it as the user who runs `waypost serve`; otherwise it cannot tell which files that user \
    may read and write.")]
pub(super) struct Check {
    /// The zone directory [default: that of waypost.toml, otherwise zones]
    #[arg(value_name = "DIR", conflicts_with = "zones")]
    directory: Option<PathBuf>,
    /// The zone directory, by the option of the other commands
    #[arg(long, value_name = "DIR")]
    zones: Option<PathBuf>,
    /// The server's own settings [default: waypost.toml here, otherwise in /etc/waypost]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Also try to listen on every address; fails while a server listens there
    #[arg(long)]
    bind: bool,
    /// Fail for warnings, too
    #[arg(long)]
    strict: bool,
    /// The form of the findings
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// The result of a check.
#[derive(Default)]
struct Findings {
    diagnostics: Vec<Diagnostic>,
    /// Whether anything is an error, which `serve` would refuse.
    is_refused: bool,
    counts: Counts,
}

/// The numbers of zones and of their parts.
#[derive(Clone, Copy, Default)]
struct Counts {
    zones: usize,
    services: usize,
    endpoints: usize,
    tests: usize,
}

/// A diagnostic for programs.
#[derive(Serialize)]
struct Line<'a> {
    file: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
    severity: &'static str,
    message: &'a str,
    label: Option<&'a str>,
    help: Option<&'a str>,
}

impl Check {
    /// Prints every diagnostic, and a line of counts if the check passes; or one JSON object.
    pub(super) fn run(self) -> Result<(), Failed> {
        let settings = Settings::read(self.config.as_ref());
        settings.tell();
        let wanted = self.directory.as_ref().or(self.zones.as_ref());
        let configured = settings.config.as_ref().map(|config| &config.zones);
        let default = PathBuf::from(super::ZONES);
        let directory = wanted.or(configured).unwrap_or(&default).clone();
        let mut findings = Findings { diagnostics: settings.diagnostics, ..Findings::default() };
        match settings.config {
            Some(mut config) => {
                config.zones.clone_from(&directory);
                self.look(&config, &mut findings);
            }
            None => findings.is_refused = true,
        }
        let is_warned = self.strict && !findings.diagnostics.is_empty();
        let is_right = !findings.is_refused && !is_warned;
        match self.format {
            Format::Text => {
                print_diagnostics(&findings.diagnostics);
                if is_right {
                    say!("{}: {}", directory.display(), findings.counts.words());
                }
            }
            Format::Json => findings.print_json(is_right),
        }
        is_right.then_some(()).ok_or(Failed)
    }

    fn look(&self, config: &ServerConfig, findings: &mut Findings) {
        let (geo, problems) = GeoFiles::load(config.geo.clone());
        let warn = |problem: String| Diagnostic {
            severity: Severity::Warning,
            ..Diagnostic::unplaced(problem)
        };
        let problems = problems.into_iter().map(|problem| warn(problem.to_string()));
        findings.diagnostics.extend(problems);
        findings.diagnostics.extend(examine(config, self.bind));
        let loader = Loader::new(&config.zones).with_geo(geo.geo().clone());
        let load = loader.allowing(config.allowed()).load();
        findings.diagnostics.extend(load.diagnostics);
        let zones = load.zones.unwrap_or_default();
        findings.counts = Counts::of(&zones, load.tests);
        let is_error = |found: &Diagnostic| found.severity == Severity::Error;
        findings.is_refused = findings.diagnostics.iter().any(is_error);
    }
}

impl Findings {
    fn print_json(&self, is_right: bool) {
        let diagnostics: Vec<Line<'_>> = self.diagnostics.iter().map(Line::of).collect();
        let Counts { zones, services, endpoints, tests } = self.counts;
        say!(
            "{}",
            serde_json::json!({
                "right": is_right, "zones": zones, "services": services,
                "endpoints": endpoints, "tests": tests, "diagnostics": diagnostics,
            })
        );
    }
}

impl Counts {
    fn of(zones: &[Arc<Zone>], tests: usize) -> Self {
        let (services, endpoints) = size_of(zones);
        Self { zones: zones.len(), services, endpoints, tests }
    }

    fn words(&self) -> String {
        let tests = match self.tests {
            0 => String::new(),
            1 => ", 1 test holds".to_owned(),
            tests => format!(", {tests} tests hold"),
        };
        let (zones, services) = (counted(self.zones, "zone"), counted(self.services, "service"));
        format!("{zones}, {services}, {}{tests}", counted(self.endpoints, "endpoint"))
    }
}

impl<'a> Line<'a> {
    fn of(diagnostic: &'a Diagnostic) -> Self {
        let (line, column) = diagnostic.line_column().unzip();
        let file = diagnostic.place.as_ref().map(|(source, _)| source.path.display().to_string());
        Self {
            file,
            line,
            column,
            severity: diagnostic.severity.as_str(),
            message: &diagnostic.message,
            label: Some(&*diagnostic.label).filter(|label| !label.is_empty()),
            help: diagnostic.help.as_deref(),
        }
    }
}
