//! Where the gateway stands: its ports, its log, its files.

use std::net::{TcpListener, ToSocketAddrs};
use std::path::Path;

use uno_serve::ServeOptions;
use uno_store::live;

use super::super::Finding;

pub(super) fn all(serve: &ServeOptions, run: &Path) -> Vec<Finding> {
    let mut findings = vec![port("serve.listen", &serve.listen)];
    if !serve.admin_listen.is_empty() {
        findings.push(port("serve.admin_listen", &serve.admin_listen));
    }
    findings.extend(log(serve, run));
    findings.extend(descriptors(serve));
    findings
}

/// Whether the address can be had.
fn port(key: &str, address: &str) -> Finding {
    let check = format!("{key} {address}");
    if let Err(error) = address.to_socket_addrs() {
        return Finding::problem(
            check,
            error.to_string(),
            "write it as HOST:PORT, for example 127.0.0.1:8080",
        );
    }
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(check, "free"),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let advice = "fine if that is this gateway running already; otherwise choose another port, or stop what has it";
            Finding::warning(check, "somebody listens there", advice)
        }
        Err(error) => {
            let advice = "choose an address of this machine, and a port above 1023 unless the service may take lower ones";
            Finding::problem(check, error.to_string(), advice)
        }
    }
}

/// The log's store and spool.
fn log(serve: &ServeOptions, run: &Path) -> Vec<Finding> {
    let mut findings = vec![writable(run)];
    let store = match serve.log.store.as_str() {
        "" => run.join("live.db").display().to_string(),
        given => given.to_owned(),
    };
    let is_server = store.contains("://");
    // Without the password.
    let shown = store.rsplit_once('@').map_or(store.as_str(), |(_, place)| place);
    let check = format!("log store {shown}");
    if !is_server && !Path::new(&store).exists() {
        let parent =
            Path::new(&store).parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // The run directory is made when the gateway starts; any other is not.
        findings.push(match parent.is_dir() || serve.log.store.is_empty() {
            true => Finding::ok(check, "made when the gateway starts"),
            false => Finding::problem(
                check,
                format!("{} is no directory", parent.display()),
                "make it, or correct serve.log.store",
            ),
        });
    } else {
        findings.push(match live::open(&store).and_then(|mut store| store.append(&[])) {
            Ok(()) => Finding::ok(check, "reachable and writable"),
            Err(error) => {
                let advice = match is_server {
                    true => "start the database, or correct address, user and password in serve.log.store; until then requests wait in the spool and feedback is refused",
                    false => "give the gateway's user the right to write the file and its directory",
                };
                Finding::problem(check, error.to_string(), advice)
            }
        });
    }
    if serve.rollout.judge_share > 0.0 && !serve.log.text {
        let advice = "set serve.log.text = true, or serve.rollout.judge_share = 0";
        findings.push(Finding::warning(
            "serve.rollout.judge_share",
            "the judge sees no texts: they are not logged",
            advice,
        ));
    }
    findings
}

/// Whether files can be made in the run directory: the spool, the trial, a plan. Where there is none yet, whether it can be
/// made; it is not.
fn writable(run: &Path) -> Finding {
    let check = format!("run directory {}", run.display());
    let is_there = run.exists();
    let try_it = || -> std::io::Result<()> {
        let probe = nearest(run).join(format!(".doctor-{}", std::process::id()));
        fs_err::write(&probe, b"")?;
        fs_err::remove_file(&probe)
    };
    match try_it() {
        Ok(()) if is_there => Finding::ok(check, "writable"),
        Ok(()) => Finding::ok(check, "made when the gateway starts"),
        Err(error) => {
            let advice = "the spool and trials are kept here: let the gateway's user write it (in the systemd unit: StateDirectory)";
            Finding::problem(check, error.to_string(), advice)
        }
    }
}

/// The path, or the nearest directory above it that is there.
fn nearest(path: &Path) -> &Path {
    let there = path.ancestors().find(|p| p.exists() && !p.as_os_str().is_empty());
    // A relative path whose first part is missing lies in the working directory.
    there.unwrap_or(Path::new("."))
}

/// Whether there may be as many connections as the settings allow, one to the client and one to the server each.
fn descriptors(serve: &ServeOptions) -> Option<Finding> {
    let limits = fs_err::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|l| l.starts_with("Max open files"))?;
    let soft: usize = line.split_whitespace().nth(3)?.parse().ok()?;
    let wanted = 2 * serve.limits.connections + 64;
    let check = "open files";
    Some(match soft < wanted {
        true => Finding::warning(
            check,
            format!("{soft} allowed here, {} connections take up to {wanted}", serve.limits.connections),
            "raise `ulimit -n` (systemd: LimitNOFILE), or lower serve.limits.connections",
        ),
        false => Finding::ok(check, format!("{soft} allowed")),
    })
}
