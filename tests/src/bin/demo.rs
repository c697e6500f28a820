//! `make demo`: what the library's `demo` does, with exit codes: 0 all holds, 1 something does not, 2 usage, 128 + n
//! when signal n ended it.

// Nothing of this exists on wasm; its target still compiles all binaries.
#[cfg(target_family = "wasm")]
fn main() {}

#[cfg(not(target_family = "wasm"))]
#[tokio::main]
async fn main() -> std::process::ExitCode {
    use switchyard_tests::demo::{Options, run};

    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}");
            return 2.into();
        }
    };
    // What runs is dropped when the signal comes, and so ends what it started.
    tokio::select! {
        done = run(&options) => match done {
            Ok(()) => 0.into(),
            Err(error) => {
                eprintln!("error: {error}");
                1.into()
            }
        },
        code = interrupted() => {
            eprintln!("interrupted");
            code.into()
        }
    }
}

/// Waits for Ctrl-C or a request to end; gives the exit code.
#[cfg(not(target_family = "wasm"))]
async fn interrupted() -> u8 {
    use tokio::signal::unix::{SignalKind, signal};

    let wait = async |kind: SignalKind| match signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        // Then the signal does what it does by default, and the kernel ends our children.
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => 130,
        () = wait(SignalKind::terminate()) => 143,
        () = wait(SignalKind::hangup()) => 129,
    }
}
