//! A small run directory with a plan: cooking is cluster 0, travel is cluster 1.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};
use uno_learn::cluster::Centroids;
use uno_models::{EmbeddedEmbedder, registry};
use uno_types::{AdapterRef, Embedder, Path as Served, Plan, PlanEntry};

/// Questions that the centroids are the means of, by cluster.
const TOPICS: [[&str; 6]; 2] = [
    [
        "How do I cook rice without it sticking?",
        "What can I bake with ripe bananas?",
        "How long do I boil an egg?",
        "How do I keep basil alive on a windowsill in winter?",
        "Which spices go into a lentil curry?",
        "How do I thicken a tomato sauce?",
    ],
    [
        "Which sights should I see in Lisbon?",
        "How do I get from Rome to Florence by train?",
        "When is the best time to visit Japan?",
        "What should I pack for a week in Norway?",
        "Is a city pass for Berlin worth its price?",
        "Where can I stay near the airport of Madrid?",
    ],
];

/// Writes `run.json`, `centroids.safetensors` and `plan.json` into the directory. `--adapters A,B`: who answers for the
/// clusters, from `RUN_DIR/adapters/NAME`; without them the base model does, so that only routing itself is there to measure.
pub fn write(dir: &str, options: &HashMap<String, String>) {
    let dir = PathBuf::from(dir);
    std::fs::create_dir_all(&dir).expect("the directory can be made");
    let model = registry::pull(registry::DEFAULT_EMBEDDER, &registry::Silent).expect("`uno models pull`");
    let embedder = EmbeddedEmbedder::open(&model).expect("the embedder opens");
    let centroids = centroids(&embedder);
    keep(&dir, &centroids);
    let names: Vec<&str> =
        options.get("adapters").map_or(Vec::new(), |a| a.split(',').filter(|n| !n.is_empty()).collect());
    let plan = Plan {
        version: 1,
        target: "static".into(),
        embedder: embedder.id(),
        max_distance: None,
        clusters: (0..TOPICS.len()).map(|cluster| entry(cluster, names.get(cluster).copied())).collect(),
        ..Plan::default()
    };
    let run = serde_json::json!({"version": 1, "program": "load", "config": {}});
    std::fs::write(dir.join("run.json"), run.to_string()).expect("it can be written");
    // Swapped whole: a gateway may be reading it.
    let new = dir.join("plan.json.new");
    std::fs::write(&new, serde_json::to_vec_pretty(&plan).expect("a plan")).expect("it can be written");
    std::fs::rename(new, dir.join("plan.json")).expect("it can be put in place");
}

fn entry(cluster: usize, adapter: Option<&str>) -> PlanEntry {
    PlanEntry {
        cluster,
        size: TOPICS[cluster].len(),
        path: if adapter.is_some() { Served::Expert } else { Served::Base },
        adapter: adapter.map(|name| AdapterRef { name: name.into(), dir: format!("adapters/{name}") }),
        gap: None,
        win_rate: None,
        reason: "made for a load test".into(),
    }
}

fn centroids(embedder: &EmbeddedEmbedder) -> Centroids {
    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    for (cluster, questions) in TOPICS.iter().enumerate() {
        rows.extend(embedder.embed_questions(questions).expect("questions can be embedded"));
        labels.extend([cluster; TOPICS[0].len()]);
    }
    Centroids::from_labels(&rows, &labels).expect("one label per row")
}

/// As `uno learn` writes them (docs/FORMATS.md).
fn keep(dir: &Path, centroids: &Centroids) {
    let values: Vec<u8> = centroids.values().iter().flat_map(|x| x.to_le_bytes()).collect();
    let counts: Vec<u8> = centroids.counts().iter().flat_map(|&n| (n as i64).to_le_bytes()).collect();
    let shape = vec![centroids.len(), centroids.dimensions()];
    let tensors = [
        ("centroids", TensorView::new(Dtype::F64, shape, &values).expect("a matrix")),
        ("counts", TensorView::new(Dtype::I64, vec![centroids.len()], &counts).expect("a list")),
    ];
    let bytes = safetensors::serialize(tensors, None).expect("two tensors");
    std::fs::write(dir.join("centroids.safetensors"), bytes).expect("it can be written");
}
