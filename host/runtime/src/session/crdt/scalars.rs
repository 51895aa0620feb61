//! Counters and registers.

use crate::error::RunError;
use crate::session::error::fits;
use crate::session::{Session, SessionError};
use bytes::Bytes;
use numax_crdt::limits::MAX_VALUE;
use numax_crdt::{Key, Kind};

/// Bytes that a counter's operation counts for in the quota of bytes written.
const COUNTER_BYTES: usize = 8;

impl Session {
    /// Adds to a counter that only grows.
    ///
    /// # Errors
    /// See [`SessionError`]; so for all calls of a session.
    pub async fn g_counter_increment(&mut self, key: &Key, by: u64) -> Result<(), SessionError> {
        self.may_write(Kind::GCounter, key, COUNTER_BYTES)?;
        self.step(|d| d.g_counter_increment(key, by)).await
    }

    /// A counter's value over all nodes, at most [`u64::MAX`].
    ///
    /// # Errors
    /// As [`Session::g_counter_increment`].
    pub async fn g_counter_value(&mut self, key: &Key) -> Result<u64, SessionError> {
        self.may_read(Kind::GCounter, key)?;
        self.step(|d| d.g_counter_value(key)).await
    }

    /// Adds to a counter that goes both ways.
    ///
    /// # Errors
    /// As [`Session::g_counter_increment`].
    pub async fn pn_counter_increment(&mut self, key: &Key, by: u64) -> Result<(), SessionError> {
        self.may_write(Kind::PnCounter, key, COUNTER_BYTES)?;
        self.step(|d| d.pn_counter_increment(key, by)).await
    }

    /// Takes from a counter that goes both ways.
    ///
    /// # Errors
    /// As [`Session::g_counter_increment`].
    pub async fn pn_counter_decrement(&mut self, key: &Key, by: u64) -> Result<(), SessionError> {
        self.may_write(Kind::PnCounter, key, COUNTER_BYTES)?;
        self.step(|d| d.pn_counter_decrement(key, by)).await
    }

    /// The counter's value over all nodes, cut to what an i64 holds.
    ///
    /// # Errors
    /// As [`Session::g_counter_increment`].
    pub async fn pn_counter_value(&mut self, key: &Key) -> Result<i64, SessionError> {
        self.may_read(Kind::PnCounter, key)?;
        self.step(|d| d.pn_counter_value(key)).await
    }

    /// Sets a register.
    ///
    /// # Errors
    /// As [`Session::g_counter_increment`].
    pub async fn register_set(&mut self, key: &Key, value: Bytes) -> Result<(), SessionError> {
        fits("value", value.len(), MAX_VALUE)?;
        self.may_write(Kind::LwwRegister, key, value.len())?;
        self.step(|d| d.register_set(key, value.clone())).await
    }

    /// A register's value.
    ///
    /// # Errors
    /// As [`Session::g_counter_increment`].
    pub async fn register_get(&mut self, key: &Key) -> Result<Option<Bytes>, SessionError> {
        self.may_read(Kind::LwwRegister, key)?;
        self.step(|d| d.register_get(key)).await
    }

    /// Empties a register.
    ///
    /// # Errors
    /// As [`Session::g_counter_increment`].
    pub async fn register_clear(&mut self, key: &Key) -> Result<(), SessionError> {
        self.may_write(Kind::LwwRegister, key, 0)?;
        self.step(|d| d.register_clear(key)).await
    }

    /// Sets a register if it has the expected value; says whether it did. Atomic on this node. It ends the turn's batch
    /// first, and its own write is a batch by itself.
    ///
    /// # Errors
    /// Outside: the commit failed and the instance must be dropped. Inside: as [`Session::g_counter_increment`].
    pub async fn register_compare_and_set(
        &mut self,
        key: &Key,
        expected: Option<Bytes>,
        value: Bytes,
    ) -> Result<Result<bool, SessionError>, RunError> {
        let allowed = fits("value", value.len(), MAX_VALUE)
            .and_then(|()| self.may_read(Kind::LwwRegister, key))
            .and_then(|()| self.may_write(Kind::LwwRegister, key, value.len()));
        if let Err(e) = allowed {
            return Ok(Err(e));
        }
        self.commit().await?;
        let writer = self.writer;
        let replica = match self.open().await {
            Ok(open) => open.replica.clone(),
            Err(e) => return Ok(Err(e)),
        };
        let done = replica.compare_and_set(key.clone(), expected, value, writer).await;
        let (set, ticket) = done.map_err(|e| RunError::Commit(e.to_string()))?;
        self.gate.reach(ticket.position);
        Ok(Ok(set))
    }
}
