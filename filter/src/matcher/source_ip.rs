//! `sourceIp`: networks of the trusted downstream address.

use crate::error::At;
use crate::request::{Known, Request};
use crate::truth::Truth;
use core::fmt;
use core::net::IpAddr;

/// A network in CIDR notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    network: u128,
    length: u32,
    v4: bool,
}

impl Cidr {
    /// Parses `10.0.0.0/8`, `2001:db8::/32`, or an address alone.
    pub fn compile(written: &str, at: &mut At) -> Option<Self> {
        let parsed = Self::parse(written);
        if parsed.is_none() {
            at.error(format!("`{written}` is no network: write `10.20.0.0/16`, `2001:db8::/32` or an address"));
        }
        parsed
    }

    fn parse(written: &str) -> Option<Self> {
        let (address, length) = written.split_once('/').map_or((written, None), |(a, l)| (a, Some(l)));
        let address: IpAddr = address.parse().ok()?;
        let (bits, width) = bits(address);
        let length = match length {
            None => width,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|l| *l <= width)?
            }
            Some(_) => return None,
        };
        Some(Self { network: bits & mask(length, width), length, v4: address.is_ipv4() })
    }

    /// Whether an address lies in the network. An IPv4 address mapped into IPv6 is one of IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let (bits, width) = bits(address);
        address.is_ipv4() == self.v4 && bits & mask(self.length, width) == self.network
    }
}

/// An address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(v4) => (u32::from(v4).into(), 32),
        IpAddr::V6(v6) => (v6.into(), 128),
    }
}

/// The `length` highest of `width` bits.
fn mask(length: u32, width: u32) -> u128 {
    let host = width.saturating_sub(length);
    let all = u128::MAX.checked_shr(128_u32.saturating_sub(width)).unwrap_or(0);
    all & u128::MAX.checked_shl(host).unwrap_or(0)
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[expect(clippy::cast_possible_truncation, reason = "the network of an IPv4 address has 32 bits")]
        let address: IpAddr = if self.v4 {
            core::net::Ipv4Addr::from(self.network as u32).into()
        } else {
            core::net::Ipv6Addr::from(self.network).into()
        };
        write!(f, "{address}/{}", self.length)
    }
}

/// Any of some networks.
#[derive(Debug)]
pub struct SourceIpMatch(pub Box<[Cidr]>);

impl SourceIpMatch {
    /// Whether a request matches.
    pub fn matches(&self, request: &Request<'_>) -> Truth {
        match request.source_address() {
            Known::Present(address) => self.0.iter().any(|network| network.contains(address)).into(),
            Known::Absent => Truth::False,
            Known::Unknown => Truth::Unknown,
        }
    }
}

impl fmt::Display for SourceIpMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("source address is in ")?;
        for (index, network) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}`{network}`")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses() {
        for (network, address, expected) in [
            ("10.20.0.0/16", "10.20.255.1", true),
            ("10.20.0.0/16", "10.21.0.0", false),
            ("10.20.3.4/16", "10.20.0.1", true),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "::1", true),
            ("::/0", "1.2.3.4", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ] {
            let network = Cidr::parse(network).expect(network);
            assert_eq!(network.contains(address.parse().expect(address)), expected, "{network} {address}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for written in ["10.0.0.0/33", "10.0.0/8", "a", "", "10.0.0.0/", "10.0.0.0/+8", "::/129"] {
            assert_eq!(Cidr::parse(written), None, "{written}");
        }
    }
}
