//! Calls the function that the request's body names and answers with what came of it: `ok`, or the error's kind and
//! text. A function is named as `interface#function`; the key, field and so on are always `x`.

use numax_sdk::bindings::imports::numax::runtime::{
    changes, cluster, common, crdt, events, kv, messaging, module_info,
};
use test_guests::{answer, read_all};
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingRequest, ResponseOutparam, Scheme};
use wasip2::random::{insecure, insecure_seed, random};
use wasip2::sockets::network::{ErrorCode, IpAddressFamily};
use wasip2::sockets::{instance_network, ip_name_lookup, tcp_create_socket, udp_create_socket};

struct Calls;

wasip2::http::proxy::export!(Calls);

impl wasip2::exports::http::incoming_handler::Guest for Calls {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let body = request.consume().expect("consume");
        let text = read_all(&body.stream().expect("stream"));
        let text = String::from_utf8(text).expect("text");
        // A key, behind a space, instead of `x`.
        let (name, key) = text.split_once(' ').unwrap_or((&text, "x"));
        answer(out, 200, &call(name, key));
    }
}

/// What a call came to.
trait Outcome {
    fn text(self) -> String;
}

impl<T> Outcome for Result<T, common::Error> {
    fn text(self) -> String {
        match self {
            Ok(_) => "ok".into(),
            Err(common::Error::Denied(line)) => format!("denied {line}"),
            Err(common::Error::Invalid(why)) => format!("invalid {why}"),
            Err(common::Error::NotFound) => "not-found".into(),
            Err(common::Error::Quota(why)) => format!("quota {why}"),
            Err(common::Error::Unavailable(why)) => format!("unavailable {why}"),
        }
    }
}

/// WASI's own errors have names only.
fn wasi<T>(result: Result<T, impl std::fmt::Debug>) -> String {
    result.map_or_else(|e| format!("{e:?}"), |_| "ok".into())
}

fn socket<T>(result: Result<T, ErrorCode>) -> String {
    result.map_or_else(|e| e.name().to_owned(), |_| "ok".into())
}

fn call(name: &str, key: &str) -> String {
    match name.split_once('#') {
        Some(("numax:runtime/kv", f)) => kv_call(f, key),
        Some(("numax:runtime/crdt", f)) => crdt_call(f, key),
        Some(("numax:runtime/events", f)) => events_call(f, key),
        Some((_, f)) => other_call(f, key),
        None => unknown(name),
    }
}

fn unknown(name: &str) -> String {
    format!("this guest cannot call {name}")
}

fn kv_call(f: &str, key: &str) -> String {
    match f {
        "get" => kv::get(key).text(),
        "set" => kv::set(key, b"x").text(),
        "delete" => kv::delete(key).text(),
        "delete-prefix" => kv::delete_prefix(key).text(),
        "exists" => kv::exists(key).text(),
        "scan" => kv::scan(key, None, 10).text(),
        other => unknown(other),
    }
}

/// Opens a value and goes on with it, if that is granted.
macro_rules! on {
    ($family:ident, $key:expr, $handle:ident => $call:expr) => {
        match crdt::$family::open($key) {
            Ok($handle) => $call.text(),
            Err(e) => Err::<(), _>(e).text(),
        }
    };
}

fn crdt_call(f: &str, key: &str) -> String {
    match f {
        "[static]g-counter.open" => crdt::GCounter::open(key).text(),
        "[method]g-counter.increment" => on!(GCounter, key, c => c.increment(1)),
        "[method]g-counter.value" => on!(GCounter, key, c => c.value()),
        "[static]pn-counter.open" => crdt::PnCounter::open(key).text(),
        "[method]pn-counter.increment" => on!(PnCounter, key, c => c.increment(1)),
        "[method]pn-counter.decrement" => on!(PnCounter, key, c => c.decrement(1)),
        "[method]pn-counter.value" => on!(PnCounter, key, c => c.value()),
        "[static]lww-register.open" => crdt::LwwRegister::open(key).text(),
        "[method]lww-register.set" => on!(LwwRegister, key, r => r.set(b"x")),
        "[method]lww-register.get" => on!(LwwRegister, key, r => r.get()),
        "[method]lww-register.clear" => on!(LwwRegister, key, r => r.clear()),
        "[method]lww-register.compare-and-set" => on!(LwwRegister, key, r => r.compare_and_set(None, b"x")),
        "[static]lww-map.open" => crdt::LwwMap::open(key).text(),
        "[method]lww-map.set" => on!(LwwMap, key, m => m.set("x", b"x")),
        "[method]lww-map.get" => on!(LwwMap, key, m => m.get("x")),
        "[method]lww-map.contains" => on!(LwwMap, key, m => m.contains("x")),
        "[method]lww-map.remove" => on!(LwwMap, key, m => m.remove("x")),
        "[method]lww-map.entries" => on!(LwwMap, key, m => m.entries(None, 10)),
        "[method]lww-map.size" => on!(LwwMap, key, m => m.size()),
        "[method]lww-map.clear" => on!(LwwMap, key, m => m.clear()),
        "[static]or-set.open" => crdt::OrSet::open(key).text(),
        "[method]or-set.add" => on!(OrSet, key, s => s.add(b"x")),
        "[method]or-set.remove" => on!(OrSet, key, s => s.remove(b"x")),
        "[method]or-set.contains" => on!(OrSet, key, s => s.contains(b"x")),
        "[method]or-set.elements" => on!(OrSet, key, s => s.elements(None, 10)),
        "[method]or-set.size" => on!(OrSet, key, s => s.size()),
        "[method]or-set.clear" => on!(OrSet, key, s => s.clear()),
        "[static]rga.open" => crdt::Rga::open(key).text(),
        "[method]rga.insert" => on!(Rga, key, l => l.insert(None, b"x")),
        "[method]rga.push" => on!(Rga, key, l => l.push(b"x")),
        "[method]rga.get" => on!(Rga, key, l => l.get("x")),
        "[method]rga.remove" => on!(Rga, key, l => l.remove("x")),
        "[method]rga.entries" => on!(Rga, key, l => l.entries(None, 10)),
        "[method]rga.size" => on!(Rga, key, l => l.size()),
        "[method]rga.clear" => on!(Rga, key, l => l.clear()),
        "[static]text.open" => crdt::Text::open(key).text(),
        "[method]text.insert" => on!(Text, key, t => t.insert(0, "x")),
        "[method]text.remove" => on!(Text, key, t => t.remove(0, 0)),
        "[method]text.read" => on!(Text, key, t => t.read()),
        "[method]text.size" => on!(Text, key, t => t.size()),
        "[method]text.clear" => on!(Text, key, t => t.clear()),
        "[method]text.state-vector" => on!(Text, key, t => t.state_vector()),
        "[method]text.diff" => on!(Text, key, t => t.diff(None)),
        "[method]text.apply-update" => on!(Text, key, t => t.apply_update(&[0, 0])),
        "keys" => crdt::keys(common::CrdtKind::GCounter, key, None, 10).text(),
        other => unknown(other),
    }
}

fn events_call(f: &str, key: &str) -> String {
    match f {
        "every" => events::every(key, 1000).text(),
        "cron" => events::cron(key, "* * * * *", events::Scope::EveryNode).text(),
        "watch" => events::watch(Some(common::CrdtKind::GCounter), key).text(),
        "subscribe" => events::subscribe(key).text(),
        other => unknown(other),
    }
}

fn other_call(f: &str, key: &str) -> String {
    match f {
        "self-id" => cluster::self_id().unwrap_or_else(|e| Err::<(), _>(e).text()),
        "peers" => cluster::peers().map_or_else(
            |e| Err::<(), _>(e).text(),
            |peers| peers.iter().map(|p| format!("{} {:?}", p.name, p.state)).collect::<Vec<_>>().join(" "),
        ),
        "publish" => messaging::publish(key, b"x").text(),
        "[static]feed.open" => changes::Feed::open(Some(common::CrdtKind::GCounter), key, None).text(),
        "id" => module_info::id(),
        "grants" => module_info::grants().join("\n"),
        "get-random-bytes" => random::get_random_bytes(32).len().to_string(),
        "get-random-u64" => {
            std::hint::black_box(random::get_random_u64());
            "ok".into()
        }
        "get-insecure-random-bytes" => insecure::get_insecure_random_bytes(32).len().to_string(),
        "insecure-seed" => {
            std::hint::black_box(insecure_seed::insecure_seed());
            "ok".into()
        }
        "monotonic-now" => monotonic_clock::now().to_string(),
        "wall-now" => wall_clock::now().seconds.to_string(),
        "subscribe-instant" => {
            monotonic_clock::subscribe_instant(0).block();
            "ok".into()
        }
        "subscribe-duration" => {
            monotonic_clock::subscribe_duration(0).block();
            "ok".into()
        }
        "get-environment" => std::env::vars().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" "),
        "get-directories" => wasip2::filesystem::preopens::get_directories().len().to_string(),
        "open-file" => wasi(std::fs::File::open("/etc/passwd").map_err(|e| e.kind())),
        "handle" => outbound(key),
        "resolve-addresses" => {
            let network = instance_network::instance_network();
            socket(ip_name_lookup::resolve_addresses(&network, "example.com"))
        }
        "create-tcp-socket" => socket(tcp_create_socket::create_tcp_socket(IpAddressFamily::Ipv4)),
        "create-udp-socket" => socket(udp_create_socket::create_udp_socket(IpAddressFamily::Ipv4)),
        other => unknown(other),
    }
}

fn outbound(authority: &str) -> String {
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&Scheme::Https)).expect("scheme");
    request.set_authority(Some(authority)).expect("authority");
    request.set_path_with_query(Some("/")).expect("path");
    match outgoing_handler::handle(request, None) {
        Ok(answer) => {
            answer.subscribe().block();
            wasi(answer.get().expect("ready").expect("first"))
        }
        Err(code) => format!("{code:?}"),
    }
}
