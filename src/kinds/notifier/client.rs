//! Posts a message to a webhook, once. Must never wait for long, follow to another place, or show what is in the URL or was
//! answered: that would make a way to read what the operator's host can reach.

use super::message::Message;
use super::target::Target;
use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode, header};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// For all of it, from the name to the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a message did not arrive, or may not have.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    #[error("{endpoint} answered {status}")]
    Refused { endpoint: String, status: StatusCode },
    #[error("{endpoint} does not take it: {why}")]
    Failed { endpoint: String, why: String },
    #[error("{endpoint} had no answer within {} s", PATIENCE.as_secs())]
    Slow { endpoint: String },
}

/// Posts messages; tests have one of their own.
#[async_trait]
pub trait Post: Send + Sync + 'static {
    /// # Errors
    /// When it was not taken, or nobody knows whether it was.
    async fn post(&self, target: &Target, message: &Message) -> Result<(), PostError>;
}

/// Over HTTP, with the certificate authorities of the host unless others are given.
#[derive(Clone, Debug, Default)]
pub struct Http {
    pub roots: Option<RootCertStore>,
}

#[async_trait]
impl Post for Http {
    async fn post(&self, target: &Target, message: &Message) -> Result<(), PostError> {
        let endpoint = target.endpoint();
        let answer = tokio::time::timeout(PATIENCE, self.exchange(target, message)).await;
        match answer {
            Err(_) => Err(PostError::Slow { endpoint }),
            Ok(Err(why)) => Err(PostError::Failed { endpoint, why }),
            Ok(Ok(status)) if status.is_success() => Ok(()),
            Ok(Ok(status)) => Err(PostError::Refused { endpoint, status }),
        }
    }
}

impl Http {
    async fn exchange(&self, target: &Target, message: &Message) -> Result<StatusCode, String> {
        // Anew each time: messages are rare, and an authority that was added a moment ago counts.
        let roots = match self.roots.clone() {
            Some(roots) => roots,
            None => tokio::task::spawn_blocking(of_the_host).await.map_err(|error| error.to_string())?,
        };
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let client: Client<_, Full<Bytes>> =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        let mut request = Request::post(target.uri().clone())
            .header(header::CONTENT_TYPE, message.content_type)
            .header(header::USER_AGENT, concat!("seawall/", env!("CARGO_PKG_VERSION")));
        if let Some(authorization) = target.authorization() {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        for (name, value) in &message.headers {
            request = request.header(*name, value);
        }
        let body = Full::new(Bytes::from(message.body.clone()));
        let request = request.body(body).map_err(|_| "the message makes no HTTP request".to_owned())?;
        client.request(request).await.map(|answer| answer.status()).map_err(|error| chain(&error))
    }
}

/// What cannot be read is left out: then no certificate is believed, which says so.
fn of_the_host() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// The innermost causes say most; none of them knows the URL.
fn chain(error: &dyn Error) -> String {
    let mut words = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let word = cause.to_string();
        if words.last() != Some(&word) {
            words.push(word);
        }
        next = cause.source();
    }
    if words.is_empty() { error.to_string() } else { words.join(": ") }
}

#[cfg(test)]
mod tests;
