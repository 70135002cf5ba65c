//! `uno serve`.

use std::sync::{Arc, OnceLock};

use anyhow::Context;
use serde::Serialize;
use uno_serve::embedded::Embedded;
use uno_serve::{Adapters, Gateway, Parts, Server};
use uno_store::live::WriterOptions;
use uno_types::Embedder;

use crate::args::ServeArgs;
use crate::config::{self, Settings};
use crate::output::Console;
use crate::serve::{Evolution, RunPlans, RunUmpire};

/// What is printed as soon as clients may come.
#[derive(Serialize)]
struct Listening {
    listening: String,
    admin: Option<String>,
    servers: Vec<String>,
    store: String,
}

/// Serves until it is told to stop (SIGTERM, SIGINT).
///
/// # Errors
/// Wrong settings; an address that cannot be listened on.
pub fn run(args: &ServeArgs, console: &Console) -> anyhow::Result<()> {
    fs_err::create_dir_all(&args.run)?;
    let defaults = crate::serve::settings_of(&args.run)?;
    let mut settings = config::load_over(defaults, &args.settings)?;
    if let Some(listen) = &args.listen {
        settings.serve.listen.clone_from(listen);
    }
    if let Some(listen) = &args.admin_listen {
        settings.serve.admin_listen.clone_from(listen);
    }
    let embedder = match crate::roles::routing_embedder(&settings) {
        Ok(embedder) => Some(embedder),
        Err(error) => {
            console.warn(format_args!("nothing is routed, the base model answers everything: {error:#}"));
            None
        }
    };
    let threads = match settings.serve.threads {
        0 => std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2).max(1),
        given => given,
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(threads).enable_all().thread_name("uno-serve").build()?;
    runtime.block_on(async {
        // The embedded engine finds adapters by the plans of the gateway, which is made after it.
        let known: Arc<OnceLock<Arc<Gateway>>> = Arc::default();
        let engine = match settings.target.is_remote() || !settings.serve.upstreams.is_empty() {
            true => None,
            false => Some(embedded(args, &settings, &known).await?),
        };
        let parts = parts(args, &settings, embedder, engine)?;
        let (servers, store) = (parts.upstreams.clone(), parts.log.store.clone());
        let server = Server::bind(Gateway::new(parts)?).await?;
        known.get_or_init(|| Arc::clone(server.gateway()));
        let listening = Listening {
            listening: server.address()?.to_string(),
            admin: server.admin_address().map(|a| a.to_string()),
            servers,
            store,
        };
        console.result(&listening, |l| {
            let admin = l.admin.as_ref().map_or(String::new(), |a| format!(", admin plane on http://{a}"));
            format!("Serving on http://{}/v1 for {}{admin}", l.listening, l.servers.join(", "))
        })?;
        let evolution = args.evolve.then(|| Evolution {
            run: args.run.clone(),
            store: listening.store.clone(),
            options: settings.serve.evolve.clone(),
        });
        // Steps have processes of their own, which end with this one.
        let evolving = evolution.map(Evolution::start).transpose()?;
        server.run(crate::serve::told_to_stop()).await?;
        drop(evolving);
        Ok(())
    })
}

/// Starts the embedded engine as a server.
async fn embedded(
    args: &ServeArgs,
    settings: &Settings,
    known: &Arc<OnceLock<Arc<Gateway>>>,
) -> anyhow::Result<Embedded> {
    let (run, settings_too) = (args.run.clone(), settings.clone());
    let opening = move || crate::roles::open_target(&settings_too, &run);
    let model = tokio::task::spawn_blocking(opening).await??;
    let known = Arc::clone(known);
    let find = move |name: &str| known.get()?.plans.wanted_adapters().into_iter().find(|a| a.name == name);
    let (name, queue) = (&settings.target.model, settings.serve.limits.engine_queue);
    Ok(uno_serve::embedded::start(model, name, queue, Arc::new(find)).await?)
}

fn parts(
    args: &ServeArgs,
    settings: &Settings,
    embedder: Option<Arc<dyn Embedder>>,
    engine: Option<Embedded>,
) -> anyhow::Result<Parts> {
    let serve = &settings.serve;
    let upstreams = match (&engine, &serve.upstreams[..]) {
        (Some(engine), _) => vec![format!("http://{}/v1", engine.address)],
        (None, []) => vec![settings.target.url.clone()],
        (None, given) => given.to_vec(),
    };
    let adapters = match engine {
        Some(engine) => Adapters::Embedded(engine.stats),
        None => Adapters::Servers(Box::new(crate::roles::target_config(settings)?)),
    };
    let upstream_key = match settings.target.api_key_env.as_str() {
        "" => None,
        name => Some(
            std::env::var(name).with_context(|| format!("the servers' key should be in ${name}: set it"))?,
        ),
    };
    let store = match serve.log.store.as_str() {
        "" => args.run.join("live.db").display().to_string(),
        given => given.to_owned(),
    };
    let log = WriterOptions {
        store,
        spool_dir: args.run.join("spool"),
        spool_bytes: serve.log.spool_mib.max(1) << 20,
        queue: serve.log.queue,
        keep_days: serve.log.keep_days,
    };
    let umpire = Arc::new(RunUmpire::new(&args.run, settings));
    let plans = RunPlans::new(&args.run, embedder.clone()).judged_by(umpire);
    Ok(Parts {
        options: serve.clone(),
        base_model: settings.target.model.clone(),
        upstreams,
        upstream_key,
        plans: Arc::new(plans),
        embedder,
        log,
        adapters,
    })
}
