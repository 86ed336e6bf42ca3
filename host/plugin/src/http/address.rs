//! Which addresses are somewhere on the internet, and which are near this machine.

use engine::{Error, Result};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// What an address is that no server on the internet has, by IANA's registries of special addresses; none if one may have it.
pub(crate) fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let what = match address.octets() {
        [0, ..] => "an unspecified address",
        [127, ..] => "a loopback address",
        [169, 254, ..] => "a link-local address",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => "a private address",
        [192, 0, 0, _] | [192, 88, 99, _] | [198, 18..=19, ..] => "a reserved address",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "an address for documentation",
        [224..=239, ..] => "a multicast address",
        [240..=255, ..] => "a reserved address",
        _ => return None,
    };
    Some(what)
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let what = match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "an unspecified address",
        [0, 0, 0, 0, 0, 0, 0, 1] => "a loopback address",
        [0, 0, 0, 0, 0, 0xffff, ..] => "an IPv4-mapped address",
        // Where a network translates, a name that has IPv4 alone resolves to one of these.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            return special_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
        }
        [0xfc00..=0xfdff, ..] => "a private address",
        [0xfe80..=0xfeff, ..] => "a link-local address",
        [0xff00..=0xffff, ..] => "a multicast address",
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => "an address for documentation",
        [0x2001, 0..=0x1ff, ..] | [0x2002, ..] => "an address of a tunnel",
        [0x2000..=0x3fff, ..] => return None,
        _ => "a reserved address",
    };
    Some(what)
}

/// Addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    /// How many bits are alike.
    prefix: u32,
}

impl Network {
    /// `10.0.0.0/8`, or one address.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::invalid(format!("{text:?} is no network; write for example \"10.0.0.0/8\""));
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(most);
        if prefix > most { Err(wrong()) } else { Ok(Network { address, prefix }) }
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros() >= self.prefix
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros() >= self.prefix
            }
            _ => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_near_this_machine_is_told_from_one_on_the_internet() {
        let what = |address: &str| special(address.parse().unwrap()).unwrap_or("public");
        for (addresses, expected) in [
            (&["127.0.0.1", "127.255.0.9", "::1"][..], "a loopback address"),
            (&["169.254.169.254", "fe80::1", "febf::1", "fec0::1"], "a link-local address"),
            (
                &[
                    "10.1.2.3",
                    "172.16.0.1",
                    "172.31.255.255",
                    "192.168.1.1",
                    "100.64.0.1",
                    "fd00:ec2::254",
                    "fc00::1",
                ],
                "a private address",
            ),
            (&["0.0.0.0", "0.1.2.3", "::"], "an unspecified address"),
            (&["::ffff:127.0.0.1", "::ffff:8.8.8.8"], "an IPv4-mapped address"),
            (&["224.0.0.1", "239.255.255.250", "ff02::1"], "a multicast address"),
            (
                &["255.255.255.255", "240.0.0.1", "192.0.0.8", "198.19.0.1", "::7f00:1", "100::1"],
                "a reserved address",
            ),
            (&["192.0.2.1", "203.0.113.7", "2001:db8::1", "3fff::1"], "an address for documentation"),
            (&["2002:7f00:1::", "2001::1"], "an address of a tunnel"),
            (&["64:ff9b::127.0.0.1"], "a loopback address"),
            (&["64:ff9b::10.0.0.1"], "a private address"),
            (
                &[
                    "8.8.8.8",
                    "172.32.0.1",
                    "100.128.0.1",
                    "2606:4700::1111",
                    "2001:4860:4860::8888",
                    "64:ff9b::8.8.8.8",
                ],
                "public",
            ),
        ] {
            for address in addresses {
                assert_eq!(what(address), expected, "{address}");
            }
        }
    }

    #[test]
    fn a_network_has_the_addresses_that_begin_as_it_does() {
        let contains = |network: &str, address: &str| {
            Network::parse(network).unwrap().contains(address.parse().unwrap())
        };
        assert!(contains("10.0.0.0/8", "10.255.0.1") && !contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("fd00::/8", "fd12::1") && !contains("fd00::/8", "fe80::1"));
        assert!(contains("10.0.0.5", "10.0.0.5") && !contains("10.0.0.5", "10.0.0.4"));
        assert!(contains("0.0.0.0/0", "8.8.8.8") && !contains("0.0.0.0/0", "::ffff:8.8.8.8"));
        for wrong in ["10.0.0.0/33", "10.0.0/8", "ten", "10.0.0.0/", "fd00::/129", ""] {
            assert!(Network::parse(wrong).unwrap_err().report().contains("is no network"), "{wrong}");
        }
    }
}
