//! Published plans: every one is kept under its content hash, the one in force is a copy of one of them, and an audit log
//! says who was replaced by whom.
//!
//! ```text
//! RUN/plan.json               the plan in force, swapped whole
//! RUN/plans/<id>.json         every plan that was ever published; the id is the beginning of the content's BLAKE3
//! RUN/plans/log.jsonl         one [`PlanChange`] a line, only ever appended
//! RUN/plans/.lock             held for the moment of a swap
//! ```
//!
//! A swap needs no lock on the run: it must be possible while a `learn` of hours is at work.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{StoreError, atomic, hash, jsonl};

/// The plan in force.
const CURRENT: &str = "plan.json";
/// Where plans are kept.
const DIR: &str = "plans";
/// The audit log.
const LOG: &str = "plans/log.jsonl";
/// Hex digits of an id: 48 bits, as in the names of adapters.
const ID_DIGITS: usize = 12;

/// A line of the audit log: written before the swap, so that no swap is without its line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanChange {
    /// When, RFC 3339.
    pub time: String,
    /// The plan that was in force; absent: none, or one that nobody kept.
    pub from: Option<String>,
    /// The plan that is in force now.
    pub to: String,
    /// What made the change.
    pub by: ChangedBy,
    /// In words.
    pub why: String,
}

/// What changes plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangedBy {
    /// Learning came to another plan.
    Learn,
    /// A step of online evolution.
    Evolve,
    /// An operator went back (or forth) to a kept plan.
    Rollback,
    /// `plan.json` was missing or damaged and was put back.
    Repair,
}

/// The plans of a run directory.
#[derive(Clone, Debug)]
pub struct Plans {
    root: PathBuf,
}

impl Plans {
    /// Those of the run in `root`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// The path of a kept plan inside the run directory.
    pub fn file(id: &str) -> String {
        format!("{DIR}/{id}.json")
    }

    /// Keeps a plan without putting it in force; gives its id. The same plan has the same id.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep<T: Serialize>(&self, plan: &T) -> Result<String, StoreError> {
        let mut bytes = serde_json::to_vec_pretty(plan)
            .map_err(|e| StoreError::io("write", &self.root.join(DIR), e.into()))?;
        bytes.push(b'\n');
        self.keep_bytes(&bytes)
    }

    fn keep_bytes(&self, bytes: &[u8]) -> Result<String, StoreError> {
        let dir = self.root.join(DIR);
        fs_err::create_dir_all(&dir).map_err(|e| StoreError::io("create", &dir, e))?;
        let id = id_of(bytes);
        let path = self.root.join(Self::file(&id));
        if !fs_err::read(&path).is_ok_and(|kept| kept == bytes) {
            atomic::write(&path, bytes)?;
        }
        Ok(id)
    }

    /// The id of the plan in force; none when there is no plan, or it is not one that was kept (damaged, or edited).
    pub fn current(&self) -> Option<String> {
        let bytes = fs_err::read(self.root.join(CURRENT)).ok()?;
        let id = id_of(&bytes);
        self.is_kept(&id).then_some(id)
    }

    /// Whether this plan is kept, with the content that its name says.
    pub fn is_kept(&self, id: &str) -> bool {
        fs_err::read(self.root.join(Self::file(id))).is_ok_and(|bytes| id_of(&bytes) == id)
    }

    /// A kept plan.
    ///
    /// # Errors
    /// When it is not there or not a plan.
    pub fn read<T: DeserializeOwned>(&self, id: &str) -> Result<T, StoreError> {
        jsonl::read_json(&self.root.join(Self::file(id)))
    }

    /// Every change of the plan, oldest first. A line that cannot be read (edited by hand) is left out.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> Result<Vec<PlanChange>, StoreError> {
        let path = self.root.join(LOG);
        match fs_err::read_to_string(&path) {
            Ok(text) => Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(StoreError::io("read", &path, error)),
        }
    }

    /// Puts a kept plan in force: a line in the log, then `plan.json` is replaced whole. A plan that nobody kept (of an
    /// earlier version of this program) is kept first, so that there is a way back. Nothing happens when it is in force
    /// already. Gives the id of the plan that was in force.
    ///
    /// # Errors
    /// When the plan is not kept, or something cannot be written.
    pub fn swap(&self, to: &str, by: ChangedBy, why: &str) -> Result<Option<String>, StoreError> {
        let _lock = self.lock()?;
        let kept = self.root.join(Self::file(to));
        let bytes = fs_err::read(&kept).map_err(|e| StoreError::io("read", &kept, e))?;
        if id_of(&bytes) != to {
            let message = "its content is not what its name says".to_owned();
            return Err(StoreError::Corrupt { path: kept, what: "Plan", message });
        }
        let current = fs_err::read(self.root.join(CURRENT)).ok();
        let from = match &current {
            Some(current) if *current == bytes => return Ok(Some(to.to_owned())),
            // Anything that is JSON may be a plan; a torn or damaged file is none.
            Some(current) if serde_json::from_slice::<serde::de::IgnoredAny>(current).is_ok() => {
                Some(self.keep_bytes(current)?)
            }
            _ => None,
        };
        self.append(&PlanChange {
            time: jiff::Timestamp::now().to_string(),
            from: from.clone(),
            to: to.to_owned(),
            by,
            why: why.to_owned(),
        })?;
        atomic::write(&self.root.join(CURRENT), &bytes)?;
        Ok(from)
    }

    /// Waits for the moment that another swap takes. Released by the system when the process ends, however it ends.
    fn lock(&self) -> Result<File, StoreError> {
        let path = self.root.join(DIR).join(".lock");
        let fail = |e| StoreError::io("lock", &path, e);
        let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(fail)?;
        file.lock().map_err(fail)?;
        Ok(file)
    }

    /// One line with one write, made durable. What a crash left of a line is ended first.
    fn append(&self, change: &PlanChange) -> Result<(), StoreError> {
        let path = self.root.join(LOG);
        let fail = |e: std::io::Error| StoreError::io("write", &path, e);
        let mut line = serde_json::to_vec(change).map_err(|e| fail(e.into()))?;
        line.push(b'\n');
        if fs_err::read(&path).is_ok_and(|log| log.last().is_some_and(|b| *b != b'\n')) {
            line.insert(0, b'\n');
        }
        let mut file = fs_err::OpenOptions::new().create(true).append(true).open(&path).map_err(fail)?;
        file.write_all(&line).and_then(|()| file.sync_all()).map_err(fail)
    }
}

fn id_of(bytes: &[u8]) -> String {
    hash::of_bytes(bytes).chars().take(ID_DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plans() -> (tempfile::TempDir, Plans) {
        let dir = tempfile::tempdir().unwrap();
        let plans = Plans::new(dir.path());
        (dir, plans)
    }

    #[test]
    fn plans_are_kept_swapped_and_logged() {
        let (dir, plans) = plans();
        let (a, b) = (plans.keep(&json!({"plan": 1})).unwrap(), plans.keep(&json!({"plan": 2})).unwrap());
        assert_eq!((plans.current(), plans.keep(&json!({"plan": 1})).unwrap()), (None, a.clone()));
        assert_eq!(plans.swap(&a, ChangedBy::Learn, "learned").unwrap(), None);
        assert_eq!(plans.swap(&b, ChangedBy::Learn, "learned").unwrap(), Some(a.clone()));
        assert_eq!(plans.swap(&b, ChangedBy::Learn, "again").unwrap(), Some(b.clone()), "nothing to do");
        assert_eq!(plans.swap(&a, ChangedBy::Rollback, "worse").unwrap(), Some(b.clone()));
        assert_eq!(plans.current(), Some(a.clone()));
        let log = plans.log().unwrap();
        let steps: Vec<_> = log.iter().map(|c| (c.from.clone(), c.to.clone(), c.by)).collect();
        let (learn, back) = (ChangedBy::Learn, ChangedBy::Rollback);
        assert_eq!(
            steps,
            [(None, a.clone(), learn), (Some(a.clone()), b.clone(), learn), (Some(b), a, back)]
        );
        assert!(plans.swap("0123456789ab", ChangedBy::Rollback, "").is_err());
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 2, "plan.json and plans/");
    }

    #[test]
    fn a_plan_that_nobody_kept_is_kept_before_it_goes_and_a_torn_one_is_not() {
        let (dir, plans) = plans();
        fs_err::write(dir.path().join("plan.json"), b"{\"old\": true}\n").unwrap();
        assert_eq!(plans.current(), None);
        let a = plans.keep(&json!({"plan": 1})).unwrap();
        let old = plans.swap(&a, ChangedBy::Learn, "").unwrap().unwrap();
        assert_eq!(plans.read::<serde_json::Value>(&old).unwrap(), json!({"old": true}));
        fs_err::write(dir.path().join("plan.json"), b"{\"plan\": ").unwrap();
        assert_eq!(plans.current(), None);
        assert_eq!(plans.swap(&a, ChangedBy::Repair, "").unwrap(), None);
        assert_eq!(plans.current(), Some(a));
    }

    #[test]
    fn a_torn_line_of_the_log_costs_itself_only() {
        let (dir, plans) = plans();
        let (a, b) = (plans.keep(&1).unwrap(), plans.keep(&2).unwrap());
        plans.swap(&a, ChangedBy::Learn, "").unwrap();
        let log = dir.path().join(LOG);
        let whole = fs_err::read(&log).unwrap();
        fs_err::write(&log, [&whole[..], &whole[..20]].concat()).unwrap();
        plans.swap(&b, ChangedBy::Learn, "").unwrap();
        assert_eq!(plans.log().unwrap().len(), 2);
        fs_err::write(dir.path().join(Plans::file(&a)), b"3\n").unwrap();
        assert!(!plans.is_kept(&a) && plans.is_kept(&b), "content counts, not the name");
        assert!(
            plans
                .swap(&a, ChangedBy::Rollback, "")
                .unwrap_err()
                .to_string()
                .contains("not what its name says")
        );
        assert_eq!(plans.current(), Some(b));
    }
}
