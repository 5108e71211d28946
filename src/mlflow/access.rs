//! Where a server is and by whom it is asked: an address, and credentials from the environment, which no text ever shows.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::names::{in_line, quoted};
use crate::{Error, Result};

/// MLflow's own names.
const URI: &str = "MLFLOW_TRACKING_URI";
const USERNAME: &str = "MLFLOW_TRACKING_USERNAME";
const PASSWORD: &str = "MLFLOW_TRACKING_PASSWORD";
const TOKEN: &str = "MLFLOW_TRACKING_TOKEN";

/// A server's address, with credentials where there are any.
#[derive(Clone)]
pub struct Access {
    /// Without a slash at its end.
    pub url: String,
    credentials: Option<Credentials>,
}

#[derive(Clone)]
struct Credentials {
    /// The header `Authorization`.
    header: String,
    /// What no text may hold.
    secrets: Vec<String>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credentials = self.credentials.as_ref().map(|_| "hidden");
        f.debug_struct("Access").field("url", &self.url).field("credentials", &credentials).finish()
    }
}

impl Access {
    /// The address that was typed, or `MLFLOW_TRACKING_URI`; with user and password, or the token, of MLflow's variables. `variable` reads
    /// the environment.
    ///
    /// # Errors
    /// `Kind::Config`: no address, or none of a server; half of the credentials.
    pub fn of(typed: Option<&str>, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let set = |name: &str| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let (url, from) = match (typed, set(URI)) {
            (Some(url), _) => (url.to_owned(), "--to"),
            (None, Some(url)) => (url, URI),
            (None, None) => {
                return Err(Error::config(
                    format!("no MLflow server is named: neither --to nor {URI}"),
                    "name it, as in --to http://127.0.0.1:5000; `mlflow server --backend-store-uri sqlite:///mlflow.db --port 5000` starts one",
                ));
            }
        };
        Ok(Self { url: checked(&url, from)?, credentials: credentials(&set)? })
    }

    /// The header `Authorization`, if there are credentials.
    pub fn authorization(&self) -> Option<&str> {
        self.credentials.as_ref().map(|credentials| credentials.header.as_str())
    }

    /// A text without the credentials, whoever put them there.
    pub fn hidden(&self, text: &str) -> String {
        let secrets = self.credentials.iter().flat_map(|credentials| &credentials.secrets);
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "…"))
    }
}

/// The address without what a browser adds behind it.
fn checked(url: &str, from: &str) -> Result<String> {
    let plain = url.split('#').next().unwrap_or(url).trim_end_matches('/');
    let (scheme, rest) = plain.split_once("://").unwrap_or(("", plain));
    let authority = rest.split('/').next().unwrap_or(rest);
    // First of all: what is quoted below must hold no password.
    if authority.contains('@') {
        return Err(Error::config(
            format!("{from}: the address holds a user or a password"),
            format!("give the address without them, and set {USERNAME} and {PASSWORD}"),
        ));
    }
    let scheme = scheme.to_ascii_lowercase();
    if !matches!(scheme.as_str(), "http" | "https") {
        return Err(Error::config(
            format!("{from}: `{}` is not the address of a server", in_line(&quoted(plain))),
            "give one that begins with http:// or https://; a database or a folder needs a server in front of it: \
             `mlflow server --backend-store-uri sqlite:///mlflow.db --port 5000`",
        ));
    }
    if authority.is_empty() || rest.contains(['?', ' ', '\\', '"']) || rest.chars().any(char::is_control) {
        return Err(Error::config(
            format!("{from}: `{}` is not the address of a server", in_line(&quoted(plain))),
            "give host and port, and the path if there is one, as in http://127.0.0.1:5000",
        ));
    }
    if scheme == "https" && !cfg!(feature = "https") {
        return Err(Error::config(
            format!("{from}: {scheme}://{authority} needs TLS, which is not in this program"),
            "build it in: `cargo build --release --workspace --features harness/https`",
        ));
    }
    Ok(format!("{scheme}://{rest}"))
}

/// User and password first, then the token, as MLflow takes them.
fn credentials(set: &dyn Fn(&str) -> Option<String>) -> Result<Option<Credentials>> {
    let (username, password, token) = (set(USERNAME), set(PASSWORD), set(TOKEN));
    for (name, value) in [(USERNAME, &username), (PASSWORD, &password), (TOKEN, &token)] {
        if value.as_ref().is_some_and(|value| value.chars().any(char::is_control)) {
            return Err(Error::config(format!("{name} holds a control character"), "set it again, in one line"));
        }
    }
    let lacks = |there: &str, other: &str| Error::config(format!("{there} is set, {other} is not"), "set both, or neither");
    match (username, password, token) {
        (Some(username), Some(password), _) => {
            let encoded = STANDARD.encode(format!("{username}:{password}"));
            Ok(Some(Credentials { header: format!("Basic {encoded}"), secrets: vec![encoded, password] }))
        }
        (Some(_), None, _) => Err(lacks(USERNAME, PASSWORD)),
        (None, Some(_), _) => Err(lacks(PASSWORD, USERNAME)),
        (None, None, Some(token)) => Ok(Some(Credentials { header: format!("Bearer {token}"), secrets: vec![token] })),
        (None, None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(typed: Option<&str>, variables: &[(&str, &str)]) -> Result<Access> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string());
        Access::of(typed, &find)
    }

    #[test]
    fn the_address_is_what_was_typed_or_the_environments_without_what_a_browser_adds() {
        let of = |typed, variables| access(typed, variables).unwrap().url;
        assert_eq!(of(Some("http://lab:5000/#/experiments/3"), &[(URI, "http://other")]), "http://lab:5000");
        assert_eq!(of(None, &[(URI, " http://lab/mlflow/ ")]), "http://lab/mlflow");
        let error = access(None, &[(URI, "")]).unwrap_err();
        assert!(error.remedy.contains("mlflow server") && error.exit_code() == 2, "{error}");
    }

    #[test]
    fn what_is_no_server_is_refused_with_the_way_out() {
        for (url, word) in [
            ("sqlite:///mlflow.db", "mlflow server --backend-store-uri"),
            ("mlruns", "mlflow server"),
            ("databricks", "http://"),
            ("http://#/x", "begins with http://"),
            ("http:///x", "host and port"),
            ("http://lab?token=x", "host and port"),
        ] {
            let error = access(Some(url), &[]).unwrap_err();
            assert!(error.remedy.contains(word) && error.what.starts_with("--to: "), "{url}: {error}");
        }
    }

    #[cfg(not(feature = "https"))]
    #[test]
    fn https_says_how_it_is_built_in() {
        let error = access(Some("https://lab/x"), &[]).unwrap_err();
        assert!(error.what.contains("https://lab needs TLS") && error.remedy.contains("--features harness/https"), "{error}");
    }

    #[test]
    fn credentials_are_sent_and_are_in_no_text() {
        let basic = access(Some("http://lab"), &[(USERNAME, "ann"), (PASSWORD, "pa55word"), (TOKEN, "t0ken")]).unwrap();
        assert_eq!(basic.authorization(), Some("Basic YW5uOnBhNTV3b3Jk"));
        assert_eq!(basic.hidden("you said ann:pa55word as YW5uOnBhNTV3b3Jk"), "you said ann:… as …");
        let bearer = access(Some("http://lab"), &[(TOKEN, "t0ken")]).unwrap();
        assert_eq!(bearer.authorization(), Some("Bearer t0ken"));
        assert!(!format!("{basic:?}{bearer:?}").contains("pa55") && !format!("{bearer:?}").contains("t0ken"));
        for url in ["http://ann:pa55word@lab:5000", "https://pa55word@lab", "ann:pa55word@lab"] {
            let error = access(Some(url), &[]).unwrap_err().to_string();
            assert!(error.contains("holds a user or a password") && !error.contains("pa55"), "{error}");
        }
    }

    #[test]
    fn half_of_the_credentials_is_refused() {
        for (name, value) in [(USERNAME, "ann"), (PASSWORD, "pa55word"), (TOKEN, "a\nb")] {
            let error = access(Some("http://lab"), &[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name) && !error.contains("pa55word"), "{error}");
        }
    }
}
