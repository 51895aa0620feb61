//! Does what it is told, in one turn: see the README beside this folder.

use numax_sdk::crdt::{self, GCounter, LwwMap, LwwRegister, OrSet, PnCounter, Rga, Text};
use numax_sdk::http::{IntoResponse, Request, Response};
use numax_sdk::{Error, Kind, Result};
use serde_json::{Value, json};

numax_sdk::on_http!(handle);

fn handle(request: Request) -> Response {
    if request.method() != "POST" {
        return (200, "rust\n").into_response();
    }
    let Ok(Value::Array(calls)) = serde_json::from_slice(request.body()) else {
        return (400, "the body is no array\n").into_response();
    };
    let answers: Vec<Value> = calls.iter().map(|call| answer(&Call::of(call))).collect();
    Response::json(Value::Array(answers).to_string())
}

/// `[family, key, function, argument, argument]`.
struct Call<'a>([&'a Value; 5]);

impl<'a> Call<'a> {
    fn of(call: &'a Value) -> Self {
        Self([0, 1, 2, 3, 4].map(|at| call.get(at).unwrap_or(&Value::Null)))
    }

    fn maybe(&self, at: usize) -> Option<&'a str> {
        self.0[at].as_str()
    }

    fn text(&self, at: usize) -> &'a str {
        self.maybe(at).unwrap_or_default()
    }

    fn number(&self, at: usize) -> u64 {
        self.0[at].as_u64().expect("a number")
    }

    fn index(&self, at: usize) -> u32 {
        u32::try_from(self.number(at)).expect("an index")
    }

    fn hex(&self, at: usize) -> Option<Vec<u8>> {
        let digits = self.maybe(at)?;
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
        Some((0..digits.len()).step_by(2).map(byte).collect())
    }
}

fn answer(call: &Call<'_>) -> Value {
    let done = match call.text(0) {
        "g-counter" => g_counter(call),
        "pn-counter" => pn_counter(call),
        "lww-register" => register(call),
        "lww-map" => map(call),
        "or-set" => set(call),
        "rga" => list(call),
        "text" => text(call),
        "keys" => keys(call),
        // For tests of the runtime alone.
        "trap" => panic!("as told"),
        "until" => until(call),
        _ => unknown(),
    };
    done.unwrap_or_else(|error| {
        let (kind, why) = match error {
            Error::Denied(why) => ("denied", why),
            Error::Invalid(why) => ("invalid", why),
            Error::NotFound => ("not-found", String::new()),
            Error::Quota(why) => ("quota", why),
            Error::Unavailable(why) => ("unavailable", why),
            other => ("unknown", other.to_string()),
        };
        json!({"error": kind, "why": why})
    })
}

fn unknown() -> Result<Value> {
    Ok(json!("unknown"))
}

fn ok(done: Result<()>) -> Result<Value> {
    done.map(|()| json!("ok"))
}

fn shown(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("values of text")
}

fn hex(bytes: Vec<u8>) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn g_counter(call: &Call<'_>) -> Result<Value> {
    let counter = GCounter::open(call.text(1))?;
    match call.text(2) {
        "increment" => ok(counter.increment(call.number(3))),
        "value" => Ok(json!(counter.value()?.to_string())),
        _ => unknown(),
    }
}

fn pn_counter(call: &Call<'_>) -> Result<Value> {
    let counter = PnCounter::open(call.text(1))?;
    match call.text(2) {
        "increment" => ok(counter.increment(call.number(3))),
        "decrement" => ok(counter.decrement(call.number(3))),
        "value" => Ok(json!(counter.value()?.to_string())),
        _ => unknown(),
    }
}

fn register(call: &Call<'_>) -> Result<Value> {
    let register = LwwRegister::open(call.text(1))?;
    match call.text(2) {
        "set" => ok(register.set(call.text(3))),
        "get" => Ok(json!(register.get()?.map(shown))),
        "clear" => ok(register.clear()),
        "compare-and-set" => {
            let expected = call.maybe(3).map(str::as_bytes);
            Ok(json!(register.compare_and_set(expected, call.text(4))?))
        }
        _ => unknown(),
    }
}

fn map(call: &Call<'_>) -> Result<Value> {
    let map = LwwMap::open(call.text(1))?;
    match call.text(2) {
        "set" => ok(map.set(call.text(3), call.text(4))),
        "get" => Ok(json!(map.get(call.text(3))?.map(shown))),
        "contains" => Ok(json!(map.contains(call.text(3))?)),
        "remove" => ok(map.remove(call.text(3))),
        "entries" => map.entries().map(|entry| entry.map(|(field, value)| json!([field, shown(value)]))).collect(),
        "size" => Ok(json!(map.size()?)),
        "clear" => ok(map.clear()),
        _ => unknown(),
    }
}

fn set(call: &Call<'_>) -> Result<Value> {
    let set = OrSet::open(call.text(1))?;
    match call.text(2) {
        "add" => ok(set.add(call.text(3))),
        "remove" => ok(set.remove(call.text(3))),
        "contains" => Ok(json!(set.contains(call.text(3))?)),
        "elements" => set.elements().map(|element| element.map(|element| json!(shown(element)))).collect(),
        "size" => Ok(json!(set.size()?)),
        "clear" => ok(set.clear()),
        _ => unknown(),
    }
}

fn list(call: &Call<'_>) -> Result<Value> {
    let list = Rga::open(call.text(1))?;
    match call.text(2) {
        "insert" => Ok(json!(list.insert(call.maybe(3), call.text(4))?)),
        "push" => Ok(json!(list.push(call.text(3))?)),
        "get" => Ok(json!(list.get(call.text(3))?.map(shown))),
        "remove" => ok(list.remove(call.text(3))),
        "entries" => list.entries().map(|entry| entry.map(|(id, value)| json!([id, shown(value)]))).collect(),
        "size" => Ok(json!(list.size()?)),
        "clear" => ok(list.clear()),
        _ => unknown(),
    }
}

fn text(call: &Call<'_>) -> Result<Value> {
    let text = Text::open(call.text(1))?;
    match call.text(2) {
        "insert" => ok(text.insert(call.index(3), call.text(4))),
        "remove" => ok(text.remove(call.index(3), call.index(4))),
        "read" => Ok(json!(text.read()?)),
        "size" => Ok(json!(text.size()?)),
        "clear" => ok(text.clear()),
        "state-vector" => Ok(json!(hex(text.state_vector()?))),
        "diff" => Ok(json!(hex(text.diff(call.hex(3).as_deref())?))),
        "apply-update" => ok(text.apply_update(call.hex(3).unwrap_or_default())),
        "units" => Ok(json!(Text::units(call.text(3)))),
        _ => unknown(),
    }
}

/// `["keys", prefix, family]`.
fn keys(call: &Call<'_>) -> Result<Value> {
    let kind = match call.text(2) {
        "g-counter" => Kind::GCounter,
        "pn-counter" => Kind::PnCounter,
        "lww-register" => Kind::LwwRegister,
        "lww-map" => Kind::LwwMap,
        "or-set" => Kind::OrSet,
        "rga" => Kind::Rga,
        "text" => Kind::Text,
        _ => return unknown(),
    };
    crdt::keys(kind, call.text(1)).map(|key| key.map(|key| json!(key))).collect()
}

/// `["until", key]`: goes on when that counter is not zero, without a commit point.
fn until(call: &Call<'_>) -> Result<Value> {
    let counter = GCounter::open(call.text(1))?;
    while counter.value()? == 0 {}
    Ok(json!("ok"))
}
