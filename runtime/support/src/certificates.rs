//! Whom to believe that they are who they say: Mozilla's list, or the file that `SSL_CERT_FILE` names, as for curl and
//! Python. Schools and companies whose network opens encrypted connections have such a file.

use std::env;
use std::fs;
use std::path::Path;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

const VARIABLE: &str = "SSL_CERT_FILE";

pub(crate) fn tls() -> Result<TlsConfig, String> {
    let roots = match env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        Some(path) => RootCerts::new_with_certs(&certificates(Path::new(&path))?),
        None => RootCerts::WebPki,
    };
    Ok(TlsConfig::builder().root_certs(roots).build())
}

/// Why a connection failed, with what to do where the certificates are the reason.
pub(crate) fn explained(reason: String) -> String {
    if reason.contains("UnknownIssuer") {
        format!("{reason} (if the network has its own certificates, {VARIABLE} has to name their file)")
    } else {
        reason
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let pem = fs::read(path).map_err(|error| format!("{VARIABLE} names {}: {error}", path.display()))?;
    let found: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        return Err(format!("{VARIABLE} names {}, which holds no certificate", path.display()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_read_from_a_file_or_it_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("roots.pem");
        assert!(certificates(&path).expect_err("no file").contains("roots.pem: No such file"));
        fs::write(&path, "no certificate").expect("writes");
        assert!(certificates(&path).expect_err("none").ends_with("roots.pem, which holds no certificate"));
        let one = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        fs::write(&path, format!("{one}# another\n{one}")).expect("writes");
        assert_eq!(certificates(&path).expect("two").len(), 2);
    }

    #[test]
    fn an_unknown_issuer_leads_to_the_variable() {
        assert!(explained("invalid peer certificate: UnknownIssuer".into()).contains("SSL_CERT_FILE"));
        assert_eq!(explained("connection refused".into()), "connection refused");
    }
}
