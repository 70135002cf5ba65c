//! The Python process: started, watched, and never left behind.

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use fs_err as fs;

use super::error::TrlError;
use super::settings::TrlSettings;
use crate::error::{TrainError, io};

/// All output of the launcher.
pub(super) const LOG: &str = "launcher.log";
/// How long a process gets to end after its stdin was closed.
const GRACE: Duration = Duration::from_secs(10);

/// `LAUNCHER… [--config_file FILE] SCRIPT WORDS…`
///
/// # Errors
/// [`TrlError::NoLauncher`], [`TrlError::NoAccelerateConfig`].
pub(super) fn command(
    settings: &TrlSettings,
    script: &Path,
    words: &[&std::ffi::OsStr],
) -> Result<Command, TrlError> {
    let (program, first) = settings.launcher.split_first().ok_or(TrlError::NoLauncher)?;
    let mut command = Command::new(program);
    command.args(first);
    if !settings.accelerate_config.is_empty() {
        let path = PathBuf::from(&settings.accelerate_config);
        if !path.is_file() {
            return Err(TrlError::NoAccelerateConfig(path));
        }
        command.arg("--config_file").arg(path);
    }
    command.arg(script).args(words);
    command.env("PYTHONUNBUFFERED", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("TOKENIZERS_PARALLELISM", "false");
    Ok(command)
}

/// Adds the command's name to a failure to start it.
pub(super) fn not_found(settings: &TrlSettings) -> impl FnOnce(std::io::Error) -> TrlError {
    let command = settings.launcher.join(" ");
    move |source| TrlError::NotFound { command, source }
}

/// A running launcher. It ends when this is dropped, and also when this process dies without dropping anything: the
/// system then closes the pipe to its stdin, which every rank watches.
pub(super) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    log: PathBuf,
}

impl Process {
    /// Starts the launcher on the job in `dir`; all its output goes to `launcher.log` there.
    ///
    /// # Errors
    /// When the command cannot be started.
    pub(super) fn start(settings: &TrlSettings, dir: &Path) -> Result<Self, TrainError> {
        const STARTING: &str = "starting TRL";
        let log = dir.join(LOG);
        let output = fs::File::create(&log).map_err(io(STARTING, dir))?.into_parts().0;
        let errors = output.try_clone().map_err(io(STARTING, dir))?;
        let words = [dir.as_os_str(), "--watch-stdin".as_ref()];
        let mut command = command(settings, &dir.join("launcher.py"), &words)?;
        command.stdin(Stdio::piped()).stdout(output).stderr(errors);
        let mut child = command.spawn().map_err(not_found(settings))?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin, log })
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> std::io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// All its output.
    pub(super) fn log(&self) -> &Path {
        &self.log
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let started = Instant::now();
        while started.elapsed() < GRACE {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(50)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        // Nothing more can be done about one that cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
