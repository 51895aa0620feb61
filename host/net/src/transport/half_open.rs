//! A limit on handshakes that have begun and not ended.
//!
//! A handshake costs signatures and memory before anybody has shown who he is, so strangers may have only so many of them
//! at a time, and one address only half of those.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// Counts unfinished handshakes. Clones count together.
#[derive(Debug, Clone)]
pub(crate) struct HalfOpen {
    limit: usize,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_ip: BTreeMap<IpAddr, usize>,
}

/// One unfinished handshake; dropping it makes room for another.
#[derive(Debug)]
pub struct HalfOpenPermit {
    ip: IpAddr,
    counts: Arc<Mutex<Counts>>,
}

impl HalfOpen {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit: limit.max(2), counts: Arc::default() }
    }

    /// A place for a handshake with this address, if there is one.
    pub(crate) fn enter(&self, ip: IpAddr) -> Option<HalfOpenPermit> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.total >= self.limit || counts.by_ip.get(&ip).is_some_and(|count| *count >= self.limit / 2) {
            return None;
        }
        counts.total += 1;
        *counts.by_ip.entry(ip).or_default() += 1;
        Some(HalfOpenPermit { ip, counts: Arc::clone(&self.counts) })
    }

    /// Whether so many are unfinished that newcomers should first prove that they can receive at their address.
    pub(crate) fn is_busy(&self) -> bool {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).total > self.limit / 4
    }
}

impl Drop for HalfOpenPermit {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total = counts.total.saturating_sub(1);
        if let Some(count) = counts.by_ip.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                counts.by_ip.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_places() {
        let half_open = HalfOpen::new(8);
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let of_a: Vec<_> = std::iter::from_fn(|| half_open.enter(a)).collect();
        assert_eq!(of_a.len(), 4);
        let of_b: Vec<_> = std::iter::from_fn(|| half_open.enter(b)).collect();
        assert_eq!(of_b.len(), 4);
        assert!(half_open.is_busy());
        drop((of_a, of_b));
        assert!(!half_open.is_busy() && half_open.enter(a).is_some());
        assert!(half_open.counts.lock().unwrap().by_ip.is_empty());
    }
}
