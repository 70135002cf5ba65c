//! Files from the Hugging Face hub.

use std::io::Write;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use futures::StreamExt;
use reqwest::{Client, StatusCode, header};

use super::error::RegistryError;
use super::known::{KnownFile, KnownModel};
use super::progress::Progress;
use super::store::Registry;
use super::verify::verify;
use crate::remote::runtime;

/// How long a running download may stand still.
const STALLED: Duration = Duration::from_secs(30);

/// What the network thread sends.
enum News {
    /// The file begins at this offset: 0, or where the part that is here ends.
    Begins(u64),
    /// The next bytes.
    Bytes(Vec<u8>),
    /// No more will come, for this reason.
    Failed(String),
}

impl Registry {
    /// Downloads the files that are not in `partial` yet; goes on where an earlier download ended.
    pub(super) fn fetch_from_hub(
        &self,
        model: &KnownModel,
        partial: &Path,
        progress: &dyn Progress,
    ) -> Result<(), RegistryError> {
        let (repository, revision) = model.hub;
        progress.step(&format!("downloading {} from {}", model.name, self.hub));
        let mut before = 0;
        for file in model.files {
            let path = partial.join(file.name);
            if !path.exists() || verify(&path, file.size, file.sha256).is_err() {
                let url = format!("{}/{repository}/resolve/{revision}/{}", self.hub, file.name);
                let tell = |done: u64| progress.bytes(before + done, model.size());
                self.download(&url, file, &path, &tell)?;
            }
            before += file.size;
        }
        Ok(())
    }

    fn download(
        &self,
        url: &str,
        file: &KnownFile,
        path: &Path,
        tell: &dyn Fn(u64),
    ) -> Result<(), RegistryError> {
        let source = |problem: String| RegistryError::Source(format!("{url}: {problem}"));
        runtime::prepare().map_err(|e| source(e.to_string()))?;
        let client = Client::builder()
            .connect_timeout(self.hub_patience)
            .read_timeout(STALLED)
            .user_agent(concat!("uno/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| source(e.to_string()))?;
        let here = path.metadata().map_or(0, |m| if m.len() < file.size { m.len() } else { 0 });
        let (sender, receiver) = mpsc::sync_channel(16);
        let _task = runtime::spawn(fetch(client, url.to_owned(), here, self.hub_patience, sender))
            .map_err(|e| source(e.to_string()))?;
        let mut out = fs_err::OpenOptions::new().create(true).append(true).open(path)?;
        let mut done = 0;
        for news in receiver {
            match news {
                News::Begins(at) => {
                    out.set_len(at)?;
                    done = at;
                }
                News::Bytes(bytes) => {
                    done += bytes.len() as u64;
                    if done > file.size {
                        return Err(source(format!("larger than the expected {} bytes", file.size)));
                    }
                    out.write_all(&bytes)?;
                    tell(done);
                }
                News::Failed(problem) => return Err(source(problem)),
            }
        }
        Ok(())
    }
}

async fn fetch(client: Client, url: String, here: u64, patience: Duration, news: mpsc::SyncSender<News>) {
    if let Err(problem) = try_fetch(client, &url, here, patience, &news).await {
        let _ = news.send(News::Failed(problem));
    }
}

async fn try_fetch(
    client: Client,
    url: &str,
    here: u64,
    patience: Duration,
    news: &mpsc::SyncSender<News>,
) -> Result<(), String> {
    let mut request = client.get(url);
    if here > 0 {
        request = request.header(header::RANGE, format!("bytes={here}-"));
    }
    let response = tokio::time::timeout(patience, request.send())
        .await
        .map_err(|_| format!("no answer within {} s", patience.as_secs()))?
        .map_err(|e| innermost(&e))?;
    let begins = match response.status() {
        StatusCode::PARTIAL_CONTENT => here,
        StatusCode::OK => 0,
        status => return Err(format!("answered {status}")),
    };
    let send = |item| news.send(item).map_err(|_| "nobody waits for it any more".to_owned());
    send(News::Begins(begins))?;
    let mut body = response.bytes_stream();
    while let Some(bytes) = body.next().await {
        send(News::Bytes(bytes.map_err(|e| innermost(&e))?.to_vec()))?;
    }
    Ok(())
}

/// The cause at the bottom: reqwest alone says only "error sending request".
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}
