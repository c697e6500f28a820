//! The command `switchyard`.

use std::process::ExitCode;

fn main() -> ExitCode {
    switchyard_host_sim::cli::main()
}
