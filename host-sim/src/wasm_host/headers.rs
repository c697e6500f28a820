//! Header maps as Envoy keeps them, and their form on the wire between host and guest.

/// One header: name and value. Values are bytes; Envoy's codecs let any byte above 0x7F through.
pub type Header = (Vec<u8>, Vec<u8>);

/// What the guest may hand over; a larger list is read as empty (`proxy-wasm.md` 2.2).
const MAX_PAIRS: usize = 1024;
const MAX_PAIRS_BYTES: usize = 1 << 20;

/// A list of headers in their order, names in lower case, repeats allowed.
///
/// Left out: Envoy joins a repeat of its built-in single-valued headers (`x-forwarded-for`, `:path`, …) with a comma.
#[derive(Debug, Clone, Default)]
pub(super) struct HeaderMap(Vec<Header>);

impl HeaderMap {
    /// Takes `headers` as a codec would: names become lower case.
    pub fn new(headers: Vec<Header>) -> Self {
        Self(headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect())
    }

    pub fn to_vec(&self) -> Vec<Header> {
        self.0.clone()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// What `proxy_get_header_map_size` reports: the bytes of all names and values.
    pub fn byte_size(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// The first value only, as `getHeaderMapValue` (`proxy-wasm.md` 2.2).
    pub fn first(&self, name: &[u8]) -> Option<&[u8]> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }

    /// All values joined with a comma, as the CEL attribute `request.headers`.
    pub fn joined(&self, name: &[u8]) -> Option<Vec<u8>> {
        let mut values = self.0.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice());
        let mut all = values.next()?.to_vec();
        for value in values {
            all.push(b',');
            all.extend_from_slice(value);
        }
        Some(all)
    }

    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        self.0.push((name.to_ascii_lowercase(), value.to_vec()));
    }

    /// `HeaderMapImpl::setCopy`: the first of several is overwritten and *the others stay*.
    pub fn replace(&mut self, name: &[u8], value: &[u8]) {
        match self.0.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
            Some(header) => header.1 = value.to_vec(),
            None => self.add(name, value),
        }
    }

    /// Removes every header of that name.
    pub fn remove(&mut self, name: &[u8]) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    /// The form on the wire: count, the sizes of all, then each name and value with a NUL behind.
    pub fn to_wire(&self) -> Vec<u8> {
        to_wire(&self.0)
    }
}

/// See [`HeaderMap::to_wire`]; also for lists that no header map holds.
pub fn to_wire(headers: &[Header]) -> Vec<u8> {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    let mut wire = number(headers.len()).to_vec();
    for (name, value) in headers {
        wire.extend(number(name.len()));
        wire.extend(number(value.len()));
    }
    for text in headers.iter().flat_map(|(name, value)| [name, value]) {
        wire.extend_from_slice(text);
        wire.push(0);
    }
    wire
}

/// A list from the guest; anything malformed or too large is an empty list, as in proxy-wasm-cpp-host.
pub(super) fn from_wire(wire: &[u8]) -> Vec<Header> {
    if wire.len() > MAX_PAIRS_BYTES { Vec::new() } else { parse(wire).unwrap_or_default() }
}

fn parse(wire: &[u8]) -> Option<Vec<Header>> {
    let number = |at: usize| {
        let bytes = wire.get(at..at.checked_add(4)?)?;
        usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
    };
    let count = number(0)?;
    if count > MAX_PAIRS {
        return None;
    }
    let mut at = 4 + count * 8;
    let mut text = |size: usize| {
        let text = wire.get(at..at.checked_add(size)?)?.to_vec();
        at += size + 1;
        (wire.get(at - 1) == Some(&0)).then_some(text)
    };
    (0..count).map(|i| Some((text(number(4 + i * 8)?)?, text(number(8 + i * 8)?)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> Header {
        (name.into(), value.into())
    }

    #[test]
    fn what_is_written_is_read() {
        for headers in [vec![], vec![header("a", "")], vec![header(":path", "/"), header("a", "1"), header("a", "2")]] {
            assert_eq!(from_wire(&to_wire(&headers)), headers);
        }
    }

    #[test]
    fn a_malformed_or_too_long_list_is_empty() {
        let many: Vec<_> = (0..1025).map(|i| header(&format!("h{i}"), "v")).collect();
        assert_eq!(from_wire(&to_wire(&many[..1024])).len(), 1024);
        assert_eq!(from_wire(&to_wire(&many)), []);
        assert_eq!(from_wire(&to_wire(&[header("a", &"x".repeat(1 << 20))])), []);
        let good = to_wire(&[header("a", "b")]);
        for end in 0..good.len() {
            assert_eq!(from_wire(&good[..end]), [], "cut at {end}");
        }
    }

    #[test]
    fn replace_overwrites_the_first_and_leaves_the_repeats() {
        let mut map = HeaderMap::new(vec![header("X-A", "1"), header("x-a", "2")]);
        map.replace(b"X-a", b"3");
        assert_eq!(map.to_vec(), [header("x-a", "3"), header("x-a", "2")]);
        assert_eq!(map.first(b"x-A"), Some(&b"3"[..]));
        assert_eq!(map.joined(b"x-a"), Some(b"3,2".to_vec()));
        map.remove(b"x-a");
        assert_eq!(map.len(), 0);
    }
}
