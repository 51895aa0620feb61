//! What lifts a denial: the very line to add.

use crate::capability::Capability;
use crate::text::quote;

/// The line for `[capabilities]` that would have granted this, and nothing more.
///
/// `subject` is what [`Capability`] says of each: a key, a topic, a name; it is ignored where
/// there is none.
#[must_use]
pub fn line(capability: Capability, subject: &str) -> String {
    let subject = quote(subject);
    match capability {
        Capability::DbRead => format!("db.read = [{subject}]"),
        Capability::DbWrite => format!("db.write = [{subject}]"),
        Capability::CrdtRead(kind) => format!("crdt.{} = {{ read = [{subject}] }}", kind.config_name()),
        Capability::CrdtWrite(kind) => format!("crdt.{} = [{subject}]", kind.config_name()),
        Capability::KeyValue => format!("keyvalue = [{subject}]"),
        Capability::NetPeers => "net.peers = true".to_owned(),
        Capability::Publish => format!("messaging.publish = [{subject}]"),
        Capability::Subscribe => format!("messaging.subscribe = [{subject}]"),
        Capability::Serve => "network.serve = true".to_owned(),
        Capability::Outbound => format!("network.outbound = [{subject}]"),
        Capability::Tcp => format!("network.tcp = [{subject}]"),
        Capability::Udp => format!("network.udp = [{subject}]"),
        Capability::Resolve => format!("network.resolve = [{subject}]"),
        Capability::Random => "random = true".to_owned(),
        Capability::Time => "time = true".to_owned(),
        Capability::Env => format!("env = [{subject}]"),
        Capability::Config => format!("config = [{subject}]"),
        Capability::Fs => format!("fs = [{{ host = \".\", guest = {subject}, write = false }}]"),
    }
}
