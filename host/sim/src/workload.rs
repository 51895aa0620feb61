//! What guests do: turns over all families and the node-local store.

use crate::oracle::Increments;
use bytes::Bytes;
use numax_crdt::{Key, Kind};
use numax_replica::{Draft, DraftError, Reader};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

/// The node-local key under which every turn leaves its number: it is in the same batch as the turn's replicated writes,
/// so after a crash both are there or none.
pub const TURN_KEY: &[u8] = b"turn";

/// Repeats a call of a draft until all rows it needs are in memory.
pub fn with_rows<T>(
    draft: &mut Draft,
    mut call: impl FnMut(&mut Draft) -> Result<T, DraftError>,
) -> Result<T, DraftError> {
    loop {
        match call(draft) {
            Err(DraftError::Miss(miss)) => {
                let loaded = miss.load()?;
                draft.supply(loaded);
            }
            other => return other,
        }
    }
}

/// Runs a turn with this number in a fresh draft.
///
/// # Errors
/// The draft's: storage that cannot be read.
pub fn turn(
    reader: Reader,
    number: u64,
    rng: &mut ChaCha8Rng,
) -> Result<(Draft, Increments, u64), DraftError> {
    let mut draft = Draft::new(reader, number % 7);
    let mut increments = Increments::new();
    with_rows(&mut draft, |draft| draft.kv_set(TURN_KEY, Bytes::from(number.to_string())))?;
    let mut operations = 1;
    let count = if rng.random_range(0..10) == 0 { rng.random_range(5..30) } else { rng.random_range(1..4) };
    for _ in 0..count {
        operations += 1;
        operation(&mut draft, number, &mut increments, rng)?;
    }
    Ok((draft, increments, operations))
}

fn key(prefix: &str, keys: u32, rng: &mut ChaCha8Rng) -> Result<Key, DraftError> {
    let name = format!("{prefix}{}", rng.random_range(0..keys));
    Key::new(name.into_bytes()).map_err(|error| DraftError::Invalid(error.to_string()))
}

fn value(rng: &mut ChaCha8Rng) -> Bytes {
    let len =
        if rng.random_range(0..20) == 0 { rng.random_range(500..3_000) } else { rng.random_range(0..12) };
    Bytes::from((0..len).map(|_| rng.random()).collect::<Vec<u8>>())
}

fn operation(
    draft: &mut Draft,
    number: u64,
    increments: &mut Increments,
    rng: &mut ChaCha8Rng,
) -> Result<(), DraftError> {
    let name = Bytes::from(format!("e{}", rng.random_range(0..8)));
    match rng.random_range(0..14) {
        0 | 1 => {
            let (key, by) = (key("g", 3, rng)?, rng.random_range(1..100));
            let before = with_rows(draft, |draft| draft.g_counter_value(&key))?;
            with_rows(draft, |draft| draft.g_counter_increment(&key, by))?;
            let after = with_rows(draft, |draft| draft.g_counter_value(&key))?;
            if after != before + by {
                return Err(DraftError::Invalid(format!("read {before}, added {by}, read {after}")));
            }
            increments.entry((Kind::GCounter as u8, key.bytes().clone())).or_default().0 += by;
        }
        2 | 3 => {
            let (key, by) = (key("p", 3, rng)?, rng.random_range(1..100));
            let count = increments.entry((Kind::PnCounter as u8, key.bytes().clone())).or_default();
            if rng.random() {
                with_rows(draft, |draft| draft.pn_counter_increment(&key, by))?;
                count.0 += by;
            } else {
                with_rows(draft, |draft| draft.pn_counter_decrement(&key, by))?;
                count.1 += by;
            }
        }
        4 | 5 => {
            let (key, value) = (key("r", 4, rng)?, value(rng));
            if rng.random_range(0..6) == 0 {
                with_rows(draft, |draft| draft.register_clear(&key))?;
            } else {
                with_rows(draft, |draft| draft.register_set(&key, value.clone()))?;
                if with_rows(draft, |draft| draft.register_get(&key))? != Some(value) {
                    return Err(DraftError::Invalid("a register does not hold what was written".into()));
                }
            }
        }
        6 | 7 => {
            let (key, value) = (key("m", 2, rng)?, value(rng));
            match rng.random_range(0..12) {
                0 => with_rows(draft, |draft| draft.map_clear(&key))?,
                1..4 => with_rows(draft, |draft| draft.map_remove(&key, &name))?,
                _ => with_rows(draft, |draft| draft.map_set(&key, &name, value.clone()))?,
            }
        }
        8..11 => {
            let key = key("s", 2, rng)?;
            match rng.random_range(0..12) {
                0 => with_rows(draft, |draft| draft.set_clear(&key))?,
                1..5 => with_rows(draft, |draft| draft.set_remove(&key, &name))?,
                _ => with_rows(draft, |draft| draft.set_add(&key, name.clone()))?,
            }
        }
        // An element of its own, never removed.
        11 => {
            let key = Key::new(Bytes::from_static(b"all"))
                .map_err(|error| DraftError::Invalid(error.to_string()))?;
            let element = Bytes::from(number.to_string());
            with_rows(draft, |draft| draft.set_add(&key, element.clone()))?;
        }
        12 => {
            let value = value(rng);
            with_rows(draft, |draft| draft.kv_set(&name, value.clone()))?;
        }
        _ => with_rows(draft, |draft| draft.kv_delete(&name))?,
    }
    Ok(())
}
