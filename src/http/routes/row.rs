//! One route with all that is said of it.

use crate::core::access::Permission;
use crate::http::openapi::{Body, Route, Told, of};
use crate::http::server::Shared;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodRouter, get, post};
use schemars::JsonSchema;

/// One thing that can be asked, and what a caller must be allowed for it. There is no route but by one of these.
pub struct Row {
    pub route: Route,
    pub answer: MethodRouter<Shared>,
}

pub fn row(method: Method, path: &'static str, needs: Permission, answer: MethodRouter<Shared>) -> Row {
    Row { route: Route { method, path, needs, told: Told::default() }, answer }
}

pub fn reads<H: Handler<T, Shared>, T: 'static>(path: &'static str, needs: Permission, handler: H) -> Row {
    row(Method::GET, path, needs, get(handler))
}

pub fn does<H: Handler<T, Shared>, T: 'static>(path: &'static str, needs: Permission, handler: H) -> Row {
    row(Method::POST, path, needs, post(handler))
}

impl Row {
    fn with(mut self, change: impl FnOnce(&mut Told)) -> Self {
        change(&mut self.route.told);
        self
    }

    pub fn says(self, says: &'static str) -> Self {
        self.with(|told| told.says = says)
    }

    pub fn query<T: JsonSchema>(self) -> Self {
        self.with(|told| told.query = Some(of::<T>))
    }

    pub fn takes<T: JsonSchema>(self) -> Self {
        self.with(|told| told.body = Body::Json(of::<T>))
    }

    pub fn takes_form(self, body: Body) -> Self {
        self.with(|told| told.body = body)
    }

    pub fn gives<T: JsonSchema>(self) -> Self {
        self.with(|told| told.gives = Some(of::<T>))
    }

    /// It is new when it works.
    pub fn makes<T: JsonSchema>(self) -> Self {
        self.gives::<T>().with(|told| told.status = 201)
    }

    /// It may be new.
    pub fn may_make(self) -> Self {
        self.with(|told| told.also = Some(201))
    }

    /// There is no such thing; the answer says what there is instead.
    pub fn not_offered(self, why: &'static str) -> Self {
        self.with(|told| (told.says, told.status) = (why, 404))
    }

    pub fn media(self, media: &'static str) -> Self {
        self.with(|told| told.media = media)
    }

    pub fn or_stream(self, media: &'static str) -> Self {
        self.with(|told| told.stream = Some(media))
    }
}
