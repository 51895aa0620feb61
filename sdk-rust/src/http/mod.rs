//! HTTP requests and their answers.

mod into_response;
mod request;
mod response;
mod serve;

pub use into_response::IntoResponse;
pub use request::Request;
pub use response::Response;
#[doc(hidden)]
pub use serve::serve;
