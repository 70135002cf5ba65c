//! Who can reach what.

use std::net::ToSocketAddrs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use uno_serve::ServeOptions;
use uno_serve::auth::{Keys, Scope};

use super::super::Finding;

pub(super) fn all(serve: &ServeOptions) -> Vec<Finding> {
    let mut findings = Vec::new();
    let has_keys = !serve.keys.is_empty();
    let keys = if has_keys { keys(&serve.keys, &mut findings) } else { Keys::default() };
    if !has_keys && is_open(&serve.listen) {
        findings.push(Finding::warning(
            "access",
            format!("{} can be reached from other machines, and nobody is asked for a key", serve.listen),
            "uno keys add NAME --file keys.jsonl, and set serve.keys; or keep the port on a private network",
        ));
    }
    if serve.admin_listen.is_empty() {
        findings.push(Finding::ok("admin plane", "off"));
    } else {
        findings.push(admin(serve, has_keys, &keys));
    }
    findings
}

fn admin(serve: &ServeOptions, has_keys: bool, keys: &Keys) -> Finding {
    let (check, address) = ("admin plane", &serve.admin_listen);
    let may = keys.list().iter().any(|key| key.scopes.contains(&Scope::Admin));
    match (is_open(address), has_keys) {
        (true, false) => Finding::problem(
            check,
            format!("{address} is open to other machines, and nobody is asked for a key"),
            "listen on 127.0.0.1, or set serve.keys with a key of scope admin",
        ),
        (_, true) if !may => Finding::warning(
            check,
            "no key has the scope admin: nobody can read the metrics",
            format!("uno keys add NAME --file {} --scope admin", serve.keys),
        ),
        (true, true) => Finding::warning(
            check,
            format!("{address} is open to other machines, with a key"),
            "keys travel in the clear without TLS: keep it on a private network, or listen on 127.0.0.1",
        ),
        (false, _) => Finding::ok(check, format!("{address}, this machine only")),
    }
}

/// Reads the file of keys, and looks at who else may.
fn keys(path: &str, findings: &mut Vec<Finding>) -> Keys {
    let check = format!("keys {path}");
    let keys = match Keys::read(Path::new(path)) {
        Ok(keys) => keys,
        Err(error) => {
            findings.push(Finding::problem(
                check,
                error.to_string(),
                "the gateway does not start without it",
            ));
            return Keys::default();
        }
    };
    let n = keys.list().len();
    let mode = fs_err::metadata(path).map_or(0, |m| m.permissions().mode());
    findings.push(if mode & 0o022 != 0 {
        let found =
            format!("others may write it (mode {:03o}): whoever does makes keys of their own", mode & 0o777);
        Finding::problem(check, found, format!("chmod 600 {path}"))
    } else if mode & 0o044 != 0 {
        let found =
            format!("{n} keys; others may read it (mode {:03o}), though it holds only hashes", mode & 0o777);
        Finding::warning(check, found, format!("chmod 600 {path}"))
    } else if n == 0 {
        Finding::warning(
            check,
            "no keys: every request is refused",
            format!("uno keys add NAME --file {path}"),
        )
    } else {
        Finding::ok(check, format!("{n} keys, readable by their owner only"))
    });
    keys
}

/// Whether other machines can reach an address.
fn is_open(address: &str) -> bool {
    address.to_socket_addrs().is_ok_and(|mut all| all.any(|a| !a.ip().is_loopback()))
}
