//! Addresses of endpoints, which istiod tells apart by them.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU16, Ordering};

/// One that no other endpoint of this process has, of this machine: upstreams are to listen on 0.0.0.0.
pub fn next() -> Ipv4Addr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let [high, low] = [number / 250, 1 + number % 250].map(|part| u8::try_from(part).unwrap_or(u8::MAX));
    Ipv4Addr::new(127, 2, high, low)
}
