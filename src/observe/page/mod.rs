//! The status page: a self-contained document that requests `/status.json` every second and shows it.
//!
//! ```text
//!  GET /             frame.html + style.css + *.js, of which the browser runs only what has the nonce of this answer
//!  GET /status.json  Snapshot: what there is to be shown, as of now
//! ```

mod snapshot;

use super::Observed;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use snapshot::Snapshot;

const FRAME: &str = include_str!("frame.html");
const STYLE: &str = include_str!("style.css");
const SCRIPTS: [&str; 3] = [include_str!("format.js"), include_str!("show.js"), include_str!("update.js")];

/// The content security policy: nothing is loaded from elsewhere, and no other page may frame this one.
const POLICY: &str = "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
     img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub fn document() -> Response {
    let nonce = STANDARD.encode(rand::random::<[u8; 16]>());
    let page =
        FRAME.replace("{nonce}", &nonce).replace("{style}", STYLE).replace("{script}", &SCRIPTS.concat());
    let headers = [
        (CONTENT_SECURITY_POLICY, POLICY.replace("{nonce}", &nonce)),
        (CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
    ];
    (headers, closed(), page).into_response()
}

/// The status that the page shows.
pub fn status(observed: &Observed) -> Response {
    match serde_json::to_string(&Snapshot::of(observed)) {
        Ok(text) => (closed(), [(CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// Headers of both answers: for this page alone, and not to be cached.
fn closed() -> [(HeaderName, &'static str); 4] {
    [
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_a_nonce_of_its_own() {
        let nonce = |response: &Response| {
            let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
            assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
            policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned()
        };
        let nonces = [document(), document()].map(|response| nonce(&response));
        assert!(nonces[0] != nonces[1] && nonces.iter().all(|nonce| nonce.len() == 24), "{nonces:?}");
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere_or_written_as_html() {
        let sources = [&[FRAME, STYLE], SCRIPTS.as_slice()].concat().concat();
        for forbidden in [
            "://",
            "src=",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "@import",
            "url(",
        ] {
            assert!(!sources.contains(forbidden), "{forbidden}");
        }
    }
}
