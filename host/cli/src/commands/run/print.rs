//! `--print-…`: values at the end of a run, on stdout.

use numax_crdt::Key;
use numax_replica::{Draft, DraftError, Reader};

use crate::args::PrintArgs;

impl PrintArgs {
    /// True if nothing is to be printed.
    pub(crate) fn is_empty(&self) -> bool {
        let Self {
            print_gcounter,
            print_pncounter,
            print_lww_register,
            print_lww_map,
            print_orset,
            print_rga,
            print_text,
        } = self;
        [
            print_gcounter,
            print_pncounter,
            print_lww_register,
            print_lww_map,
            print_orset,
            print_rga,
            print_text,
        ]
        .iter()
        .all(|keys| keys.is_empty())
    }
}

/// Elements read at once; only memory depends on it.
const PAGE: usize = 1000;

/// One line for every value asked for. Reads storage, so it belongs on a thread that may block.
pub(crate) fn lines(reader: Reader, wanted: &PrintArgs) -> Result<Vec<String>, String> {
    let mut draft = Draft::new(reader, 0);
    draft.load_inline(true);
    let mut lines = Vec::new();
    for name in &wanted.print_gcounter {
        let value = draft.g_counter_value(&key(name)?).map_err(text)?;
        lines.push(format!("{name} = {value}"));
    }
    for name in &wanted.print_pncounter {
        let value = draft.pn_counter_value(&key(name)?).map_err(text)?;
        lines.push(format!("{name} = {value}"));
    }
    for name in &wanted.print_lww_register {
        let value = draft.register_get(&key(name)?).map_err(text)?;
        lines.push(format!("{name} = {}", value.map_or_else(|| "<unset>".to_owned(), |v| shown(&v))));
    }
    for name in &wanted.print_lww_map {
        lines.push(format!("{name} = {{{}}}", entries(&mut draft, &key(name)?).map_err(text)?));
    }
    for name in &wanted.print_orset {
        lines.push(format!("{name} = [{}]", elements(&mut draft, &key(name)?).map_err(text)?));
    }
    for name in &wanted.print_rga {
        lines.push(format!("{name} = [{}]", list(&mut draft, &key(name)?).map_err(text)?));
    }
    for name in &wanted.print_text {
        lines.push(format!("{name} = {}", draft.text_read(&key(name)?).map_err(text)?));
    }
    Ok(lines)
}

fn key(name: &str) -> Result<Key, String> {
    Key::new(name.as_bytes().to_vec()).map_err(|error| format!("{name}: {error}"))
}

fn text(error: DraftError) -> String {
    error.to_string()
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn entries(draft: &mut Draft, key: &Key) -> Result<String, DraftError> {
    let mut parts = Vec::new();
    let mut after = None;
    loop {
        let page = draft.map_entries(key, after.as_deref(), PAGE)?;
        parts.extend(page.items.iter().map(|(field, value)| format!("{}={}", shown(field), shown(value))));
        match page.next {
            Some(next) => after = Some(next.to_vec()),
            None => return Ok(parts.join(", ")),
        }
    }
}

fn elements(draft: &mut Draft, key: &Key) -> Result<String, DraftError> {
    let mut parts = Vec::new();
    let mut after = None;
    loop {
        let page = draft.set_elements(key, after.as_deref(), PAGE)?;
        parts.extend(page.items.iter().map(|element| shown(element)));
        match page.next {
            Some(next) => after = Some(next.to_vec()),
            None => return Ok(parts.join(", ")),
        }
    }
}

fn list(draft: &mut Draft, key: &Key) -> Result<String, DraftError> {
    let mut parts = Vec::new();
    let mut after = None;
    loop {
        let page = draft.list_entries(key, after, PAGE)?;
        parts.extend(page.items.iter().map(|(_, value)| shown(value)));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(parts.join(", ")),
        }
    }
}
