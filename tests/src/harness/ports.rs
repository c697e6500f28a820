//! Ports that nobody else has.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range that Linux takes the ports of outgoing connections from (32768 and up): a port from there can be
/// taken between our look and Envoy's bind, and Envoy binds with `SO_REUSEPORT`, so that it would not even notice.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port on 127.0.0.1 that is free now and that this process has not handed out before.
///
/// # Panics
/// When all 20,000 ports of its range are taken.
pub fn free_port() -> u16 {
    // Processes start far apart, so that two at once do not look at the same ports at the same time.
    let start = std::process::id().wrapping_mul(977);
    for _ in 0..COUNT {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let offset = u16::try_from(start.wrapping_add(step) % u32::from(COUNT)).expect("less than COUNT");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, FIRST + offset)).is_ok() {
            return FIRST + offset;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_distinct_and_can_be_bound() {
        let mut ports: Vec<u16> = (0..50).map(|_| free_port()).collect();
        let listeners: Vec<TcpListener> =
            ports.iter().map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).unwrap()).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), listeners.len());
    }
}
