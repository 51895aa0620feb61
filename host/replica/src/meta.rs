//! `meta.json`: whose datastore it is, under which origin it writes, and whom it does not trust.

use std::collections::BTreeSet;

use bytes::Bytes;
use numax_crdt::{NodeId, Origin};
use numax_store::{Disk, DiskError};
use serde::{Deserialize, Serialize};

use crate::{
    config::Durability,
    error::{LogError, OpenError},
    schema::{Chain, PROGRAM},
    settling::{Noted, Settling},
};

pub(crate) const FILE: &str = "meta.json";
const TEMPORARY: &str = "meta.json.tmp";
const MAX_BYTES: usize = 64 << 10;

/// What the machine and its disk are, and randomness: read by the caller, because the core reads nothing itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFacts {
    /// Changes with every start of the machine, so it tells the end of a process from a power cut.
    pub boot_id: String,
    /// Changes when the datastore is copied: the identity of its directory.
    pub disk_id: String,
    /// Random; the nonce of a new epoch, if one begins.
    pub nonce: u64,
}

/// What stands in the file. Written anew at every open and at an orderly end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meta {
    /// The datastore's schema.
    pub format: u64,
    /// The program that had it open last.
    #[serde(default)]
    pub program: String,
    /// The node id, as hexadecimal text.
    pub node: String,
    pub epoch: u64,
    /// As hexadecimal text: other programs' JSON has no 64-bit integers.
    pub nonce: String,
    pub boot_id: String,
    pub disk_id: String,
    /// The durability since the last open.
    pub durability: String,
    /// The end of the log at an orderly end; none while the datastore is open.
    pub clean_end: Option<u64>,
    /// Set by whoever put the datastore back from a snapshot: its next open begins a new epoch.
    #[serde(default)]
    pub restored: bool,
    /// Another node wrote under this origin: local writes stay refused until somebody lets a new epoch begin.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate_origin: bool,
    /// Origins from which nothing is taken: node id, epoch and nonce, with slashes between.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<String>,
    /// How it stands to the rest of its cluster.
    #[serde(flatten)]
    pub settling: Noted,
}

/// Why a new epoch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NewEpoch {
    /// The reason, for people.
    pub reason: &'static str,
    /// Whether the data may be older than what this node has acknowledged. Not after a power cut: only what survives
    /// one is acknowledged.
    pub older: bool,
}

/// What every schema's file says, whatever else is in it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Written {
    /// The datastore's schema.
    #[serde(rename = "format")]
    pub schema: u64,
    /// The program that had it open last.
    #[serde(default)]
    pub program: String,
}

impl Written {
    /// Reads the file; none when the datastore is new.
    pub(crate) fn load(disk: &dyn Disk) -> Result<Option<Self>, OpenError> {
        read(disk)?.map(|bytes| serde_json::from_slice(&bytes).map_err(unreadable)).transpose()
    }
}

fn read(disk: &dyn Disk) -> Result<Option<Bytes>, OpenError> {
    match disk.open_append(FILE) {
        Ok(file) => Ok(Some(file.read_at(0, MAX_BYTES)?)),
        Err(DiskError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn damaged(detail: String) -> OpenError {
    OpenError::Meta { file: FILE, detail }
}

fn unreadable(error: serde_json::Error) -> OpenError {
    damaged(error.to_string())
}

impl Meta {
    /// Reads the file; none when the datastore is new. The schema is the caller's business.
    ///
    /// # Errors
    /// When it cannot be read: a newer schema may have other fields, so that is asked first.
    pub(crate) fn load(disk: &dyn Disk, chain: Chain) -> Result<Option<Self>, OpenError> {
        let Some(bytes) = read(disk)? else { return Ok(None) };
        chain.check_known(&serde_json::from_slice(&bytes).map_err(unreadable)?)?;
        let meta: Self = serde_json::from_slice(&bytes).map_err(unreadable)?;
        let node: NodeId =
            meta.node.parse().map_err(|_| damaged(format!("{:?} is no node id", meta.node)))?;
        meta.origin(node)?;
        meta.quarantined()?;
        Ok(Some(meta))
    }

    /// Writes the file, whole or not at all, and durably.
    pub(crate) fn store(&self, disk: &dyn Disk) -> Result<(), LogError> {
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        match disk.remove(TEMPORARY) {
            Ok(()) | Err(DiskError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let file = disk.create(TEMPORARY)?;
        file.append(&text)?;
        file.sync()?;
        disk.rename(TEMPORARY, FILE)?;
        disk.sync_dir("")?;
        Ok(())
    }

    /// The file of a new epoch.
    fn begin(node: NodeId, epoch: u64, facts: &HostFacts, durability: Durability) -> Self {
        Self {
            format: Chain::CURRENT.last(),
            program: PROGRAM.to_string(),
            node: node.to_string(),
            epoch,
            nonce: format!("{:016x}", facts.nonce),
            boot_id: facts.boot_id.clone(),
            disk_id: facts.disk_id.clone(),
            durability: durability.config_name().to_string(),
            clean_end: None,
            restored: false,
            duplicate_origin: false,
            quarantined: Vec::new(),
            settling: Settling::Settled.into(),
        }
    }

    /// The file of data that was put back: its next open begins the epoch after `origin`'s.
    pub(crate) fn restored(origin: Origin, facts: &HostFacts) -> Self {
        Self { restored: true, ..Self::begin(origin.node, origin.epoch, facts, Durability::Fsync) }
    }

    /// The file for this open: of the same epoch, or of a new one if batches under the old may be known elsewhere
    /// that are not here (or may be written elsewhere).
    ///
    /// The epoch goes on after an orderly end, after the end of the process alone, and after a power cut under
    /// `fsync`, because then nothing that left this node is lost. It does not when the datastore was restored or
    /// copied, when the log ends before an orderly end did, when a power cut (under `none` also the end of the
    /// process) may have taken batches that had left, and for the reason `cut`: when the log's end could not be read.
    /// `held` says whether there are batches that are held back.
    pub(crate) fn next(
        previous: Option<&Self>,
        node: NodeId,
        log_end: u64,
        facts: &HostFacts,
        durability: Durability,
        cut: Option<&'static str>,
        held: bool,
    ) -> Result<(Self, Option<NewEpoch>), OpenError> {
        let Some(old) = previous else {
            let settling = Settling::Newcomer.into();
            return Ok((Self { settling, ..Self::begin(node, 0, facts, durability) }, None));
        };
        if old.node != node.to_string() {
            return Err(OpenError::Foreign {
                path: FILE.to_string(),
                detail: format!("it belongs to node {}, this is node {node}", old.node),
            });
        }
        let cut = cut.map(|reason| NewEpoch { reason, older: true });
        let new = old.reason_for_new_epoch(log_end, facts).or(cut);
        // What was written twice stays so; a new origin has not been.
        let quarantined = old.quarantined.clone();
        let mut next = match new {
            Some(_) => {
                Self { quarantined, ..Self::begin(node, old.epoch.saturating_add(1), facts, durability) }
            }
            None => Self {
                nonce: old.nonce.clone(),
                duplicate_origin: old.duplicate_origin,
                quarantined,
                ..Self::begin(node, old.epoch, facts, durability)
            },
        };
        let older = new.is_some_and(|new| new.older);
        next.settling = old.settling.state().opened(older, held).into();
        Ok((next, new))
    }

    /// The origins from which nothing is taken.
    pub(crate) fn quarantined(&self) -> Result<BTreeSet<Origin>, OpenError> {
        let read = |text: &String| {
            let mut parts = text.split('/');
            let (node, epoch, nonce) = (parts.next()?, parts.next()?, parts.next()?);
            let nonce = u64::from_str_radix(nonce, 16).ok()?;
            Some(Origin { node: node.parse().ok()?, epoch: epoch.parse().ok()?, nonce })
        };
        let read = |text: &String| {
            read(text).ok_or_else(|| damaged(format!("{text:?} under \"quarantined\" is no origin")))
        };
        self.quarantined.iter().map(read).collect()
    }

    /// Takes note of the origins from which nothing is taken.
    pub(crate) fn quarantine(&mut self, origins: &BTreeSet<Origin>) {
        let text = |o: &Origin| format!("{}/{}/{:016x}", o.node, o.epoch, o.nonce);
        self.quarantined = origins.iter().map(text).collect();
    }

    /// Whether the log may have lost more than the end of its last write: the machine was started anew since the last
    /// open, or the files came from elsewhere.
    pub(crate) fn is_elsewhere(&self, facts: &HostFacts) -> bool {
        self.restored || self.boot_id != facts.boot_id || self.disk_id != facts.disk_id
    }

    fn reason_for_new_epoch(&self, log_end: u64, facts: &HostFacts) -> Option<NewEpoch> {
        let older = |reason| Some(NewEpoch { reason, older: true });
        let cut = |reason| Some(NewEpoch { reason, older: false });
        if self.restored {
            return older("the datastore was restored or repaired");
        }
        if self.disk_id != facts.disk_id {
            return older("the datastore was copied or moved to another disk");
        }
        match self.clean_end {
            Some(end) if end == log_end => None,
            Some(_) => older("the log does not end where it ended at the last stop"),
            None if self.durability == Durability::None.config_name() => {
                cut("the process ended without a stop, under durability \"none\"")
            }
            None if self.boot_id != facts.boot_id && self.durability != Durability::Fsync.config_name() => {
                cut("the machine ended without a stop, so the last moments may be lost")
            }
            None => None,
        }
    }

    /// The origin that the datastore writes under.
    pub(crate) fn origin(&self, node: NodeId) -> Result<Origin, OpenError> {
        let nonce = u64::from_str_radix(&self.nonce, 16)
            .map_err(|_| damaged("the nonce is no hexadecimal number".to_string()))?;
        Ok(Origin { node, epoch: self.epoch, nonce })
    }
}

/// Marks a closed datastore as restored, so that its next open begins a new epoch: for whoever puts back a snapshot
/// or hands out a copy.
///
/// # Errors
/// When there is no datastore, or it cannot be written.
pub fn mark_restored(disk: &dyn Disk) -> Result<(), OpenError> {
    change(disk, |meta| meta.restored = true)
}

/// Lets a closed datastore take batches again from all origins from which it takes none, because two different ones came
/// under one number. Where they differ it keeps what it has. Answers those origins.
///
/// # Errors
/// When there is no datastore, or it cannot be read or written.
pub(crate) fn lift_quarantine(disk: &dyn Disk) -> Result<BTreeSet<Origin>, OpenError> {
    let mut lifted = Ok(BTreeSet::new());
    change(disk, |meta| {
        lifted = meta.quarantined();
        meta.quarantined.clear();
    })?;
    lifted
}

fn change(disk: &dyn Disk, change: impl FnOnce(&mut Meta)) -> Result<(), OpenError> {
    let mut meta = Meta::load(disk, Chain::CURRENT)?.ok_or_else(|| OpenError::Foreign {
        path: FILE.to_string(),
        detail: "there is no datastore".to_string(),
    })?;
    change(&mut meta);
    Ok(meta.store(disk)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(boot: &str, disk: &str) -> HostFacts {
        HostFacts { boot_id: boot.to_string(), disk_id: disk.to_string(), nonce: 7 }
    }

    fn meta(durability: Durability, clean_end: Option<u64>) -> Meta {
        Meta { clean_end, ..Meta::begin(NodeId([1; 32]), 4, &facts("boot", "disk"), durability) }
    }

    #[test]
    fn the_epoch_goes_on_only_when_nothing_that_left_can_be_missing() {
        let interval = Durability::default();
        let new = |meta: &Meta, end, boot, disk| meta.reason_for_new_epoch(end, &facts(boot, disk)).is_some();
        let running = meta(interval, None);
        assert!(!new(&running, 10, "boot", "disk"), "the end of the process");
        assert!(new(&running, 10, "boot2", "disk"), "a power cut under interval");
        assert!(!new(&meta(Durability::Fsync, None), 10, "boot2", "disk"), "a power cut under fsync");
        assert!(new(&meta(Durability::None, None), 10, "boot", "disk"), "the end of the process under none");
        let clean = meta(interval, Some(10));
        assert!(!new(&clean, 10, "boot2", "disk"), "an orderly stop, then a restart of the machine");
        assert!(new(&clean, 9, "boot", "disk"), "a shorter log");
        assert!(new(&clean, 10, "boot", "disk2"), "a copy");
        assert!(new(&Meta { restored: true, ..clean }, 10, "boot", "disk"), "a restored snapshot");
    }

    #[test]
    fn a_new_epoch_has_a_new_nonce_and_another_node_is_refused() {
        let node = NodeId([1; 32]);
        let old = Meta { nonce: "2a".to_string(), ..meta(Durability::Fsync, None) };
        let (same, reason) =
            Meta::next(Some(&old), node, 10, &facts("boot", "disk"), Durability::Fsync, None, false).unwrap();
        assert_eq!((same.epoch, same.origin(node).unwrap().nonce, reason), (4, 42, None));
        assert_eq!(same.settling.state(), Settling::Settled);
        let (new, _) =
            Meta::next(Some(&old), node, 10, &facts("boot", "disk2"), Durability::Fsync, None, false)
                .unwrap();
        assert_eq!((new.epoch, new.origin(node).unwrap().nonce), (5, 7));
        assert_eq!(
            new.settling.state(),
            Settling::Restored,
            "a copy may be older than what was acknowledged"
        );
        let (again, _) =
            Meta::next(Some(&new), node, 10, &facts("boot", "disk2"), Durability::Fsync, None, false)
                .unwrap();
        assert_eq!(again.settling.state(), Settling::Restored, "a restart changes nothing about that");
        let cut = Meta { durability: "interval".to_string(), ..old.clone() };
        let (cut, new) =
            Meta::next(Some(&cut), node, 10, &facts("boot2", "disk"), Durability::Fsync, None, false)
                .unwrap();
        assert!(
            new.is_some() && !cut.settling.state().waits(),
            "only what survives a power cut is acknowledged"
        );
        let other = Meta::next(
            Some(&old),
            NodeId([2; 32]),
            10,
            &facts("boot", "disk"),
            Durability::Fsync,
            None,
            false,
        );
        assert!(matches!(other, Err(OpenError::Foreign { .. })));
    }
}
