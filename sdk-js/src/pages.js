// Large values come from the host in pages.

/** Entries asked for at a time. The host ends a page at 1 MiB as well. */
export const PAGE = 500;

/** All entries: `get(after)` gives one page, whose list is called `items`. */
export function* walk(get, items) {
  let after;
  do {
    const page = get(after);
    yield* page[items];
    after = page.next;
  } while (after !== undefined);
}
