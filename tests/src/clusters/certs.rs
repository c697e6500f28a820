//! A folder of certificates, made anew by `openssl`, which must be on the PATH.

use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Credentials that the folder has: one of a user's, and Istio's own.
pub const CREDENTIALS: [&str; 2] = ["shop-client", "default"];

/// A new folder with `tls.crt`, `tls.key` and `ca.crt`, and the same below it for each of [`CREDENTIALS`].
///
/// # Errors
/// `openssl` is not there, or fails.
pub fn folder() -> Result<TempDir, String> {
    let folder = TempDir::with_prefix("switchyard-certs-").map_err(|error| error.to_string())?;
    let path = folder.path();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(path, &format!("req -x509 {key} -keyout tls.key -out tls.crt -days 2 -subj /CN=client"))?;
    let copy = |from: &str, to: &str| fs::copy(path.join(from), path.join(to)).map_err(|error| error.to_string());
    copy("tls.crt", "ca.crt")?;
    for name in CREDENTIALS {
        fs::create_dir(path.join(name)).map_err(|error| error.to_string())?;
        for file in ["tls.crt", "tls.key", "ca.crt"] {
            copy(file, &format!("{name}/{file}"))?;
        }
    }
    Ok(folder)
}

fn openssl(folder: &Path, arguments: &str) -> Result<(), String> {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output();
    let output = output.map_err(|error| format!("openssl makes the certificates of this test: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr)))
}
