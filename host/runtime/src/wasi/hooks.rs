//! Outgoing HTTP: denied in this version, in the words of wasi:http.

use crate::session::ModuleGrant;
use crate::turn::Gate;
use numax_policy::Capability;
use std::sync::Arc;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

type Sent = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Response = Result<(http::Response<WasiBody>, Sent), Error>;

/// Decides over the requests that a guest sends.
pub(crate) struct Hooks {
    gate: Arc<Gate>,
    grant: Arc<ModuleGrant>,
}

impl Hooks {
    pub(crate) fn new(gate: Arc<Gate>, grant: Arc<ModuleGrant>) -> Hooks {
        Hooks { gate, grant }
    }
}

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _sent: Sent,
    ) -> Box<dyn Future<Output = Response> + Send> {
        let uri = request.uri();
        let scheme = uri.scheme_str().unwrap_or("https");
        let authority = uri.authority().map_or("", |a| a.as_str());
        self.grant.deny(Capability::Outbound, &format!("{scheme}://{authority}"));
        // The answer is output of a kind too: a guest must not learn it before what it wrote is safe.
        let (gate, tag) = (self.gate.clone(), self.gate.tag());
        Box::new(async move {
            gate.wait(tag).await;
            Err(Error::HttpRequestDenied)
        })
    }
}
