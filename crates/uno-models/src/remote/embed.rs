//! [`RemoteEmbedder`]: embeddings.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use serde_json::json;
use uno_types::{Embedder, ModelError};

use super::config::RemoteConfig;
use super::error::RemoteError;
use super::server::Server;
use super::wire::EmbeddingsAnswer;
use super::{models, runtime};

const PATH: &str = "/embeddings";

/// Texts per request.
const BATCH: usize = 64;

/// An embedding model behind an OpenAI-compatible server.
pub struct RemoteEmbedder {
    server: Arc<Server>,
    model: String,
    id: String,
    dimensions: usize,
    concurrency: usize,
}

impl RemoteEmbedder {
    /// Looks the model up and embeds one word to learn the length of its vectors.
    ///
    /// # Errors
    /// When the server cannot be reached, does not have the model, or the model does not embed.
    pub fn new(config: RemoteConfig) -> Result<Self, RemoteError> {
        let server = Server::new(&config)?;
        let (asked, name) = (server.clone(), config.model.clone());
        let (known, dimensions) = runtime::wait(async move {
            let known = models::find(&asked, &name).await?;
            let word = embed(&asked, &known.name, vec!["dimensions".into()]).await?;
            Ok::<_, RemoteError>((known, word.first().map_or(0, Vec::len)))
        })??;
        Ok(Self {
            server,
            model: known.name,
            id: known.id,
            dimensions,
            concurrency: config.concurrency.max(1),
        })
    }
}

impl Embedder for RemoteEmbedder {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        let batches: Vec<Vec<String>> =
            texts.chunks(BATCH).map(|c| c.iter().map(|t| (*t).to_owned()).collect()).collect();
        let (server, model, concurrency) = (self.server.clone(), self.model.clone(), self.concurrency);
        let batches: Vec<Vec<Vec<f32>>> = runtime::wait(async move {
            futures::stream::iter(batches)
                .map(|batch| embed(&server, &model, batch))
                .buffered(concurrency)
                .try_collect()
                .await
        })??;
        let vectors: Vec<Vec<f32>> = batches.into_iter().flatten().collect();
        match vectors.iter().find(|v| v.len() != self.dimensions) {
            Some(odd) => Err(ModelError::Upstream(format!(
                "{}: a vector of length {} where the others have {}; was the model exchanged?",
                self.server.url(PATH),
                odd.len(),
                self.dimensions
            ))),
            None => Ok(vectors),
        }
    }
}

/// One vector per text, in the order of the texts.
async fn embed(server: &Server, model: &str, texts: Vec<String>) -> Result<Vec<Vec<f32>>, RemoteError> {
    let body = json!({"model": model, "input": texts, "encoding_format": "float"});
    let mut answer: EmbeddingsAnswer = server.post(PATH, &body).await?;
    answer.data.sort_by_key(|e| e.index);
    let complete =
        answer.data.len() == texts.len() && answer.data.iter().enumerate().all(|(i, e)| i == e.index);
    let finite =
        answer.data.iter().all(|e| !e.embedding.is_empty() && e.embedding.iter().all(|x| x.is_finite()));
    if complete && finite {
        return Ok(answer.data.into_iter().map(|e| e.embedding).collect());
    }
    Err(RemoteError::Garbage {
        url: server.url(PATH),
        cause: format!("{} texts sent, {} usable vectors came back", texts.len(), answer.data.len()),
        excerpt: String::new(),
    })
}
