//! The server's own settings, and the waypost.toml that they come from.

use std::path::PathBuf;

use super::{Failed, print_diagnostics};
use crate::config::{self, Diagnostic, ServerConfig};
use crate::server::read_source;

/// The name of the file in the working directory.
const HERE: &str = "waypost.toml";
/// The path of the file in packages and for the systemd unit.
const SYSTEM: &str = "/etc/waypost/waypost.toml";

/// The contents of waypost.toml.
pub(super) struct Settings {
    /// The file that was read; `None` if there is no file, so that every key has its default.
    file: Option<PathBuf>,
    /// The settings; `None` if there are errors among the diagnostics.
    pub(super) config: Option<ServerConfig>,
    /// Everything that is wrong with the file.
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Settings {
    /// Reads the file `named` on the command line, otherwise `./waypost.toml`, otherwise
    /// `/etc/waypost/waypost.toml`.
    ///
    /// Relative paths start at the working directory. Those in `/etc/waypost/waypost.toml` start at
    /// that directory, unless the file is `named`: the command runs elsewhere.
    pub(super) fn read(named: Option<&PathBuf>) -> Self {
        let found = || [HERE, SYSTEM].into_iter().map(PathBuf::from).find(|path| path.exists());
        let Some(path) = named.cloned().or_else(found) else {
            let (config, diagnostics) = (Some(ServerConfig::default()), Vec::new());
            return Self { file: None, config, diagnostics };
        };
        let (mut config, diagnostics) = match read_source(&path) {
            Ok(source) => config::load_server(&source),
            Err(problem) => (None, vec![Diagnostic::unplaced(problem)]),
        };
        if let (Some(config), None, Some(directory)) = (&mut config, named, path.parent()) {
            config.start_paths_at(directory);
        }
        let file = std::path::absolute(&path).unwrap_or(path);
        Self { file: Some(file), config, diagnostics }
    }

    /// Prints the path of the file to standard error, in one line; nothing if there is no file.
    pub(super) fn tell(&self) {
        if let Some(file) = &self.file {
            eprintln!("settings: {}", file.display());
        }
    }

    /// Prints everything that is wrong with the file, and returns its settings.
    pub(super) fn into_config(self) -> Result<ServerConfig, Failed> {
        print_diagnostics(&self.diagnostics);
        let config = self.config.ok_or(Failed)?;
        Ok(ServerConfig { file: self.file, ..config })
    }
}
