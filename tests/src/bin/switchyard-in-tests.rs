//! The command `switchyard`, built with the tests that call it: Cargo builds for tests the binaries of their own package.

#[cfg(not(target_family = "wasm"))]
fn main() -> std::process::ExitCode {
    switchyard_host_sim::cli::main()
}

#[cfg(target_family = "wasm")]
fn main() {}
