//! [`RemoteChat`]: chat completions.

use std::collections::HashMap;
use std::sync::{Arc, mpsc};

use futures::StreamExt;
use uno_types::{AdapterRef, ChatModel, Generation, GenerationRequest, ModelError, role::OnGeneration};

use super::adapters::{Lease, VllmAdapters};
use super::config::RemoteConfig;
use super::error::RemoteError;
use super::request::{Asker, Lost};
use super::server::Server;
use super::{models, runtime};

/// A chat model behind an OpenAI-compatible server.
///
/// Requests with an adapter are answered under the adapter's name, which [`VllmAdapters`] loads first. A batch with more
/// adapters than the server holds is worked off in waves, so that no adapter is ever evicted under a request.
pub struct RemoteChat {
    asker: Arc<Asker>,
    id: String,
    context_length: usize,
    concurrency: usize,
    max_loras: usize,
    adapters: Arc<VllmAdapters>,
}

/// Context of servers that do not tell it and of configurations that do not either.
const UNKNOWN_CONTEXT: usize = 8192;

impl RemoteChat {
    /// Looks the model up on the server.
    ///
    /// # Errors
    /// When the server cannot be reached, answers garbage, or does not have the model.
    pub fn new(config: RemoteConfig) -> Result<Self, RemoteError> {
        let server = Server::new(&config)?;
        let known = {
            let (server, name) = (server.clone(), config.model.clone());
            runtime::wait(async move { models::find(&server, &name).await })??
        };
        let adapters = VllmAdapters::shared(server.clone(), &known.name, &config);
        let context_length = known.context_length.or(config.context_length).unwrap_or(UNKNOWN_CONTEXT);
        tracing::info!(model = known.id, url = server.base(), context_length, "remote chat model");
        Ok(Self {
            asker: Arc::new(Asker::new(server, known.name, context_length)),
            id: known.id,
            context_length,
            concurrency: config.concurrency.max(1),
            max_loras: config.max_loras.max(1),
            adapters,
        })
    }

    /// The adapters of this server: to unload them when done.
    pub fn adapters(&self) -> &Arc<VllmAdapters> {
        &self.adapters
    }

    /// Runs requests that all have what they need; returns those whose adapter the server no longer has.
    fn run(
        &self,
        requests: &[GenerationRequest],
        which: Vec<usize>,
        done: &mut OnGeneration<'_>,
    ) -> Result<Vec<usize>, ModelError> {
        let (sender, receiver) = mpsc::channel();
        let work: Vec<(usize, GenerationRequest)> =
            which.into_iter().map(|i| (i, requests[i].clone())).collect();
        let (asker, concurrency) = (self.asker.clone(), self.concurrency);
        let _task = runtime::spawn(async move {
            let mut answers = futures::stream::iter(work)
                .map(|(i, request)| {
                    let asker = asker.clone();
                    async move { (i, asker.ask(&request).await) }
                })
                .buffer_unordered(concurrency);
            while let Some(answer) = answers.next().await {
                if sender.send(answer).is_err() {
                    return;
                }
            }
        })?;
        let mut lost = Vec::new();
        for (i, answer) in receiver {
            match answer {
                Ok(generation) => done(i, Ok(generation)),
                Err(Lost::Adapter) => lost.push(i),
                Err(Lost::Request(error)) => done(i, Err(error)),
                Err(Lost::Refused(error)) => done(i, Err(error.into())),
                // Dropping the task ends the other requests.
                Err(Lost::Server(error)) => return Err(error),
            }
        }
        Ok(lost)
    }

    /// Loads what a wave needs. Requests whose adapter cannot be used are answered with the reason.
    fn prepare(
        &self,
        requests: &[GenerationRequest],
        wave: &mut Vec<usize>,
        done: &mut OnGeneration<'_>,
    ) -> Result<Lease, ModelError> {
        let wanted = distinct(requests, wave);
        let (lease, failed) = self.adapters.acquire(&wanted)?;
        let failed: HashMap<&str, &RemoteError> = failed.iter().map(|(name, e)| (name.as_str(), e)).collect();
        wave.retain(|&i| {
            let problem = requests[i].adapter.as_ref().and_then(|a| failed.get(a.name.as_str()));
            if let Some(error) = problem {
                done(i, Err((*error).clone().into()));
            }
            problem.is_none()
        });
        Ok(lease)
    }
}

impl ChatModel for RemoteChat {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn context_length(&self) -> usize {
        self.context_length
    }

    fn generate(
        &self,
        requests: &[GenerationRequest],
        done: &mut OnGeneration<'_>,
    ) -> Result<(), ModelError> {
        for mut wave in waves(requests, self.max_loras) {
            let lease = self.prepare(requests, &mut wave, done)?;
            let mut again = self.run(requests, wave, done)?;
            drop(lease);
            if again.is_empty() {
                continue;
            }
            // The server lost adapters under us: it was restarted. Load them once more, then it is an error.
            self.adapters.forget(&distinct(requests, &again));
            let _lease = self.prepare(requests, &mut again, done)?;
            for i in self.run(requests, again, done)? {
                let name = requests[i].adapter.as_ref().map_or("", |a| a.name.as_str());
                let problem =
                    "the server loaded it and lost it again, twice; see the server's log".to_owned();
                done(i, Err(RemoteError::Adapter { name: name.to_owned(), problem }.into()));
            }
        }
        Ok(())
    }
}

/// Splits a batch so that no part needs more than `most` adapters. Requests of one adapter stay together and base requests
/// go first.
fn waves(requests: &[GenerationRequest], most: usize) -> Vec<Vec<usize>> {
    let all: Vec<usize> = (0..requests.len()).collect();
    let order: HashMap<String, usize> =
        distinct(requests, &all).into_iter().enumerate().map(|(n, a)| (a.name, n / most)).collect();
    let mut waves: Vec<Vec<usize>> = vec![vec![]; order.values().max().map_or(1, |n| n + 1)];
    for i in all {
        let wave = requests[i].adapter.as_ref().and_then(|a| order.get(&a.name)).copied().unwrap_or(0);
        waves[wave].push(i);
    }
    waves.retain(|w| !w.is_empty());
    waves
}

/// The adapters of some requests, each once, in order of appearance.
fn distinct(requests: &[GenerationRequest], which: &[usize]) -> Vec<AdapterRef> {
    let mut adapters: Vec<AdapterRef> = Vec::new();
    for adapter in which.iter().filter_map(|&i| requests[i].adapter.as_ref()) {
        if !adapters.iter().any(|a| a.name == adapter.name) {
            adapters.push(adapter.clone());
        }
    }
    adapters
}

/// What [`Asker::ask`] gives.
pub(super) type Answer = Result<Generation, Lost>;

#[cfg(test)]
mod tests {
    use uno_types::{Message, Sampling};

    use super::*;

    fn request(adapter: Option<&str>) -> GenerationRequest {
        GenerationRequest {
            messages: vec![Message::user("q")],
            adapter: adapter.map(|name| AdapterRef { name: name.into(), dir: String::new() }),
            sampling: Sampling::GREEDY,
            max_tokens: 4,
            constraint: None,
            logprobs: false,
        }
    }

    #[test]
    fn waves_keep_within_the_slots_and_lose_nothing() {
        let names = [Some("a"), None, Some("b"), Some("c"), Some("a"), None, Some("d"), Some("e")];
        let requests: Vec<_> = names.iter().map(|n| request(*n)).collect();
        let waves = waves(&requests, 2);
        assert_eq!(waves, vec![vec![0, 1, 2, 4, 5], vec![3, 6], vec![7]]);
        assert_eq!(super::waves(&[], 2), Vec::<Vec<usize>>::new());
    }
}
