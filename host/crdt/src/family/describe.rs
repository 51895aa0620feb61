//! What a row says, for people: who wrote it, when, and what is in it.

use bytes::Bytes;

use crate::{
    element::ElementId,
    hlc::Hlc,
    id::{Dot, Origin},
};

/// What one row of a value says. Made by [`OpApplier::describe`](crate::OpApplier::describe).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFacts {
    /// Which row of its value it is.
    pub name: RowName,
    /// The batches that wrote what is in it: one, or for a set's element all that hold it. None for rows that are only
    /// made from others.
    pub written_by: Vec<Dot>,
    /// The time of the write where the row keeps it, because it decides who wins.
    pub hlc: Option<Hlc>,
    /// What is in it.
    pub content: RowContent,
}

impl RowFacts {
    /// Facts of a row that sums up others.
    pub(super) fn derived(name: RowName, content: RowContent) -> Self {
        Self { name, written_by: Vec::new(), hlc: None, content }
    }
}

/// Which row of a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowName {
    /// The value's head.
    Head,
    /// What one origin has counted.
    Origin(Origin),
    /// A map's field.
    Field(Bytes),
    /// A set's element.
    Element(Bytes),
    /// A list's element.
    ListElement(ElementId),
    /// A part of a list's order, which follows from its elements.
    Order,
    /// A part of a text's folded state.
    Part(u32),
    /// An update of a text that is not folded in yet.
    Update(u64),
}

/// What is in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowContent {
    /// An origin's totals; `down` for counters that go both ways.
    Totals {
        /// What it has added.
        up: u64,
        /// What it has subtracted.
        down: Option<u64>,
    },
    /// The sums over all origins; `down` for counters that go both ways.
    Sums {
        /// What all have added.
        up: u128,
        /// What all have subtracted.
        down: Option<u128>,
    },
    /// How many live entries the value has.
    Count(u64),
    /// A value.
    Value(Bytes),
    /// A tombstone: what was here was removed.
    Removed,
    /// An element that is there.
    Present,
    /// A list's element.
    ListElement {
        /// The element it was inserted after; none at the head.
        after: Option<ElementId>,
        /// Its value; none when it was removed.
        value: Option<Bytes>,
    },
    /// So many bytes that mean nothing by themselves.
    Bytes(u64),
}

impl RowContent {
    /// Whether the row only remembers a removal.
    #[must_use]
    pub fn is_tombstone(&self) -> bool {
        matches!(self, Self::Removed | Self::ListElement { value: None, .. })
    }
}

/// What the rows of one value come to, to be compared with what its head says.
#[derive(Debug, Clone, Default)]
pub struct Sum {
    up: u128,
    down: u128,
    live: u64,
    head: Option<RowContent>,
}

impl Sum {
    /// Counts a row, the head too.
    pub fn add(&mut self, row: &RowFacts) {
        match &row.content {
            content if row.name == RowName::Head => self.head = Some(content.clone()),
            RowContent::Totals { up, down } => {
                self.up = self.up.saturating_add((*up).into());
                self.down = self.down.saturating_add(down.unwrap_or(0).into());
            }
            RowContent::Value(_) | RowContent::Present | RowContent::ListElement { value: Some(_), .. } => {
                self.live += 1;
            }
            _ => {}
        }
    }

    /// Whether the head says the same. A value without one must be without anything to count.
    #[must_use]
    pub fn fits(&self) -> bool {
        match &self.head {
            None => (self.up, self.down, self.live) == (0, 0, 0),
            Some(RowContent::Sums { up, down }) => (*up, down.unwrap_or(0)) == (self.up, self.down),
            Some(RowContent::Count(count)) => *count == self.live,
            Some(_) => true,
        }
    }
}
