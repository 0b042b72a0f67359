//! The way into the dashboard without a token: links that whoever may open the socket makes.

use super::tickets::LASTS;
use super::tries::Source;
use crate::control::answers::ended;
use crate::control::api::{ApiError, ErrorCode, Result, SignInUrl};
use crate::control::operator::{Operator, this_second};
use crate::core::access::{Caller, Permission};
use crate::core::event::Note;
use crate::secrets::{ExposeSecret, Secret, TokenHash, token};
use crate::store::Saving;
use jiff::SignedDuration;
use std::net::IpAddr;

/// Whose entries of the audit log these are.
const DASHBOARD: &str = "dashboard";

impl Operator {
    /// Where a browser finds the dashboard from now on, without a path.
    pub fn dashboard_at(&self, address: Option<String>) {
        self.access.door().dashboard = address;
    }

    /// For who needs no token: a link that a token makes would go on when that is revoked.
    pub(in crate::control) async fn do_sign_in_link(&self) -> Result<SignInUrl> {
        self.must_run("dashboard")?;
        let caller = self.caller();
        if caller.from.is_some() {
            let what = "a link to sign in is made over the operator's socket only";
            return Err(ApiError::new(ErrorCode::Forbidden, what, "seawall dashboard, on its machine"));
        }
        let address = self.access.door().dashboard.clone();
        let nowhere = || {
            let what = "the dashboard is served nowhere";
            ApiError::new(ErrorCode::Unavailable, what, "seawall run --listen 127.0.0.1:7080 serves it")
        };
        let address = address.ok_or_else(nowhere)?;
        let expires = this_second() + SignedDuration::from_millis(LASTS.cast_signed());
        let note = Note::normal("SignInLinkMade", format!("for one use, until {expires}"));
        // As a password that is shown over the socket: a full disk is no reason to keep its owner out.
        self.answers_for_named(DASHBOARD, None, note, Saving::MayWait).await?;
        let secret = token();
        self.access.door().tickets.put(TokenHash::of(&secret), caller.name, self.clock());
        let url = format!("{address}/sign-in?ticket={}", secret.expose_secret());
        Ok(SignInUrl { url, expires: expires.to_string() })
    }

    /// Tries count as those of tokens do.
    pub(super) async fn do_redeem(&self, ticket: &Secret, from: IpAddr) -> Result<Caller> {
        let (source, clock) = (Source::of(from), self.clock());
        let found = {
            let mut door = self.access.door();
            match door.tries.wait(source, clock) {
                0 => {
                    let by = door.tickets.take(&TokenHash::of(ticket), clock);
                    match by {
                        Some(_) => door.tries.let_in(source, clock),
                        None => door.tries.failed(source, clock),
                    }
                    Ok(by)
                }
                millis => Err(super::gate::too_often(millis)),
            }
        };
        let Some(by) = found? else {
            if let Some(me) = self.me() {
                let late = "a link to sign in that opens nothing";
                tokio::spawn(async move { me.login_failed(source, "unknown", late).await });
            }
            let what = "this link opens nothing: it was used, or is older than ten minutes";
            return Err(ApiError::new(
                ErrorCode::Unauthenticated,
                what,
                "seawall dashboard prints another one",
            ));
        };
        let caller = Caller {
            name: format!("{by} by a link"),
            may: Permission::ALL.into(),
            from: Some(from.to_canonical()),
        };
        let note = Note::normal("SignedIn", "by a link, as admin");
        let work = self.to_the_end(|me| async move {
            me.answers_for_named(DASHBOARD, None, note, Saving::MayWait).await
        });
        ended(super::asked_by(caller.clone(), work).await)?;
        Ok(caller)
    }
}
