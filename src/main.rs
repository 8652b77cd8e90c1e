//! The `waypost` program: parses arguments, runs one command, maps errors to exit codes.

use std::process::ExitCode;

fn main() -> ExitCode {
    waypost::cli::run()
}
