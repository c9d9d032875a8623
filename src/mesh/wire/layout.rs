//! Bytes in and out: fixed-size big-endian numbers and length-prefixed runs, read with every length checked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;

use super::WireError;

/// Where encoded bytes go: a buffer, or a counter that only wants the length.
pub trait Sink {
    /// Takes the next bytes.
    fn put(&mut self, bytes: &[u8]);

    /// One byte.
    fn u8(&mut self, value: u8) {
        self.put(&[value]);
    }
    /// Two bytes.
    fn u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }
    /// Four bytes.
    fn u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }
    /// Five bytes: a chunk number; 2^40 chunks of 20 ms are 697 years.
    fn u40(&mut self, value: u64) {
        self.put(&value.to_be_bytes()[3..]);
    }
    /// Six bytes: milliseconds since 1970 until the year 10889.
    fn u48(&mut self, value: u64) {
        self.put(&value.to_be_bytes()[2..]);
    }
    /// Eight bytes.
    fn u64(&mut self, value: u64) {
        self.put(&value.to_be_bytes());
    }
    /// A length in two bytes, then the text.
    fn text(&mut self, text: &str) {
        self.u16(text.len() as u16);
        self.put(text.as_bytes());
    }
    /// A family byte, the address, the port.
    fn addr(&mut self, addr: &SocketAddr) {
        match addr.ip() {
            IpAddr::V4(ip) => {
                self.u8(4);
                self.put(&ip.octets());
            }
            IpAddr::V6(ip) => {
                self.u8(6);
                self.put(&ip.octets());
            }
        }
        self.u16(addr.port());
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Counts what would be written.
#[derive(Default)]
pub struct Counter(pub usize);

impl Sink for Counter {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// Reads from the front of a datagram.
pub struct Reader<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the first byte.
    pub fn new(bytes: &'a Bytes) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    /// Bytes not read yet.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let slice = self.bytes.get(self.at..self.at + N).ok_or(WireError::Short)?;
        self.at += N;
        slice.try_into().map_err(|_| WireError::Short)
    }

    /// The next `len` bytes as a share of the datagram.
    pub fn share(&mut self, len: usize) -> Result<Bytes, WireError> {
        if self.left() < len {
            return Err(WireError::Short);
        }
        let shared = self.bytes.slice(self.at..self.at + len);
        self.at += len;
        Ok(shared)
    }

    /// `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        self.take()
    }
    /// One byte.
    pub fn u8(&mut self) -> Result<u8, WireError> {
        Ok(self.take::<1>()?[0])
    }
    /// One byte that is 0 or 1.
    pub fn flag(&mut self) -> Result<bool, WireError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(WireError::Value("a flag")),
        }
    }
    /// Two bytes.
    pub fn u16(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_be_bytes(self.take()?))
    }
    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_be_bytes(self.take()?))
    }
    /// Five bytes.
    pub fn u40(&mut self) -> Result<u64, WireError> {
        Ok(self.take::<5>()?.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
    }
    /// Six bytes.
    pub fn u48(&mut self) -> Result<u64, WireError> {
        Ok(self.take::<6>()?.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
    }
    /// Eight bytes.
    pub fn u64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_be_bytes(self.take()?))
    }
    /// Text of at most `max` bytes.
    pub fn text(&mut self, max: usize) -> Result<String, WireError> {
        let len = usize::from(self.u16()?);
        if len > max {
            return Err(WireError::Value("the length of a text"));
        }
        String::from_utf8(self.share(len)?.to_vec()).map_err(|_| WireError::Value("a text"))
    }
    /// An address.
    pub fn addr(&mut self) -> Result<SocketAddr, WireError> {
        let ip = match self.u8()? {
            4 => IpAddr::V4(Ipv4Addr::from(self.take::<4>()?)),
            6 => IpAddr::V6(Ipv6Addr::from(self.take::<16>()?)),
            _ => return Err(WireError::Value("an address family")),
        };
        Ok(SocketAddr::new(ip, self.u16()?))
    }
    /// A count of at most `max`.
    pub fn count(&mut self, max: usize) -> Result<usize, WireError> {
        let count = usize::from(self.u8()?);
        if count > max {
            return Err(WireError::Value("a count"));
        }
        Ok(count)
    }
}
