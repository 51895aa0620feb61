//! Pages of a collection, with what the guest may not see left out.

use super::SessionError;
use bytes::Bytes;
use numax_replica::Page;

/// Entries of one page. A guest that asks for more gets this many and the place to go on. Bytes are bounded by the
/// replica: 1 MiB or one entry.
const MAX_PAGE_ENTRIES: usize = 10_000;

/// A limit as the guest gave it, made usable.
pub(super) fn limit(asked: u32) -> Result<usize, SessionError> {
    match usize::try_from(asked) {
        Ok(0) => Err(SessionError::Invalid("a page's limit must be at least 1".to_owned())),
        Ok(n) => Ok(n.min(MAX_PAGE_ENTRIES)),
        Err(_) => Ok(MAX_PAGE_ENTRIES),
    }
}

/// Drops the entries whose name `keep` refuses. None left and the collection goes on: an error with the place from which
/// the next page is to be read. A page may be short and still have a next one.
pub(super) fn filtered<T>(
    mut page: Page<T>,
    name: impl Fn(&T) -> &Bytes,
    keep: impl Fn(&Bytes) -> bool,
) -> Result<Page<T>, Bytes> {
    page.items.retain(|item| keep(name(item)));
    let Some(next) = page.next else { return Ok(page) };
    match page.items.last().map(|item| name(item).clone()) {
        None => Err(next),
        // Not the raw place, which may be no text: everything between the two is left out anyway.
        last => Ok(Page { items: page.items, next: last }),
    }
}

/// Whether a name can be shown to guests.
pub(super) fn is_text(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(items: &[&'static str], next: Option<&'static str>) -> Page<Bytes> {
        Page { items: items.iter().map(|i| Bytes::from(*i)).collect(), next: next.map(Bytes::from) }
    }

    fn keep(raw: Page<Bytes>, kept: &'static str) -> Result<Page<Bytes>, Bytes> {
        filtered(raw, |i| i, |name| name.as_ref() == kept.as_bytes())
    }

    #[test]
    fn a_page_with_nothing_left_leads_on() {
        assert_eq!(keep(page(&["a", "b"], Some("b")), "x"), Err(Bytes::from("b")));
        assert_eq!(keep(page(&["a", "b"], None), "x"), Ok(page(&[], None)));
    }

    #[test]
    fn a_short_page_goes_on_behind_its_last_entry() {
        assert_eq!(keep(page(&["a", "b"], Some("b")), "a"), Ok(page(&["a"], Some("a"))));
        assert_eq!(keep(page(&["a", "b"], None), "a"), Ok(page(&["a"], None)));
    }

    #[test]
    fn limits_are_checked() {
        assert!(limit(0).is_err());
        assert_eq!(limit(7), Ok(7));
        assert_eq!(limit(u32::MAX), Ok(MAX_PAGE_ENTRIES));
    }
}
