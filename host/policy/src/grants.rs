//! A policy's grants, one a line, as the policy writes them.

use std::fmt::Display;

use numax_crdt::Kind;

use crate::capability::Access;
use crate::policy::Policy;
use crate::text::quote;

impl Policy {
    /// What is granted: one line each, in a fixed order, in the words of the policy file. What a
    /// module is told about itself, and what two policies are compared by.
    #[must_use]
    pub fn grants(&self) -> Vec<String> {
        let mut lines = Vec::new();
        list(&mut lines, "db.read", self.db.read.iter());
        list(&mut lines, "db.write", self.db.write.iter());
        for (kind, access) in Kind::ALL.iter().zip(&self.crdt) {
            family(&mut lines, kind.config_name(), access);
        }
        list(&mut lines, "keyvalue", self.keyvalue.iter());
        flag(&mut lines, "net.peers", self.net_peers);
        list(&mut lines, "messaging.publish", self.publish.iter());
        list(&mut lines, "messaging.subscribe", self.subscribe.iter());
        flag(&mut lines, "network.serve", self.serve);
        list(&mut lines, "network.outbound", self.outbound.iter());
        list(&mut lines, "network.tcp", self.tcp.iter());
        list(&mut lines, "network.udp", self.udp.iter());
        list(&mut lines, "network.resolve", self.resolve.iter());
        flag(&mut lines, "random", self.random);
        flag(&mut lines, "time", self.time);
        list(&mut lines, "env", self.env.iter());
        list(&mut lines, "config", self.config.iter());
        for grant in &self.fs {
            lines.push(format!(
                "fs = [{{ host = {}, guest = {}, write = {} }}]",
                quote(&grant.host.to_string_lossy()),
                quote(&grant.guest),
                grant.write
            ));
        }
        lines
    }
}

fn flag(lines: &mut Vec<String>, name: &str, granted: bool) {
    if granted {
        lines.push(format!("{name} = true"));
    }
}

fn list<T: Display>(lines: &mut Vec<String>, name: &str, granted: impl Iterator<Item = T>) {
    if let Some(inside) = joined(granted) {
        lines.push(format!("{name} = [{inside}]"));
    }
}

fn family(lines: &mut Vec<String>, name: &str, access: &Access) {
    if access.read == access.write {
        return list(lines, &format!("crdt.{name}"), access.read.iter());
    }
    let read = joined(access.read.iter()).map(|inside| format!("read = [{inside}]"));
    let write = joined(access.write.iter()).map(|inside| format!("write = [{inside}]"));
    let parts: Vec<String> = read.into_iter().chain(write).collect();
    lines.push(format!("crdt.{name} = {{ {} }}", parts.join(", ")));
}

fn joined<T: Display>(items: impl Iterator<Item = T>) -> Option<String> {
    let items: Vec<String> = items.map(|item| quote(&item.to_string())).collect();
    if items.is_empty() { None } else { Some(items.join(", ")) }
}
