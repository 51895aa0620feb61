//! `numax ca`: an authority, and certificates by it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use numax_crdt::NodeId;
use numax_net::ca::{self, CA_CERTIFICATE, CaOptions, IssueOptions, Issued};
use numax_net::identity::FOLDER;
use numax_net::{AUTHORITY_FILE, CERTIFICATE_FILE, IdentityError, NodeKey};
use numax_policy::text::parse_duration;
use serde_json::json;

use super::{print, print_json};
use crate::args::{CaArgs, CaCommand};
use crate::exit::Failure;

pub(crate) fn run(args: &CaArgs) -> Result<(), Failure> {
    match &args.command {
        CaCommand::Init { dir, name, valid_for, json } => init(dir, name, valid_for, *json),
        CaCommand::Request { datastore } => {
            let key = NodeKey::load_or_create(datastore).map_err(failed)?;
            print(ca::request(&key).map_err(failed)?.trim_end());
            Ok(())
        }
        CaCommand::Issue { ca, datastore, request, host: hosts, valid_for, out, other_cluster, json } => {
            hosts.iter().map(host).collect::<Result<Vec<_>, _>>()?;
            let options = IssueOptions { names: hosts.clone(), validity: validity(valid_for)? };
            if let (Some(request), Some(out)) = (request, out) {
                return issue_for(ca, request, &options, out, *json);
            }
            if !other_cluster {
                let folder = out.clone().unwrap_or_else(|| datastore.join(FOLDER));
                same_cluster(ca, datastore, &folder)?;
            }
            issue(ca, datastore, &options, out.as_deref(), *json)
        }
        CaCommand::Show { path, json } => show(path, *json),
    }
}

fn validity(text: &str) -> Result<Duration, Failure> {
    match parse_duration(text) {
        Ok(Duration::ZERO) => Err(Failure::usage("--valid-for: a certificate must be valid for some time")),
        Ok(validity) => Ok(validity),
        Err(wrong) => Err(Failure::usage(format!("--valid-for: {wrong}"))),
    }
}

/// Names and addresses as a certificate can hold them.
fn host(text: &String) -> Result<&String, Failure> {
    let label = |part: &str| {
        !part.is_empty()
            && part.len() <= 63
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    let name = text.strip_prefix("*.").unwrap_or(text);
    match text.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(label)) {
        true => Ok(text),
        false => Err(Failure::usage(format!("--host: {text:?} is no host name and no address"))),
    }
}

/// A datastore that has joined a cluster stays there unless somebody says otherwise: its data would be given to the
/// other cluster.
fn same_cluster(authority: &Path, datastore: &Path, folder: &Path) -> Result<(), Failure> {
    let old = folder.join(AUTHORITY_FILE);
    if !old.is_file() {
        return Ok(());
    }
    // An authority that cannot be read is told of by who uses it.
    let Ok(new) = ca::show(authority) else { return Ok(()) };
    let (old, new) = (ca::inspect(&old).map_err(failed)?.node, new.node);
    if old == new {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{} belongs to cluster {old}, and {} is the authority of cluster {new}: nothing is changed; --other-cluster moves \
         the datastore, with all its data",
        datastore.display(),
        authority.display()
    )))
}

fn failed(error: IdentityError) -> Failure {
    Failure::failed(error)
}

fn init(dir: &Path, name: &str, valid_for: &str, as_json: bool) -> Result<(), Failure> {
    let options = CaOptions { name: name.to_owned(), validity: validity(valid_for)? };
    let authority = ca::init(dir, &options).map_err(failed)?;
    let cluster = NodeId(authority.cluster_id());
    if as_json {
        print_json(&json!({ "folder": dir, "cluster": cluster.to_string() }));
        return Ok(());
    }
    print(&format!("cluster {cluster}"));
    eprintln!(
        "{} holds the authority of this cluster: whoever has ca-key.pem can let nodes in, so keep it off the nodes\n\
         next, for every node:  numax ca issue --ca {} --datastore DIR",
        dir.display(),
        dir.display()
    );
    Ok(())
}

/// For a node on another machine: its key stays there.
fn issue_for(
    authority: &Path,
    request: &Path,
    options: &IssueOptions,
    out: &Path,
    as_json: bool,
) -> Result<(), Failure> {
    let text = std::fs::read_to_string(request)
        .map_err(|error| Failure::failed(format!("cannot read {}: {error}", request.display())))?;
    let (issued, paths) = ca::issue_for(authority, &text, options, out).map_err(failed)?;
    said(&issued, &paths, as_json);
    if !as_json {
        eprintln!("next: put both files into the folder identity of that node's datastore");
    }
    Ok(())
}

fn said(issued: &Issued, paths: &[PathBuf], as_json: bool) {
    if as_json {
        return print_json(&json!({
            "node": issued.node.to_string(),
            "cluster": NodeId(issued.cluster).to_string(),
            "files": paths,
        }));
    }
    print(&format!("node {}", issued.node));
    for path in paths {
        eprintln!("wrote {}", path.display());
    }
}

fn issue(
    authority: &Path,
    datastore: &Path,
    options: &IssueOptions,
    out: Option<&Path>,
    as_json: bool,
) -> Result<(), Failure> {
    let (issued, paths) = ca::issue(authority, datastore, options, out).map_err(failed)?;
    said(&issued, &paths, as_json);
    if as_json {
        return Ok(());
    }
    let flags = match out {
        Some(_) => {
            let [certificate, ca] = &paths;
            format!(" --tls-cert {} --tls-ca {}", certificate.display(), ca.display())
        }
        None => String::new(),
    };
    eprintln!("next:  numax run APP.wasm --datastore-path {} --listen ADDR{flags}", datastore.display());
    Ok(())
}

/// The certificate that a path means: the file, an authority's, or a datastore's.
fn certificate_of(path: &Path) -> PathBuf {
    let candidates = [path.join(CA_CERTIFICATE), path.join(FOLDER).join(CERTIFICATE_FILE)];
    candidates.into_iter().find(|candidate| candidate.is_file()).unwrap_or_else(|| path.to_path_buf())
}

fn show(path: &Path, as_json: bool) -> Result<(), Failure> {
    let path = certificate_of(path);
    let info = ca::inspect(&path).map_err(failed)?;
    let what = if info.is_authority { "cluster" } else { "node" };
    if as_json {
        print_json(&json!({
            "file": path,
            (what): info.node.to_string(),
            "authority": info.is_authority,
            "subject": info.subject,
            "issuer": info.issuer,
            "names": info.names,
            "not_after_unix": info.not_after.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            "expired": info.valid_for().is_none(),
        }));
        return Ok(());
    }
    print(&format!("{what} {}", info.node));
    print(&format!("subject {}", info.subject));
    print(&format!("issuer {}", info.issuer));
    if !info.names.is_empty() {
        print(&format!("names {}", info.names.join(", ")));
    }
    match info.valid_for() {
        Some(left) => print(&format!("expires {} (in {} days)", info.expires, left.as_secs() / 86_400)),
        None => print(&format!("expired {}", info.expires)),
    }
    Ok(())
}
