//! `training.jsonl` as the launcher appends to it.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::checkpoint::files::read_lines;
use crate::event::{EpochResult, TrainEvent};

/// How far a run is, by its events.
#[derive(Debug, Default, PartialEq)]
pub(super) struct History {
    pub(super) step: u64,
    pub(super) epochs: Vec<EpochResult>,
    pub(super) stopped: Option<String>,
}

impl History {
    /// What the file says; nothing when it does not exist.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut history = Self::default();
        for line in read_lines(path)? {
            if let Ok(event) = serde_json::from_str(&line) {
                history.take(event);
            }
        }
        Ok(history)
    }

    /// Whether nothing is left to do.
    pub(super) fn is_finished(&self, epochs: usize) -> bool {
        self.stopped.is_some() || self.epochs.last().is_some_and(|e| e.epoch >= epochs)
    }

    /// An event that happened. The file is only appended to: what came after a resume point happens again.
    fn take(&mut self, event: TrainEvent) {
        match event {
            TrainEvent::Started { .. } | TrainEvent::Restarted { .. } => *self = Self::default(),
            TrainEvent::Resumed { step, .. } => {
                self.step = step;
                self.epochs.retain(|e| e.steps <= step);
            }
            TrainEvent::Step(step) => self.step = step.step,
            TrainEvent::Epoch(result) => self.epochs.push(result),
            TrainEvent::Stopped { reason } => self.stopped = Some(reason),
            TrainEvent::Reference { .. } => {}
        }
    }
}

/// Reads a growing file line by line.
pub(super) struct Tail {
    path: PathBuf,
    offset: u64,
    part: Vec<u8>,
}

impl Tail {
    /// Of what will be appended after the whole lines that are there now.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let offset = read_lines(path)?.iter().map(|line| line.len() as u64 + 1).sum();
        Ok(Self { path: path.to_path_buf(), offset, part: Vec::new() })
    }

    /// Whole lines that came since the last call and are events.
    pub(super) fn events(&mut self) -> io::Result<Vec<TrainEvent>> {
        let mut file = fs::File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        self.part.clear();
        file.read_to_end(&mut self.part)?;
        let whole = self.part.iter().rposition(|b| *b == b'\n').map_or(0, |last| last + 1);
        self.offset += whole as u64;
        let lines = self.part[..whole].split(|b| *b == b'\n');
        Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn epoch(epoch: usize, steps: u64) -> TrainEvent {
        let dir = format!("epoch-{epoch}").into();
        TrainEvent::Epoch(EpochResult {
            epoch,
            dir,
            train_loss: 1.0,
            train_preferences: None,
            validation_loss: None,
            validation_preferences: None,
            steps,
        })
    }

    #[test]
    fn what_came_after_a_resume_point_counts_once() {
        let started = TrainEvent::Started { examples: 4, validation: 0, refused: Vec::new(), total_steps: 8 };
        let mut history = History::default();
        for event in [
            started.clone(),
            epoch(1, 4),
            epoch(2, 8),
            TrainEvent::Resumed { step: 4, epoch: 2 },
            epoch(2, 8),
        ] {
            history.take(event);
        }
        assert_eq!(history.epochs.iter().map(|e| e.epoch).collect::<Vec<_>>(), [1, 2]);
        assert!(history.is_finished(2) && !history.is_finished(3));
        history.take(started);
        assert_eq!(history, History::default());
        history.take(TrainEvent::Stopped { reason: "loss".into() });
        assert!(history.is_finished(3));
    }

    #[test]
    fn half_a_line_waits_for_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("training.jsonl");
        std::fs::write(&path, "{\"event\":\"resumed\",\"step\":1,\"epoch\":1}\n").unwrap();
        let mut tail = Tail::of(&path).unwrap();
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"not an event\n{\"event\":\"stopped\",").unwrap();
        assert!(tail.events().unwrap().is_empty());
        file.write_all(b"\"reason\":\"x\"}\n").unwrap();
        assert_eq!(tail.events().unwrap(), [TrainEvent::Stopped { reason: "x".into() }]);
        assert!(tail.events().unwrap().is_empty());
    }
}
