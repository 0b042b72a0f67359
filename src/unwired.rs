//! A backend that says no to everything: stands in until the operator is wired in.

use crate::cli::backend::{Backend, Check, OfflineError, Validated};
use crate::cli::settings::{RunSettings, Settings};
use crate::control::api::{Api, ApiError, Done, ErrorCode, ObjectList};
use crate::core::names::{Kind, ObjectRef};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub struct Unwired;

fn no() -> ApiError {
    ApiError::new(ErrorCode::Unavailable, "this build has no operator in it", "")
}

#[async_trait]
impl Backend for Unwired {
    async fn run(&self, _: RunSettings) -> Result<Option<ObjectList>, ApiError> {
        Err(no())
    }
    async fn offline(&self, _: &Settings) -> Result<Arc<dyn Api>, OfflineError> {
        Err(no().into())
    }
    fn validate(&self, _: &Path, _: &Settings) -> Result<Validated, ApiError> {
        Err(no())
    }
    fn schema(&self, _: Option<Kind>) -> String {
        String::new()
    }
    fn schemas(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
    async fn doctor(&self, _: &Settings) -> Vec<Check> {
        Vec::new()
    }
    async fn recover(&self, _: &Settings, _: Option<&str>) -> Result<Done, ApiError> {
        Err(no())
    }
    async fn logs(
        &self,
        _: &Settings,
        _: &ObjectRef,
        _: Option<u32>,
        _: bool,
    ) -> Result<BoxStream<'static, Result<Bytes, ApiError>>, ApiError> {
        Err(no())
    }
}
