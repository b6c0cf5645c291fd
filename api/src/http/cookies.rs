//! Cookies: what they are called, and how browsers keep them.

use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::{HttpRequest, web};
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};

use super::frame::Settings;

/// One kind of cookie: its name where there is TLS, and where there is none. `__Host-` binds it to this host.
pub(super) struct Kind(&'static str, &'static str);

/// The browser in which a consent was started.
pub(super) const CONSENT: Kind = Kind("__Host-tenantry-consent", "tenantry-consent");

/// The browser in which a sign-in was started.
pub(super) const SIGN_IN: Kind = Kind("__Host-tenantry-sign-in", "tenantry-sign-in");

/// The browser in which an owner link was opened.
pub(super) const OWNER_LINK: Kind = Kind("__Host-tenantry-owner-link", "tenantry-owner-link");

/// A session.
pub(super) const SESSION: Kind = Kind("__Host-tenantry-session", "tenantry-session");

impl Kind {
    fn name(&self, https: bool) -> &'static str {
        if https { self.0 } else { self.1 }
    }

    /// The cookie of this kind that a request brings.
    pub(super) fn of(&self, request: &HttpRequest) -> Option<SecretString> {
        let cookie = request.cookie(self.name(is_https(request)))?;
        Some(SecretString::from(cookie.value()))
    }

    /// The cookie to set. It is `Lax`, since an issuer's redirect is a navigation from another site.
    pub(super) fn set(
        &self,
        request: &HttpRequest,
        value: &SecretString,
        lifetime: TimeDelta,
    ) -> Cookie<'static> {
        let https = is_https(request);
        Cookie::build(self.name(https), value.expose_secret().to_owned())
            .path("/")
            .http_only(true)
            .secure(https)
            .same_site(SameSite::Lax)
            .max_age(time::Duration::seconds(lifetime.num_seconds()))
            .finish()
    }

    /// The cookie that takes it back.
    pub(super) fn remove(&self, request: &HttpRequest) -> Cookie<'static> {
        self.set(request, &SecretString::default(), TimeDelta::zero())
    }
}

fn is_https(request: &HttpRequest) -> bool {
    request.app_data::<web::Data<Settings>>().is_some_and(|settings| settings.https)
}
