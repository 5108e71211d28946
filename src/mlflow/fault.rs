//! Why something did not reach the server: what another try may mend, and what it does not.

use crate::Error;

#[derive(Debug)]
pub enum Fault {
    /// The server is not there; why, in a few words.
    Away(String),
    /// It is there and not able to just now.
    Unable(String),
    /// What was asked cannot be done.
    Refused(Error),
}

pub type Reply<T> = Result<T, Fault>;

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl Fault {
    /// As the error of a command that does not wait for the server at `url`.
    pub fn error(self, url: &str) -> Error {
        match self {
            Self::Refused(error) => error,
            Self::Unable(why) => Error::environment(
                format!("the server at {url} is not able to: {why}"),
                "see its log; then repeat the command, or let --watch wait for it",
            ),
            Self::Away(why) => {
                let port =
                    url.rsplit(':').next().map(|end| end.split('/').next().unwrap_or(end)).filter(|port| port.parse::<u16>().is_ok());
                let start = format!("mlflow server --backend-store-uri sqlite:///mlflow.db --port {}", port.unwrap_or("5000"));
                Error::environment(
                    format!("no MLflow server answers at {url}: {why}"),
                    format!("`{start}` starts one (after `pip install mlflow`); then repeat the command, or let --watch wait for it"),
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_does_not_answer_is_started_at_the_port_that_was_asked_for() {
        let of = |url: &str| Fault::Away("connection refused".into()).error(url);
        assert!(of("http://127.0.0.1:5077").remedy.contains("--port 5077"));
        assert!(of("http://lab:8080/mlflow").remedy.contains("--port 8080"));
        let error = of("http://lab");
        assert!(error.remedy.contains("--port 5000") && error.what.contains("http://lab: connection refused"));
        assert_eq!(error.exit_code(), 3);
    }
}
