//! Listings: the host gives them in pages, a guest walks over their entries.

use crate::Result;
use std::vec;

/// Entries asked for at a time. A page ends at 1 MiB anyway; this keeps a page of small entries to a few tens of KiB.
const PAGE: u32 = 1000;

/// A listing that is fetched as it is walked over. After an error it ends.
///
/// It is no snapshot: what changes behind the entry reached is not seen, what changes after it is.
pub struct Pages<'a, T, C = String> {
    #[allow(clippy::type_complexity)]
    fetch: Box<dyn FnMut(Option<&C>, u32) -> Result<(Vec<T>, Option<C>)> + 'a>,
    page: vec::IntoIter<T>,
    after: Option<C>,
    more: bool,
}

impl<'a, T, C> Pages<'a, T, C> {
    pub(crate) fn new(fetch: impl FnMut(Option<&C>, u32) -> Result<(Vec<T>, Option<C>)> + 'a) -> Self {
        Self { fetch: Box::new(fetch), page: Vec::new().into_iter(), after: None, more: true }
    }
}

impl<T, C> Iterator for Pages<'_, T, C> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.page.next() {
                return Some(Ok(entry));
            }
            if !self.more {
                return None;
            }
            match (self.fetch)(self.after.as_ref(), PAGE) {
                Ok((page, next)) => {
                    self.page = page.into_iter();
                    self.more = next.is_some();
                    self.after = next;
                }
                Err(e) => {
                    self.more = false;
                    return Some(Err(e));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn pages_are_joined_and_an_empty_one_is_no_end() {
        let mut asked = Vec::new();
        let all: Result<Vec<u32>> = Pages::new(|after: Option<&u32>, _| {
            asked.push(after.copied());
            Ok(match after {
                None => (vec![1, 2], Some(2)),
                Some(2) => (vec![], Some(3)),
                Some(_) => (vec![4], None),
            })
        })
        .collect();
        assert_eq!(all, Ok(vec![1, 2, 4]));
        assert_eq!(asked, [None, Some(2), Some(3)]);
    }

    #[test]
    fn an_error_ends_it() {
        let mut pages = Pages::new(|_: Option<&()>, _| Err::<(Vec<u8>, _), _>(Error::NotFound));
        assert_eq!(pages.next(), Some(Err(Error::NotFound)));
        assert_eq!(pages.next(), None);
    }
}
