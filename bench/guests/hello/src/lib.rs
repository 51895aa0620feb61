//! Answers every request with the same thirteen bytes.

use numax_sdk::http::{IntoResponse, Request, Response};

numax_sdk::on_http!(handle);

fn handle(_: Request) -> numax_sdk::Result<Response> {
    Ok((200, "Hello, world!").into_response())
}
