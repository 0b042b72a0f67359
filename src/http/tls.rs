//! The certificate of a listener, from files. No error tells what stands in them.

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{path} cannot be read: {why}")]
    Unreadable { path: PathBuf, why: String },
    #[error("{path} holds no {what} in PEM")]
    Nothing { path: PathBuf, what: &'static str },
    #[error("the certificate {certificate} and the key {key} are of no use together: {why}")]
    Unfit { certificate: PathBuf, key: PathBuf, why: rustls::Error },
}

fn unread(path: &Path, what: &'static str) -> impl Fn(PemError) -> TlsError {
    move |error| match error {
        PemError::Io(error) => TlsError::Unreadable { path: path.to_owned(), why: error.to_string() },
        _ => TlsError::Nothing { path: path.to_owned(), what },
    }
}

/// A certificate with those that vouch for it, and its key.
///
/// # Errors
/// When a file cannot be read, holds something else, or the two do not belong together.
pub fn server_config(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let unread_certificate = unread(certificate, "certificate");
    let chain = CertificateDer::pem_file_iter(certificate).map_err(&unread_certificate)?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(&unread_certificate)?;
    if chain.is_empty() {
        return Err(unread_certificate(PemError::NoItemsFound));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(unread(key, "private key"))?;
    let unfit = |why| TlsError::Unfit { certificate: certificate.to_owned(), key: key.to_owned(), why };
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(unfit)?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, private).map_err(unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
