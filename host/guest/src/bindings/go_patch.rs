//! Makes the code of wit-bindgen's Go generator safe beside Go's garbage collector.
//!
//! As generated, results of imports are allocated on the Go heap from inside `cabi_realloc`. Such an allocation may start
//! a collection, which reads clocks; but a component may not call out while the host fills its memory, so the instance
//! traps ("cannot leave component instance"), at random, under load. So `internal/wit/runtime` of the SDK gives the host
//! memory of an arena outside the heap, and the generated code has to
//! - copy what it lifts out of that memory: `unsafe.String` and `unsafe.Slice`, which would alias it, become
//!   `LiftString` and `LiftSlice` (lists of anything else are copied element by element as generated);
//! - open a frame of the arena before an import that returns memory and close it at the end (`Enter`, `Leave`), and
//!   say when the import itself runs (`Calling`, `Called`): memory asked for then belongs to that frame, and everything
//!   else to the export that is being entered.
//!
//! Code of a shape that is not known here is an error, so that another version of the generator cannot slip by.

/// The import of the runtime package, as the generator would write it.
const IMPORT: &str = "\twitRuntime \"numax.dev/sdk/internal/wit/runtime\"\n";

/// What every generated import wrapper that needs memory begins with.
const UNPIN: &str = "\tdefer pinner.Unpin()\n";

/// The patched text of a formatted file of generated code.
///
/// # Errors
/// Says what of it has an unknown shape.
pub(super) fn patch(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut function: Option<String> = None;
    for line in text.split_inclusive('\n') {
        match &mut function {
            None if line.starts_with("func ") && line.ends_with("{\n") => function = Some(line.into()),
            None => {
                if aliases(line) || line == UNPIN {
                    return Err(format!("memory is used outside of a function: {}", line.trim()));
                }
                out.push_str(line);
            }
            Some(body) => {
                body.push_str(line);
                if line == "}\n" {
                    out.push_str(&patch_function(body).map_err(|e| format!("{e}:\n{body}"))?);
                    function = None;
                }
            }
        }
    }
    if let Some(body) = function {
        return Err(format!("a function has no end:\n{body}"));
    }
    if out.contains("witRuntime.") && !out.contains("witRuntime \"") {
        let (head, tail) = out.split_once("import (\n").ok_or("there are no imports")?;
        out = format!("{head}import (\n{IMPORT}{tail}");
    }
    Ok(out)
}

fn aliases(code: &str) -> bool {
    code.contains("unsafe.String(") || code.contains("unsafe.Slice(")
}

fn patch_function(body: &str) -> Result<String, String> {
    let lifts = aliases(body);
    let text = body
        .replace("unsafe.String(", "witRuntime.LiftString(")
        .replace("unsafe.Slice(", "witRuntime.LiftSlice(");
    if body.starts_with("func wasm_export_") {
        // Parameters that the host has written are given back when they have been lifted.
        if lifts && !text.contains("witRuntime.Unpin()") {
            return Err("an export lifts memory and never gives it back".into());
        }
        return Ok(text);
    }
    let pins = text.matches(UNPIN).count();
    if pins == 0 {
        if lifts || text.contains("returnArea") {
            return Err("memory is taken without a pinner".into());
        }
        return Ok(text);
    }
    let calls = text.lines().filter(|l| is_call(l)).count();
    if pins != 1 || calls != 1 || text.matches("wasm_import_").count() != 1 {
        return Err(format!(
            "{pins} pinners and {calls} imports in one function, where one of each is known"
        ));
    }
    let mut out = String::with_capacity(text.len() + 200);
    for line in text.split_inclusive('\n') {
        if line == UNPIN {
            out.push_str("\twitFrame := witRuntime.Enter()\n\tdefer witRuntime.Leave(pinner, witFrame)\n");
        } else if is_call(line) {
            out.push_str("\twitRuntime.Calling(witFrame)\n");
            out.push_str(line);
            out.push_str("\twitRuntime.Called()\n");
        } else {
            out.push_str(line);
        }
    }
    Ok(out)
}

/// `wasm_import_x(…)` or `result := wasm_import_x(…)` as a statement of the function's own block.
fn is_call(line: &str) -> bool {
    let Some(statement) = line.strip_prefix('\t') else { return false };
    let call = match statement.split_once(" := ") {
        Some((name, call)) if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => call,
        _ => statement,
    };
    call.starts_with("wasm_import_") && call.trim_end().ends_with(')')
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRAPPER: &str = "package p

import (
\t\"runtime\"
\t\"unsafe\"
)

func Get(key string) string {
\tpinner := &runtime.Pinner{}
\tdefer pinner.Unpin()
\treturnArea := uintptr(0)
\twasm_import_get(key, returnArea)
\tvalue := unsafe.String((*uint8)(nil), 3)
\tresult := value
\treturn result
}
";

    #[test]
    fn a_wrapper_gets_its_frame_and_copies() {
        let patched = patch(WRAPPER).unwrap();
        let at = |what: &str| patched.find(what).unwrap_or_else(|| panic!("{what} is not in {patched}"));
        let order = [
            "Enter()",
            "defer witRuntime.Leave(",
            "Calling(witFrame)\n\twasm_import_get",
            "Called()",
            "LiftString(",
        ];
        assert!(order.windows(2).all(|w| at(w[0]) < at(w[1])), "{patched}");
        assert!(patched.contains(&format!("import (\n{IMPORT}")));
        assert!(!patched.contains("pinner.Unpin()") && !aliases(&patched));
    }

    #[test]
    fn a_wrapper_that_returns_a_value_is_known_too() {
        let patched = patch(&WRAPPER.replace("\twasm_import_get", "\tresult := wasm_import_get")).unwrap();
        assert!(patched.contains("\twitRuntime.Calling(witFrame)\n\tresult := wasm_import_get"));
    }

    #[test]
    fn code_without_memory_is_left_alone() {
        let text = "func wasm_import_now() int64\n\nfunc Now() int64 {\n\treturn wasm_import_now()\n}\n";
        assert_eq!(patch(text).unwrap(), text);
    }

    #[test]
    fn unknown_shapes_are_refused() {
        let two = WRAPPER.replace("\tvalue :=", "\twasm_import_more()\n\tvalue :=");
        let unpinned = WRAPPER.replace(UNPIN, "");
        let nested = WRAPPER
            .replace("\twasm_import_get(key, returnArea)\n", "\tif x {\n\t\twasm_import_get(key)\n\t}\n");
        let global = format!("{WRAPPER}\nvar x = unsafe.String(nil, 0)\n");
        let export = "func wasm_export_f(p *uint8) {\n\tuse(unsafe.String(p, 1))\n}\n".to_string();
        for text in [two, unpinned, nested, global, export] {
            assert!(patch(&text).is_err(), "{text}");
        }
    }
}
