//! The macros that register handlers. Each makes one export; a guest that does not use one does not have the export.

use std::fmt::Display;

/// What a handler may return: nothing, or a result. An error is written to standard error and ends the call by a panic,
/// so that nothing of what the turn wrote remains.
#[doc(hidden)]
pub trait HandlerResult {
    fn finish(self, handler: &str);
}

impl HandlerResult for () {
    fn finish(self, _: &str) {}
}

impl<E: Display> HandlerResult for Result<(), E> {
    fn finish(self, handler: &str) {
        if let Err(error) = self {
            panic!("{handler}: {error}");
        }
    }
}

/// What an init function may return.
#[doc(hidden)]
pub trait InitResult {
    fn finish(self) -> Result<(), String>;
}

impl InitResult for () {
    fn finish(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: Display> InitResult for Result<(), E> {
    fn finish(self) -> Result<(), String> {
        self.map_err(|e| e.to_string())
    }
}

/// Serves HTTP: `on_http!(handle)` with `fn handle(request: Request) -> impl IntoResponse`.
///
/// The request's body has been read when the function is called. A [`Result`](crate::Result) is a fine return value:
/// see [`IntoResponse`](crate::http::IntoResponse). What was written before an error is committed all the same; panic to
/// undo it.
#[macro_export]
macro_rules! on_http {
    ($handle:path) => {
        const _: () = {
            struct Handler;
            impl $crate::bindings::export_http::exports::wasi::http::incoming_handler::Guest for Handler {
                fn handle(
                    request: $crate::bindings::imports::wasi::http::types::IncomingRequest,
                    out: $crate::bindings::imports::wasi::http::types::ResponseOutparam,
                ) {
                    $crate::http::serve(request, out, |r| $crate::http::IntoResponse::into_response($handle(r)))
                }
            }
            $crate::bindings::export_http::__export_http!(Handler with_types_in $crate::bindings::export_http);
        };
    };
}

/// Handles ticks: `on_tick!(tick)` with `fn tick(name: &str, now_ms: u64)`, where `name` is the timer's and `now_ms` the
/// node's clock in milliseconds since 1970. It may return a `Result<(), E>`; an error undoes what it wrote.
#[macro_export]
macro_rules! on_tick {
    ($tick:path) => {
        const _: () = {
            struct Handler;
            impl $crate::bindings::export_tick::exports::numax::runtime::tick_handler::Guest for Handler {
                fn on_tick(name: ::std::string::String, now_ms: u64) {
                    $crate::HandlerResult::finish($tick(&name, now_ms), "on_tick")
                }
            }
            $crate::bindings::export_tick::__export_tick!(Handler with_types_in $crate::bindings::export_tick);
        };
    };
}

/// Handles changes of replicated values: `on_change!(change)` with `fn change(changes: Vec<Change>)`. It may return a
/// `Result<(), E>`; an error undoes what it wrote.
#[macro_export]
macro_rules! on_change {
    ($change:path) => {
        const _: () = {
            struct Handler;
            impl $crate::bindings::export_change::exports::numax::runtime::change_handler::Guest for Handler {
                fn on_change(changes: ::std::vec::Vec<$crate::Change>) {
                    $crate::HandlerResult::finish($change(changes), "on_change")
                }
            }
            $crate::bindings::export_change::__export_change!(Handler with_types_in $crate::bindings::export_change);
        };
    };
}

/// Handles messages: `on_message!(message)` with `fn message(message: Message)`. It may return a `Result<(), E>`; an error
/// undoes what it wrote. Not called in this version.
#[macro_export]
macro_rules! on_message {
    ($message:path) => {
        const _: () = {
            struct Handler;
            impl $crate::bindings::export_message::exports::numax::runtime::message_handler::Guest for Handler {
                fn on_message(
                    source: $crate::NodeId,
                    topic: ::std::string::String,
                    payload: ::std::vec::Vec<u8>,
                ) {
                    let message = $crate::Message::new(source, topic, payload);
                    $crate::HandlerResult::finish($message(message), "on_message")
                }
            }
            $crate::bindings::export_message::__export_message!(
                Handler with_types_in $crate::bindings::export_message
            );
        };
    };
}

/// Handles members that come and go: `on_peer!(up, down)` with two functions of `node: &str`. They may return a
/// `Result<(), E>`; an error undoes what they wrote. Not called in this version.
#[macro_export]
macro_rules! on_peer {
    ($up:path, $down:path) => {
        const _: () = {
            struct Handler;
            impl $crate::bindings::export_peer::exports::numax::runtime::peer_handler::Guest for Handler {
                fn on_peer_connected(node: $crate::NodeId) {
                    $crate::HandlerResult::finish($up(&node), "on_peer_connected")
                }
                fn on_peer_disconnected(node: $crate::NodeId) {
                    $crate::HandlerResult::finish($down(&node), "on_peer_disconnected")
                }
            }
            $crate::bindings::export_peer::__export_peer!(Handler with_types_in $crate::bindings::export_peer);
        };
    };
}

/// The module's beginning and end: `lifecycle!(init, shutdown)`. `fn init()` may return a `Result<(), E>`; an error keeps
/// the module from running. `fn shutdown()` is called when the node lets the module go in good order.
#[macro_export]
macro_rules! lifecycle {
    ($init:path, $shutdown:path) => {
        const _: () = {
            struct Handler;
            impl $crate::bindings::export_lifecycle::exports::numax::runtime::lifecycle::Guest for Handler {
                fn init() -> ::std::result::Result<(), ::std::string::String> {
                    $crate::InitResult::finish($init())
                }
                fn shutdown() {
                    $crate::HandlerResult::finish($shutdown(), "shutdown")
                }
            }
            $crate::bindings::export_lifecycle::__export_lifecycle!(
                Handler with_types_in $crate::bindings::export_lifecycle
            );
        };
    };
}

/// The module's beginning alone: `on_init!(init)`. As [`lifecycle!`], with nothing to do at the end.
#[macro_export]
macro_rules! on_init {
    ($init:path) => {
        const _: () = {
            fn nothing() {}
            $crate::lifecycle!($init, nothing);
        };
    };
}

/// The module's end alone: `on_shutdown!(shutdown)`. As [`lifecycle!`], with nothing to do at the beginning.
#[macro_export]
macro_rules! on_shutdown {
    ($shutdown:path) => {
        const _: () = {
            fn nothing() {}
            $crate::lifecycle!(nothing, $shutdown);
        };
    };
}
