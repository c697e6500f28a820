//! The connections of an upstream: how many there are at once, and what each carries.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What an [`Echo`](super::Echo) has borne since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Connections that were accepted, also those whose handshake failed.
    pub connections: u64,
    /// Those whose handshake failed.
    pub refused: u64,
    /// The most connections that were open at once. One that the client has closed is not open, also when the upstream
    /// has yet to close its side.
    pub most_open: usize,
    /// The most requests that came over one connection.
    pub most_requests: u64,
    /// The most requests at once that were received and not answered.
    pub most_under_way: usize,
}

/// The connections of one upstream.
#[derive(Debug, Default)]
pub struct Connections(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    open: BTreeMap<u64, Open>,
    under_way: usize,
    load: Load,
}

#[derive(Debug)]
struct Open {
    /// A second handle of its socket, which tells whether the client has closed it: the event loop may not have got there.
    probe: TcpStream,
    requests: u64,
}

impl Open {
    fn is_closed_by_client(&self) -> bool {
        // The socket does not block: nothing to read is an error, and the end of the stream is no byte.
        matches!(self.probe.peek(&mut [0]), Ok(0))
    }
}

impl Connections {
    pub fn load(&self) -> Load {
        self.counted().load
    }

    /// Counts a connection until what is given back is dropped.
    pub fn open(self: &Arc<Self>, probe: TcpStream) -> Connection {
        let mut counted = self.counted();
        let id = counted.load.connections;
        counted.load.connections += 1;
        counted.open.insert(id, Open { probe, requests: 0 });
        let open = counted.open.values().filter(|open| !open.is_closed_by_client()).count();
        counted.load.most_open = counted.load.most_open.max(open);
        drop(counted);
        Connection { all: Arc::clone(self), id }
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is open; dropped when it is not.
#[derive(Debug)]
pub struct Connection {
    all: Arc<Connections>,
    id: u64,
}

impl Connection {
    /// Counts a request as under way until what is given back is dropped.
    pub fn request(&self) -> UnderWay {
        let mut guard = self.all.counted();
        let counted = &mut *guard;
        counted.under_way += 1;
        counted.load.most_under_way = counted.load.most_under_way.max(counted.under_way);
        if let Some(open) = counted.open.get_mut(&self.id) {
            open.requests += 1;
            counted.load.most_requests = counted.load.most_requests.max(open.requests);
        }
        UnderWay(Arc::clone(&self.all))
    }

    /// Counts its handshake as failed.
    pub fn refuse(&self) {
        self.all.counted().load.refused += 1;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.all.counted().open.remove(&self.id);
    }
}

/// A request that is not answered yet.
#[derive(Debug)]
pub struct UnderWay(Arc<Connections>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.counted().under_way -= 1;
    }
}
