//! One host call: the guest's memory, and how the call ends.

use wasmtime::{Caller, Error, Extern};

use super::{
    Fault,
    state::State,
    status::{self, CALLS},
};

/// Why a host call does not answer Ok.
pub(super) enum Stop {
    Status(u32),
    Trap(Error),
}

impl From<u32> for Stop {
    fn from(status: u32) -> Self {
        Self::Status(status)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Trap(error)
    }
}

/// The guest as one host call sees it.
pub(super) struct Guest<'a, 'b> {
    caller: &'a mut Caller<'b, State>,
    call: usize,
}

impl<'a, 'b> Guest<'a, 'b> {
    /// Counts the call, refuses it while `_initialize` runs, gives an injected status, else runs `body`.
    pub fn answer(
        caller: &'a mut Caller<'b, State>,
        call: usize,
        body: impl FnOnce(&mut Self) -> Result<(), Stop>,
    ) -> Result<u32, Error> {
        let state = caller.data_mut();
        if let Some(count) = state.calls.get_mut(call) {
            *count += 1;
        }
        if state.initializing && !status::allowed_in_initialize(call) {
            return Err(Error::msg(format!("`{}` is not allowed in `_initialize`", CALLS[call])));
        }
        if let Some(Fault::Status(status)) = state.fault(call) {
            return Ok(*status);
        }
        match body(&mut Self { caller, call }) {
            Ok(()) => Ok(status::OK),
            Err(Stop::Status(status)) => Ok(status),
            Err(Stop::Trap(error)) => Err(error),
        }
    }

    pub fn state(&self) -> &State {
        self.caller.data()
    }

    pub fn state_mut(&mut self) -> &mut State {
        self.caller.data_mut()
    }

    fn memory(&mut self) -> Result<&mut [u8], Stop> {
        let memory = match self.caller.data().memory {
            Some(memory) => memory,
            // While the start function runs nobody has looked the memory up yet.
            None => match self.caller.get_export("memory") {
                Some(Extern::Memory(memory)) => memory,
                _ => return Err(status::INVALID_MEMORY_ACCESS.into()),
            },
        };
        Ok(memory.data_mut(&mut *self.caller))
    }

    fn range(&mut self, at: u32, size: usize) -> Result<&mut [u8], Stop> {
        let at = at as usize;
        let end = at.checked_add(size).ok_or(status::INVALID_MEMORY_ACCESS)?;
        self.memory()?.get_mut(at..end).ok_or(Stop::Status(status::INVALID_MEMORY_ACCESS))
    }

    pub fn read(&mut self, at: u32, size: u32) -> Result<Vec<u8>, Stop> {
        Ok(self.range(at, size as usize)?.to_vec())
    }

    pub fn read_u32(&mut self, at: u32) -> Result<u32, Stop> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.range(at, 4)?);
        Ok(u32::from_le_bytes(bytes))
    }

    pub fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Stop> {
        self.range(at, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    pub fn write_u32(&mut self, at: u32, value: u32) -> Result<(), Stop> {
        self.write(at, &value.to_le_bytes())
    }

    pub fn write_u64(&mut self, at: u32, value: u64) -> Result<(), Stop> {
        self.write(at, &value.to_le_bytes())
    }

    /// Hands `bytes` to the guest: in memory that the guest allocates, its address and size written where the guest
    /// asked. Nothing is allocated for no bytes; the address is 0 then.
    pub fn give(&mut self, bytes: &[u8], address: u32, size: u32) -> Result<(), Stop> {
        let (injected, pretended) = match self.state().fault(self.call) {
            Some(Fault::Answer(bytes)) => (Some(bytes.clone()), None),
            Some(Fault::Pointer { address, size }) => (None, Some((*address, *size))),
            _ => (None, None),
        };
        if let Some((at, long)) = pretended {
            self.write_u32(address, at)?;
            return self.write_u32(size, long);
        }
        let bytes = injected.as_deref().unwrap_or(bytes);
        let len = u32::try_from(bytes.len()).map_err(|_| status::INVALID_MEMORY_ACCESS)?;
        let at = if bytes.is_empty() { 0 } else { self.allocate(len)? };
        self.write(at, bytes)?;
        self.write_u32(address, at)?;
        self.write_u32(size, len)
    }

    fn allocate(&mut self, size: u32) -> Result<u32, Stop> {
        let allocate = self.state().allocate.clone().ok_or(status::INVALID_MEMORY_ACCESS)?;
        match allocate.call(&mut *self.caller, size)? {
            0 => Err(status::INVALID_MEMORY_ACCESS.into()),
            at => Ok(at),
        }
    }
}
