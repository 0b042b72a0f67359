//! What handlers take out of a request; each says in words what is wrong with it.

use crate::control::api::ErrorCode;
use crate::core::names::{Kind, Name, ObjectRef};
use crate::http::error::Failure;
use crate::http::server::Shared;
use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use bytes::Bytes;
use http_body_util::LengthLimitError;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The object that the path names.
pub struct At(pub ObjectRef);

#[derive(Deserialize)]
struct Named {
    kind: String,
    name: String,
}

impl FromRequestParts<Shared> for At {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Failure> {
        let Path(Named { kind, name }) = Path::from_request_parts(parts, shared).await?;
        let name = Name::parse(&name).map_err(|e| Failure::invalid(e.to_string()))?;
        Ok(Self(ObjectRef::new(self::kind(&kind)?, name)))
    }
}

/// What stands in the path.
pub struct InPath<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Shared> for InPath<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Failure> {
        let Path(named) = Path::from_request_parts(parts, shared).await?;
        Ok(Self(named))
    }
}

/// As on the command line: short forms, plurals.
pub fn kind(word: &str) -> Result<Kind, Failure> {
    word.parse::<Kind>().map_err(|e| Failure::new(ErrorCode::NotFound, e.to_string(), ""))
}

/// What stands behind the `?`.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Shared> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Failure> {
        let Query(ask) = Query::from_request_parts(parts, shared).await?;
        Ok(Self(ask))
    }
}

/// A JSON body, whatever its content type says; an empty one is `{}`.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Shared> for Asked<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, Failure> {
        let bytes = whole(request, shared).await?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        // A list would be taken for the fields in their order.
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err(Failure::invalid("the body is no JSON object"));
        }
        let ask = serde_json::from_slice(text);
        ask.map(Self).map_err(|e| Failure::invalid(format!("the body is not valid: {e}")))
    }
}

/// A body that is a text, JSON or YAML.
pub struct Text(pub String);

impl FromRequest<Shared> for Text {
    type Rejection = Failure;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, Failure> {
        let text = String::from_utf8(whole(request, shared).await?.into());
        text.map(Self).map_err(|_| Failure::invalid("the body is not UTF-8 text"))
    }
}

async fn whole(request: Request, shared: &Shared) -> Result<Bytes, Failure> {
    let limit = shared.max_body;
    to_bytes(request.into_body(), limit).await.map_err(|error| {
        let too_large = std::error::Error::source(&error).is_some_and(|e| e.is::<LengthLimitError>());
        match too_large {
            true => {
                let what = format!("the body is larger than {} MiB", limit >> 20);
                Failure::with(StatusCode::PAYLOAD_TOO_LARGE, what)
            }
            false => Failure::invalid("the body ended early"),
        }
    })
}
