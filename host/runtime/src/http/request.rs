//! One request from its head to the guest's response.

use super::body::{Watched, limited};
use super::config::HttpConfig;
use super::reply::{failed, plain};
use super::router::Router;
use super::site::{Head, Site};
use crate::error::RunError;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::Body;
use hyper::body::Incoming;
use numax_policy::Capability;
use numax_replica::Seldom;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use wasmtime_wasi_http::WasiBody;

/// Everything that one worker needs to answer requests.
pub(super) struct Worker {
    pub(super) router: Arc<Router>,
    pub(super) sites: Vec<Arc<Site>>,
    pub(super) config: HttpConfig,
    /// Guests that go on after their connection's task has handed them over.
    pub(super) guests: TaskTracker,
    /// Where this server listens: the host of a request that names none, which HTTP/1.0 allows.
    pub(super) host: HeaderValue,
    /// Requests that found every instance taken.
    pub(super) busy: Arc<Seldom>,
}

impl Worker {
    /// Answers a request; every failure is an answer too.
    pub(super) async fn answer(self: Arc<Self>, mut request: Request<Incoming>) -> Response<WasiBody> {
        if request.version() == Version::HTTP_10 && request.uri().authority().is_none() {
            request.headers_mut().entry(header::HOST).or_insert_with(|| self.host.clone());
        }
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
        if let Some(refusal) = self.refuse(&request) {
            return refusal;
        }
        let bodiless = *request.method() == Method::HEAD;
        let request = request.map(|body| limited(body, self.config.max_body, self.config.stall_timeout));
        let (head, response) = oneshot::channel();
        let run = Box::pin(site.clone().run(request, head));
        self.first_of(site, run, response, bodiless).await
    }

    /// What no guest needs to see.
    fn refuse(&self, request: &Request<Incoming>) -> Option<Response<WasiBody>> {
        if request.body().size_hint().lower() > u64::try_from(self.config.max_body).unwrap_or(u64::MAX) {
            return Some(plain(StatusCode::PAYLOAD_TOO_LARGE, "the request's body is too large"));
        }
        let named = match request.uri().authority() {
            Some(_) => true,
            None => request.headers().get(header::HOST).is_some_and(|h| h.to_str().is_ok()),
        };
        (!named).then(|| plain(StatusCode::BAD_REQUEST, "the request names no host"))
    }

    /// Polls the guest here until it has given its response. If it goes on after that, the rest is another task's.
    async fn first_of(
        &self,
        site: &Arc<Site>,
        mut run: Pin<Box<impl Future<Output = Result<(), RunError>> + Send + 'static>>,
        response: oneshot::Receiver<Head>,
        bodiless: bool,
    ) -> Response<WasiBody> {
        let mut response = pin!(response);
        let mut ended = None;
        let head = poll_fn(|cx| {
            if ended.is_none()
                && let Poll::Ready(result) = run.as_mut().poll(cx)
            {
                ended = Some(result);
            }
            response.as_mut().poll(cx)
        })
        .await;
        let name = site.module.name();
        let running = match ended {
            None => {
                let (module, busy) = (site.module.clone(), self.busy.clone());
                let task = self.guests.spawn(async move {
                    if let Err(e) = run.await {
                        say(module.name(), &e, &busy);
                    }
                });
                Some(task.abort_handle())
            }
            Some(Ok(())) => None,
            Some(Err(e)) => {
                say(name, &e, &self.busy);
                if head.is_err() || matches!(e, RunError::Commit(_)) && !passed(&head) {
                    return failed(&e);
                }
                None
            }
        };
        let Ok(Head { tag, gate, response }) = head else {
            tracing::warn!(module = name, "the guest returned without a response");
            return plain(StatusCode::INTERNAL_SERVER_ERROR, "the module gave no response");
        };
        if !gate.wait(tag).await {
            if let Some(guest) = running {
                guest.abort();
            }
            return failed(&RunError::Commit("the log failed".to_owned()));
        }
        match response {
            Err(code) => {
                tracing::warn!(module = name, ?code, "the guest answered with an error");
                plain(StatusCode::BAD_GATEWAY, "the module answered with an error")
            }
            Ok(response) => match running {
                Some(guest) if !bodiless && has_body(response.status()) => {
                    let length = content_length(&response);
                    response.map(|body| Watched::wrap(body, guest, gate, length))
                }
                _ => response,
            },
        }
    }
}

/// Whether the head may leave in spite of what came after it.
fn passed(head: &Result<Head, oneshot::error::RecvError>) -> bool {
    head.as_ref().is_ok_and(|head| head.gate.now(head.tag) != Some(false))
}

fn has_body(status: StatusCode) -> bool {
    !(status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED)
}

fn content_length(response: &Response<WasiBody>) -> Option<u64> {
    response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// One line for a run that failed.
fn say(module: &str, error: &RunError, busy: &Seldom) {
    match error {
        // Said by the session, where it happened.
        RunError::Commit(_) => {}
        RunError::Busy(_) => {
            if let Some(requests) = busy.due(Instant::now()) {
                tracing::warn!(module, requests, %error, "requests were turned away with 503");
            }
        }
        _ => tracing::warn!(module, %error, "a request failed"),
    }
}
