//! Webhooks: posts an event to `success_url`, and retries until the receiver accepts it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use ureq::unversioned::transport::DefaultConnector;

use crate::otp_id::OtpId;
use crate::phone::PhoneNumber;
use crate::sandbox::api::API_VERSION;
use crate::sandbox::backend::{Backend, MAX_PENDING_WEBHOOKS};
use crate::sandbox::state::VerifiedSession;
use crate::transport::resolver::RememberingResolver;
use crate::web_url::WebUrl;

impl Backend {
    /// Takes a text from a person, and sends the webhooks of the sessions that it verifies.
    pub(super) fn text(self: &Arc<Self>, from: PhoneNumber, to: &str, body: &str) -> Vec<OtpId> {
        let verified = self.change(|state, now| state.text(from, to, body, now));
        let ids = verified.iter().map(|session| session.otp_id.clone()).collect();
        for session in verified {
            self.send_webhook(session);
        }
        ids
    }

    fn send_webhook(self: &Arc<Self>, session: VerifiedSession) {
        let Some(url) = session.success_url.clone() else { return };
        let not_sent = |why: String| {
            self.change(|state, now| {
                if let Some(serial) = state.begin_attempt(&session, &url, 1, now) {
                    state.end_attempt(serial, Err(format!("not sent: {why}")));
                }
            });
        };
        if !is_on_loopback(&url) {
            return not_sent("the sandbox posts to loopback hosts only".to_owned());
        }
        let Ok(permit) = Arc::clone(&self.webhook_permits).try_acquire_owned() else {
            return not_sent(format!("{MAX_PENDING_WEBHOOKS} webhooks are pending; make the receiver respond faster"));
        };
        self.runtime.spawn(deliver(Arc::clone(self), session, url.into(), permit));
    }
}

/// Posts the event until a 2xx response accepts it, or no attempts are left.
async fn deliver(backend: Arc<Backend>, session: VerifiedSession, url: Arc<str>, _permit: OwnedSemaphorePermit) {
    let body: Arc<[u8]> = event(&session).into();
    for (attempt, wait) in (1..).zip(WAITS) {
        tokio::time::sleep(wait).await;
        let Some(serial) = backend.change(|state, now| state.begin_attempt(&session, &url, attempt, now)) else {
            return;
        };
        let result = post(&backend, &url, &body).await;
        let is_accepted = matches!(result, Ok(200..=299));
        backend.change(|state, _| state.end_attempt(serial, result));
        if is_accepted {
            return;
        }
    }
}

fn event(session: &VerifiedSession) -> Vec<u8> {
    let event = json!({
        "id": session.event_id,
        "type": "otp.reverse.verified",
        "timestamp": unix_seconds(session.at),
        "api_version": API_VERSION,
        "data": {
            "otp_id": session.otp_id.as_str(),
            "number": session.number.as_str(),
            "status": "verified",
        },
    });
    event.to_string().into_bytes()
}

/// Posts on a thread of the runtime's blocking pool, since ureq blocks and the server must go on.
async fn post(backend: &Arc<Backend>, url: &Arc<str>, body: &Arc<[u8]>) -> Result<u16, String> {
    let (backend, url, body) = (Arc::clone(backend), Arc::clone(url), Arc::clone(body));
    let post = move || {
        // Receivers compare the time of the signature with the real clock.
        let signature = crate::webhook::sign(&backend.webhook_secret, unix_seconds(SystemTime::now()), &body);
        let request = backend
            .agent
            .post(&*url)
            .header("content-type", "application/json")
            .header("contiguity-signature", signature);
        match request.send(&body[..]) {
            Ok(response) => Ok(response.status().as_u16()),
            Err(ureq::Error::Timeout(_)) => Err(format!("no response within {} s", TIMEOUT.as_secs())),
            Err(error) => Err(error.to_string()),
        }
    };
    tokio::task::spawn_blocking(post).await.unwrap_or_else(|error| Err(error.to_string()))
}

/// Returns the agent that posts webhooks.
pub(super) fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .proxy(None)
        .user_agent("contiguity-sandbox")
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        // A receiver in a test may be gone by the next attempt, and its connection with it.
        .max_idle_connections(0)
        .build();
    // Loopback names need no lookup, and other hosts were refused.
    ureq::Agent::with_parts(config, DefaultConnector::default(), RememberingResolver::default())
}

/// The sandbox must not be a way to send requests to other hosts.
fn is_on_loopback(url: &str) -> bool {
    WebUrl::parse(url).is_ok_and(|url| url.is_loopback)
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The wait before each attempt. Real services retry for hours, which no test waits for.
const WAITS: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1600)];

/// The time limit of one attempt. The receiver is on the same machine.
const TIMEOUT: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::is_on_loopback;

    #[test]
    fn only_loopback_hosts_are_posted_to() {
        for url in ["http://localhost/a", "http://LOCALHOST:80", "https://127.9.9.9:8443/", "http://[::1]:9/hook"] {
            assert!(is_on_loopback(url), "{url}");
        }
        for url in [
            "https://example.com/",
            "http://127.0.0.1.example.com/",
            "http://localhost@example.com/",
            "http://[::2]/",
            "/hook",
        ] {
            assert!(!is_on_loopback(url), "{url}");
        }
    }
}
