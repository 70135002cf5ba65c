//! Who may do what, and how much of it.

mod keys;
mod limit;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

pub use keys::{Key, Keys, Scope, new_key};
use limit::Limits;

use crate::ServeError;
use crate::http::Reply;
use crate::http::reply::{self, Fault};
use crate::sse::Answer;

/// Who asks.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The key; none where nobody is asked for one.
    key: Option<Arc<Key>>,
}

impl Caller {
    /// The key's name; empty where nobody is asked for one.
    pub fn name(&self) -> &str {
        self.key.as_ref().map_or("", |k| &k.name)
    }
}

/// The keys in force.
pub struct Auth {
    path: Option<PathBuf>,
    keys: RwLock<(Keys, Option<SystemTime>)>,
    limits: Limits,
}

impl Auth {
    /// Reads the file of keys; without one nobody is asked for a key.
    ///
    /// # Errors
    /// When the file cannot be read or is wrong.
    pub fn new(path: &str) -> Result<Self, ServeError> {
        let path = (!path.is_empty()).then(|| PathBuf::from(path));
        let auth = Self { path, keys: RwLock::default(), limits: Limits::default() };
        auth.reload()?;
        Ok(auth)
    }

    /// Reads the file again if it changed; says whether it had.
    ///
    /// # Errors
    /// When the file cannot be read or is wrong; the keys that are in force stay.
    pub fn reload(&self) -> Result<bool, ServeError> {
        let Some(path) = &self.path else { return Ok(false) };
        let modified = fs_err::metadata(path).and_then(|m| m.modified()).ok();
        if modified.is_some() && self.keys.read().unwrap_or_else(PoisonError::into_inner).1 == modified {
            return Ok(false);
        }
        let keys = Keys::read(path)?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = (keys, modified);
        Ok(true)
    }

    /// Whether clients need a key.
    pub fn is_on(&self) -> bool {
        self.path.is_some()
    }

    /// Who asks, if they may do this.
    ///
    /// # Errors
    /// The reply that says no.
    pub fn check(&self, headers: &HeaderMap, scope: Scope) -> Result<Caller, Box<Reply>> {
        if !self.is_on() {
            return Ok(Caller::default());
        }
        let no = |fault, message: &str| Err(Box::new(reply::error(fault, message)));
        let given = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok());
        let Some(secret) =
            given.and_then(|v| v.strip_prefix("Bearer ").or_else(|| v.strip_prefix("bearer ")))
        else {
            return no(Fault::Unauthorized, "send an API key: `Authorization: Bearer KEY`");
        };
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let Some(key) = keys.0.find(secret.trim()) else {
            return no(Fault::Unauthorized, "this API key is not known");
        };
        if !key.scopes.contains(&scope) {
            let message =
                format!("the API key `{}` may not do this: it lacks the scope {}", key.name, scope.as_str());
            return no(Fault::Forbidden, &message);
        }
        if let Some(seconds) = self.limits.take_request(&key) {
            let message = format!("the API key `{}` is over its rate; try again in {seconds} s", key.name);
            return no(Fault::TooMany(seconds), &message);
        }
        Ok(Caller { key: Some(key) })
    }

    /// Counts the tokens of an answer against the key's rate.
    pub fn spent(&self, caller: &Caller, answer: &Answer) {
        if let Some(key) = &caller.key {
            let tokens = answer.prompt_tokens.unwrap_or(0) + answer.completion_tokens.unwrap_or(0);
            self.limits.spend_tokens(key, tokens);
        }
    }
}
