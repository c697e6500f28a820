//! Whether anything that was started is still there.

use std::fs;
use std::net::{SocketAddr, TcpStream};

/// What is left, each in one line: processes that are children of this one, addresses where somebody still listens.
pub fn left(addresses: &[SocketAddr]) -> Vec<String> {
    let mut left: Vec<String> = children().into_iter().map(|child| format!("process {child} is left")).collect();
    for address in addresses {
        if TcpStream::connect(address).is_ok() {
            left.push(format!("somebody still listens on {address}"));
        }
    }
    left
}

/// The process ids of our children with their command lines, as Linux tells them; none elsewhere.
fn children() -> Vec<String> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let ids: Vec<String> =
        lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
    let told = ids.into_iter().map(|id| {
        let words = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        format!("{id} ({})", words.replace('\0', " ").trim_end())
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::process::Command;

    #[test]
    #[cfg(target_os = "linux")]
    fn children_and_listeners_are_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut child = Command::new("sleep").arg("31.4").spawn().unwrap();
        let told = left(&[address]);
        child.kill().unwrap();
        child.wait().unwrap();
        drop(listener);
        let id = child.id();
        assert!(told.iter().any(|line| line.starts_with(&format!("process {id} ("))), "{told:?}");
        assert!(told.contains(&format!("somebody still listens on {address}")), "{told:?}");
        let told = left(&[address]);
        assert!(!told.iter().any(|line| line.contains(&format!(" {id} ")) || line.contains("listens")), "{told:?}");
    }
}
