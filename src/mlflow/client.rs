//! HTTP: one call and what comes back. Errors of a server may be JSON, plain text or a page.

use std::time::Duration;

use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use super::access::Access;
use super::fault::{Fault, Reply};
use crate::names::{in_line, quoted};
use crate::{Error, Result};

const API: &str = "/api/2.0/mlflow";
const ARTIFACTS: &str = "/api/2.0/mlflow-artifacts/artifacts";

/// How long a server may take to be reached, to answer, and to take what is sent.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(120);
const SEND: Duration = Duration::from_secs(900);

/// The most that is read of an answer, bytes.
const LONGEST: u64 = 256 << 20;

/// One server, asked over connections that are kept.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    access: Access,
}

/// An answer whose status is not one of success.
#[derive(Debug)]
struct Failure {
    status: u16,
    /// MLflow's, such as `RESOURCE_DOES_NOT_EXIST`; empty where the answer is none of MLflow's.
    code: String,
    text: String,
    /// Where a redirection leads.
    location: Option<String>,
}

impl Client {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// Certificates that cannot be read.
    pub fn new(access: Access) -> Result<Self> {
        let config = Agent::config_builder().http_status_as_error(false).max_redirects(0).max_redirects_will_error(false);
        let config = config.user_agent(concat!("harness/", env!("CARGO_PKG_VERSION")));
        let config = config.timeout_connect(Some(CONNECT)).timeout_recv_response(Some(ANSWER)).timeout_send_body(Some(SEND));
        #[cfg(feature = "https")]
        let config = config.tls_config(super::tls::config()?);
        Ok(Self { agent: config.build().new_agent(), access })
    }

    /// The server's address.
    pub fn url(&self) -> &str {
        &self.access.url
    }

    /// What there is; none where the server knows nothing of that name.
    pub fn get(&self, call: &str, [key, value]: [&str; 2]) -> Reply<Option<Value>> {
        let mut request = self.agent.get(format!("{}{API}/{call}", self.url())).query(key, value);
        if let Some(header) = self.access.authorization() {
            request = request.header("Authorization", header);
        }
        match self.answer(request.call())? {
            Ok(text) => self.json(call, &text).map(Some),
            Err(failure) if failure.code == "RESOURCE_DOES_NOT_EXIST" => Ok(None),
            Err(failure) => Err(self.fault(call, &failure)),
        }
    }

    /// Sends JSON; the answer's.
    pub fn post(&self, call: &str, body: &Value) -> Reply<Value> {
        let mut request = self.agent.post(format!("{}{API}/{call}", self.url())).content_type("application/json");
        if let Some(header) = self.access.authorization() {
            request = request.header("Authorization", header);
        }
        match self.answer(request.send(body.to_string()))? {
            Ok(text) => self.json(call, &text),
            Err(failure) => Err(self.fault(call, &failure)),
        }
    }

    /// Puts a file at `path` of the server's artifacts, each name of it encoded.
    pub fn put(&self, path: &str, bytes: &[u8]) -> Reply<()> {
        let path: Vec<String> = path.split('/').map(encoded).collect();
        let mut request = self.agent.put(format!("{}{ARTIFACTS}/{}", self.url(), path.join("/"))).content_type("application/octet-stream");
        if let Some(header) = self.access.authorization() {
            request = request.header("Authorization", header);
        }
        match self.answer(request.send(bytes))? {
            Ok(_) => Ok(()),
            Err(failure) => Err(self.fault(&format!("the artifact {}", path.last().map_or("", String::as_str)), &failure)),
        }
    }

    /// The text of an answer, or what failed.
    fn answer(&self, answer: Result<Response<Body>, ureq::Error>) -> Reply<Result<String, Failure>> {
        let away = |error: ureq::Error| self.away(&self.access.hidden(&plain(&error)));
        let mut answer = answer.map_err(away)?;
        let bytes = answer.body_mut().with_config().limit(LONGEST).read_to_vec().map_err(away)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if answer.status().is_success() {
            return Ok(Ok(text));
        }
        let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
        let location = location.map(|place| place.split(['?', '#']).next().unwrap_or(place).to_owned());
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        let member = |name: &str| value.get(name).and_then(Value::as_str);
        let (code, told) = (member("error_code").unwrap_or_default().to_owned(), member("message").unwrap_or(&text));
        let text = if told.trim_start().starts_with('<') { "a page" } else { told.trim() };
        let text = in_line(&quoted_longer(&self.access.hidden(text))).into_owned();
        Ok(Err(Failure { status: answer.status().as_u16(), code, text, location }))
    }

    /// No answer came.
    fn away(&self, why: &str) -> Fault {
        if !why.contains("certificate") {
            return Fault::Away(why.to_owned());
        }
        let what = format!("{} is not trusted: {why}", self.url());
        Error::environment(what, "name a file of certificates that its own may be signed by: MLFLOW_TRACKING_SERVER_CERT_PATH=FILE.pem")
            .into()
    }

    fn json(&self, call: &str, text: &str) -> Reply<Value> {
        serde_json::from_str(text).map_err(|_| self.stranger(&format!("what it answers to {call} is not JSON")).into())
    }

    /// Something else than MLflow listens there.
    fn stranger(&self, why: &str) -> Error {
        Error::environment(
            format!("{} is not an MLflow server: {why}", self.url()),
            "give the address at which a browser shows its page, up to the `#`, as in http://127.0.0.1:5000",
        )
    }

    fn fault(&self, call: &str, failure: &Failure) -> Fault {
        let Failure { status, code, text, location } = failure;
        let url = self.url();
        if *status == 429 || *status >= 500 {
            return Fault::Unable(format!("status {status} to {call}: {text}"));
        }
        let error = match status {
            300..=399 => Error::environment(
                format!("{url} sends on to {}", location.as_deref().map_or("another address".into(), |place| in_line(place))),
                "give that server's own address with --to",
            ),
            401 | 403 if text.contains("Invalid Host header") => Error::environment(
                format!("the server does not want to be called {url}: {text}"),
                "give the address that it knows itself by, or start it with `--allowed-hosts HOST:PORT`",
            ),
            401 | 403 => Error::environment(
                format!("{url} refused {call}: status {status}: {text}"),
                match self.access.authorization() {
                    Some(_) => "the credentials of MLFLOW_TRACKING_* were sent: see whether they are right, and may write",
                    None => "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
                },
            ),
            413 => Error::environment(
                format!("{url} takes nothing as large as {call}"),
                "send less with --artifacts small or none, or raise the limit of the proxy in front of it",
            ),
            404 | 405 if code.is_empty() => self.stranger(&format!("{call} is answered with status {status}: {text}")),
            _ => Error::environment(
                format!("{url} refused {call}: status {status} {code}: {text}"),
                "see the server's log; versions 2 and 3 of MLflow are spoken to",
            ),
        };
        error.into()
    }
}

/// The beginning of a server's words.
fn quoted_longer(text: &str) -> String {
    let longer: String = text.chars().take(300).collect();
    if longer.len() < text.len() { longer + "…" } else { longer }
}

/// Why a server was not reached, in a few words.
fn plain(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => {
            let text = error.to_string();
            let mut letters = text.chars();
            letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
        }
        ureq::Error::HostNotFound => "no host has that name".into(),
        ureq::Error::Timeout(what) => format!("it took too long ({what})"),
        other => quoted(&other.to_string()).into_owned(),
    }
}

/// A name as it stands in an address (RFC 3986: all but unreserved characters by their bytes).
fn encoded(name: &str) -> String {
    let one = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    name.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_an_address_are_encoded_by_their_bytes() {
        assert_eq!(encoded("a@b c+d_é.png"), "a%40b%20c%2Bd_%C3%A9.png");
    }
}
