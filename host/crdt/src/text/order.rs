//! The order of a text's units: where each edit's neighbours are, without a walk along the text.
//!
//! Runs of units stand in chunks, and a chunk knows how many of its units are seen. Finding a place looks at one number
//! for each chunk and at the runs of one chunk; a text of 10,000 runs has about a hundred chunks. Deleted units stay
//! where they are, because what is inserted beside them is inserted beside them.

use super::state::ItemId;

/// Runs of a chunk; one with more is cut in two.
const FULL: usize = 128;

/// Units of one client that stand behind each other, in order of their clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// The first unit.
    pub(super) id: ItemId,
    /// How many.
    pub(super) len: u32,
    /// Whether they are deleted.
    pub(super) dead: bool,
}

impl Run {
    fn last(&self) -> ItemId {
        ItemId { clock: self.id.clock + (self.len - 1), ..self.id }
    }

    /// Cuts it in two before its unit `at`, which is neither the first nor beyond the last.
    fn cut(&mut self, at: u32) -> Self {
        let id = ItemId { clock: self.id.clock + at, ..self.id };
        let rest = Self { id, len: self.len - at, ..*self };
        self.len = at;
        rest
    }

    /// Takes the run behind it in, if the two can be one.
    fn join(&mut self, next: &Self) -> bool {
        let one = self.dead == next.dead
            && self.id.client == next.id.client
            && self.id.clock + self.len == next.id.clock;
        if one {
            self.len += next.len;
        }
        one
    }
}

/// What stands on the left and on the right of something.
pub(super) type Neighbours = (Option<ItemId>, Option<ItemId>);

/// All units of a text in order.
#[derive(Debug, Default)]
pub(super) struct Order {
    chunks: Vec<Chunk>,
}

#[derive(Debug, Default)]
struct Chunk {
    runs: Vec<Run>,
    /// How many of its units are seen.
    seen: u32,
}

impl Chunk {
    fn new(runs: Vec<Run>) -> Self {
        let seen = runs.iter().filter(|run| !run.dead).map(|run| run.len).sum();
        Self { runs, seen }
    }
}

impl Order {
    /// Runs that are all there are.
    pub(super) fn collect(all: impl IntoIterator<Item = Run>) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        all.into_iter().filter(|run| run.len > 0).for_each(|run| push(&mut runs, run));
        Self { chunks: runs.chunks(FULL / 2).map(|runs| Chunk::new(runs.to_vec())).collect() }
    }

    /// Puts units before the seen unit `at`, or at the end, right behind what stands on its left, deleted or not: as Yjs
    /// does. Answers the neighbours.
    pub(super) fn insert(&mut self, at: u32, id: ItemId, len: u32) -> Neighbours {
        let new = Run { id, len, dead: false };
        let Some((chunk_at, mut offset)) = self.find(at) else { return (self.append(new), None) };
        let before = chunk_at.checked_sub(1).and_then(|before| self.chunks.get(before)?.runs.last());
        let before = before.map(Run::last);
        let Some(chunk) = self.chunks.get_mut(chunk_at) else { return (None, None) };
        let unit = |run: &Run| {
            let here = !run.dead && offset < run.len;
            offset -= if here || run.dead { 0 } else { run.len };
            here
        };
        let Some(run_at) = chunk.runs.iter().position(unit) else { return (None, None) };
        let (left, rest) = chunk.runs.split_at_mut(run_at);
        let Some(run) = rest.first_mut() else { return (None, None) };
        chunk.seen += len;
        let neighbours = if offset > 0 {
            let right = run.cut(offset);
            let neighbours = (Some(run.last()), Some(right.id));
            chunk.runs.splice(run_at + 1..run_at + 1, [new, right]);
            neighbours
        } else {
            let right = run.id;
            let last = left.last_mut();
            let neighbours = (last.as_ref().map_or(before, |run| Some(run.last())), Some(right));
            if !last.is_some_and(|run| run.join(&new)) {
                chunk.runs.insert(run_at, new);
            }
            neighbours
        };
        self.cut_full(chunk_at);
        neighbours
    }

    /// Deletes `len` seen units from the seen unit `at` on. Answers them.
    pub(super) fn remove(&mut self, at: u32, len: u32) -> Vec<Run> {
        let mut gone = Vec::new();
        let Some((first, mut offset)) = self.find(at) else { return gone };
        let (mut left, mut last) = (len, first);
        for (chunk_at, chunk) in self.chunks.iter_mut().enumerate().skip(first) {
            if left == 0 {
                break;
            }
            if chunk.seen == 0 {
                continue;
            }
            let mut runs = Vec::with_capacity(chunk.runs.len() + 2);
            for mut run in std::mem::take(&mut chunk.runs) {
                if run.dead || left == 0 || offset >= run.len {
                    offset -= if run.dead || left == 0 { 0 } else { run.len };
                    push(&mut runs, run);
                    continue;
                }
                if offset > 0 {
                    let rest = run.cut(offset);
                    push(&mut runs, run);
                    (run, offset) = (rest, 0);
                }
                let rest = (left < run.len).then(|| run.cut(left));
                left -= run.len;
                chunk.seen -= run.len;
                run.dead = true;
                gone.push(run);
                push(&mut runs, run);
                rest.into_iter().for_each(|rest| push(&mut runs, rest));
            }
            (chunk.runs, last) = (runs, chunk_at);
        }
        // The others did not grow.
        self.cut_full(last);
        self.cut_full(first);
        gone
    }

    /// The chunk with the seen unit `at`, and which of its seen units that is.
    fn find(&self, at: u32) -> Option<(usize, u32)> {
        let mut offset = at;
        let chunk_at = self.chunks.iter().position(|chunk| {
            let here = offset < chunk.seen;
            offset -= if here { 0 } else { chunk.seen };
            here
        });
        Some((chunk_at?, offset))
    }

    /// Puts a run behind all others; answers the last unit before it.
    fn append(&mut self, new: Run) -> Option<ItemId> {
        let Some(chunk) = self.chunks.last_mut() else {
            self.chunks.push(Chunk::new(vec![new]));
            return None;
        };
        let left = chunk.runs.last().map(Run::last);
        push(&mut chunk.runs, new);
        chunk.seen += new.len;
        self.cut_full(self.chunks.len() - 1);
        left
    }

    fn cut_full(&mut self, at: usize) {
        if let Some(chunk) = self.chunks.get_mut(at).filter(|chunk| chunk.runs.len() > FULL) {
            let rest = Chunk::new(chunk.runs.split_off(FULL / 2));
            chunk.seen -= rest.seen;
            self.chunks.insert(at + 1, rest);
        }
    }
}

/// Adds a run behind others.
fn push(runs: &mut Vec<Run>, run: Run) {
    if !runs.last_mut().is_some_and(|last| last.join(&run)) {
        runs.push(run);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every unit by itself.
    fn units(order: &Order) -> Vec<(ItemId, bool)> {
        let runs = order.chunks.iter().flat_map(|chunk| &chunk.runs);
        runs.flat_map(|run| (0..run.len).map(|n| (ItemId { clock: run.id.clock + n, ..run.id }, run.dead)))
            .collect()
    }

    proptest! {
        /// It does what a plain vector of units does, also over many chunks, and when it is made anew in between.
        #[test]
        fn an_order_is_a_vector_of_units(
            steps in prop::collection::vec((any::<prop::sample::Index>(), 1u32..6, 0u8..3), 1..900),
            anew in any::<prop::sample::Index>(),
        ) {
            let (mut order, mut plain) = (Order::default(), Vec::<(ItemId, bool)>::new());
            let mut clock = 0;
            for (n, (at, len, what)) in steps.iter().enumerate() {
                let seen: Vec<usize> =
                    plain.iter().enumerate().filter(|(_, unit)| !unit.1).map(|(place, _)| place).collect();
                let at = at.index(seen.len() + 1);
                if *what > 0 {
                    let id = ItemId { client: u64::from(*what), clock };
                    let place = seen.get(at).copied().unwrap_or(plain.len());
                    let want = (place.checked_sub(1).map(|left| plain[left].0), plain.get(place).map(|unit| unit.0));
                    prop_assert_eq!(order.insert(at as u32, id, *len), want);
                    let new = (clock..clock + len).map(|clock| (ItemId { clock, ..id }, false));
                    plain.splice(place..place, new);
                    clock += len;
                } else {
                    let gone = &seen[at..seen.len().min(at + *len as usize)];
                    let runs = order.remove(at as u32, gone.len() as u32);
                    let told = runs.iter().flat_map(|run| (0..run.len).map(|n| ItemId { clock: run.id.clock + n, ..run.id }));
                    prop_assert_eq!(told.collect::<Vec<_>>(), gone.iter().map(|place| plain[*place].0).collect::<Vec<_>>());
                    gone.iter().for_each(|place| plain[*place].1 = true);
                }
                if n == anew.index(steps.len()) {
                    order = Order::collect(order.chunks.iter().flat_map(|chunk| chunk.runs.clone()));
                }
            }
            prop_assert_eq!(units(&order), plain);
            for chunk in &order.chunks {
                prop_assert_eq!(chunk.seen, Chunk::new(chunk.runs.clone()).seen);
                prop_assert!(!chunk.runs.is_empty() && chunk.runs.len() <= FULL);
            }
        }
    }
}
