//! Writes the cases as one JSON file: what the core in Node runs, where there are no files to read.

#[cfg(not(target_family = "wasm"))]
fn main() -> std::process::ExitCode {
    use switchyard_tests::case::{Lowered, folder, load_all};

    let cases = match load_all(&folder()) {
        Ok(cases) => cases,
        Err(error) => {
            eprintln!("{error}");
            return std::process::ExitCode::FAILURE;
        }
    };
    let lowered: Vec<&Lowered> = cases.iter().map(|case| &case.lowered).collect();
    match serde_json::to_writer(std::io::stdout().lock(), &lowered) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(target_family = "wasm")]
fn main() {}
