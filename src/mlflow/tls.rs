//! TLS, with the feature `https`: the certificates that are built in, or those of MLflow's own variable.

use std::path::Path;

use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::{Error, Result, file};

/// MLflow's own name: a file of certificates that a server's may be signed by.
const CERTIFICATES: &str = "MLFLOW_TRACKING_SERVER_CERT_PATH";

/// Whom is trusted.
///
/// # Errors
/// A file of certificates that cannot be read, or has none.
pub fn config() -> Result<TlsConfig> {
    let builder = TlsConfig::builder();
    let Some(path) = std::env::var_os(CERTIFICATES).filter(|path| !path.is_empty()) else { return Ok(builder.build()) };
    let path = Path::new(&path);
    let bytes = file::content(path).map_err(|e| Error::io("read", path, &e))?;
    let certificates: Vec<_> =
        parse_pem(&bytes).filter_map(|item| if let Ok(PemItem::Certificate(one)) = item { Some(one) } else { None }).collect();
    if certificates.is_empty() {
        let what = format!("{CERTIFICATES}: there is no certificate in {}", path.display());
        return Err(Error::config(what, "name a file in PEM format"));
    }
    Ok(builder.root_certs(RootCerts::new_with_certs(&certificates)).build())
}
