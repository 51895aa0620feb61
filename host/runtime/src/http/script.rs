//! Requests without a listener, one after the other: for runs that repeat, and whose requests are written down.

use super::reply::{failed, plain};
use super::router::Router;
use super::site::{Head, Site};
use crate::error::{RunError, StartError};
use crate::module::Module;
use crate::runtime::Runtime;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use numax_policy::Capability;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::oneshot;
use wasmtime_wasi_http::WasiBody;

/// Modules that are handed requests by the program itself.
pub struct HttpScript {
    router: Router,
    sites: Vec<Arc<Site>>,
}

impl HttpScript {
    /// Modules with their routes.
    ///
    /// # Errors
    /// If two modules have one route.
    pub fn new(runtime: &Runtime, modules: &[Module]) -> Result<HttpScript, StartError> {
        let sites = modules.iter().map(|m| Arc::new(Site::new(runtime.clone(), m.clone()))).collect();
        Ok(HttpScript { router: Router::new(modules)?, sites })
    }

    /// Hands a request to the module whose route it fits, and gives the whole answer once the guest has ended. Every
    /// failure is an answer too.
    pub async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        whole(self.run(request).await).await
    }

    async fn run(&self, request: Request<Bytes>) -> Response<WasiBody> {
        let Some(site) = self.router.find(request.uri().path()).and_then(|i| self.sites.get(i)) else {
            return plain(StatusCode::NOT_FOUND, "no module has this path");
        };
        let grant = site.module.grant();
        if !grant.policy().network_serve() {
            grant.deny(Capability::Serve, "");
            return plain(
                StatusCode::FORBIDDEN,
                "the module may not answer HTTP; the node's log names the policy line",
            );
        }
        let request = request.map(|body| Full::new(body).map_err(|never| match never {}).boxed_unsync());
        let (head, response) = oneshot::channel();
        let mut run = pin!(site.clone().run(request, head));
        let mut read = pin!(read(response));
        let (mut ended, mut answer) = (None, None);
        // The guest always comes first, and what it has given is taken behind it: the same order each time.
        poll_fn(|cx| {
            if ended.is_none()
                && let Poll::Ready(result) = run.as_mut().poll(cx)
            {
                ended = Some(result);
            }
            if answer.is_none()
                && let Poll::Ready(result) = read.as_mut().poll(cx)
            {
                answer = Some(result);
            }
            if ended.is_some() && answer.is_some() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        match (ended, answer.flatten()) {
            (Some(Err(error)), _) => {
                tracing::warn!(module = site.module.name(), %error, "a request failed");
                failed(&error)
            }
            (_, Some(response)) => response,
            (_, None) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the module gave no response"),
        }
    }
}

/// The guest's response with its whole body; none when it gave none.
async fn read(head: oneshot::Receiver<Head>) -> Option<Response<WasiBody>> {
    let Head { tag, gate, response } = head.await.ok()?;
    if !gate.wait(tag).await {
        return Some(failed(&RunError::Commit("the log failed".to_owned())));
    }
    match response {
        Ok(response) => {
            let response = whole(response).await;
            Some(response.map(|body| Full::new(body).map_err(|never| match never {}).boxed_unsync()))
        }
        Err(_) => Some(plain(StatusCode::BAD_GATEWAY, "the module answered with an error")),
    }
}

/// A response whose body is all there; what was cut off is an answer of its own.
async fn whole(response: Response<WasiBody>) -> Response<Bytes> {
    let (parts, body) = response.into_parts();
    match body.collect().await {
        Ok(body) => Response::from_parts(parts, body.to_bytes()),
        Err(_) => {
            let mut cut = Response::new(Bytes::from_static(b"the module's answer was cut off"));
            *cut.status_mut() = StatusCode::BAD_GATEWAY;
            cut
        }
    }
}

impl std::fmt::Debug for HttpScript {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpScript").field("modules", &self.sites.len()).finish_non_exhaustive()
    }
}
