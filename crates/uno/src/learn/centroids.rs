//! `centroids.safetensors`: `centroids` f64 [clusters, dimensions] and `counts` i64 [clusters].
//!
//! A plan routes by the centroids that it was made with, so it keeps a copy of them under their content hash.

use anyhow::{Context, ensure};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use uno_learn::cluster::Centroids;
use uno_store::{RunDir, hash};
use uno_types::Plan;

use super::artefacts::files;
use super::plan::VERSION;

/// Writes the centroids.
///
/// # Errors
/// When the file cannot be written.
pub fn write(run: &RunDir, centroids: &Centroids) -> anyhow::Result<()> {
    let values: Vec<u8> = centroids.values().iter().flat_map(|x| x.to_le_bytes()).collect();
    let counts: Vec<u8> = centroids.counts().iter().flat_map(|&n| (n as i64).to_le_bytes()).collect();
    let shape = vec![centroids.len(), centroids.dimensions()];
    let tensors = [
        ("centroids", TensorView::new(Dtype::F64, shape, &values)?),
        ("counts", TensorView::new(Dtype::I64, vec![centroids.len()], &counts)?),
    ];
    let bytes = safetensors::serialize(tensors, None)?;
    Ok(run.write_bytes(files::CENTROIDS, &bytes)?)
}

/// Keeps a copy of the run's centroids for a plan; gives its path inside the run directory that plans lie in.
///
/// # Errors
/// When there are none, or the copy cannot be written.
pub fn keep(run: &RunDir) -> anyhow::Result<String> {
    let content = hash::of_file(&run.path(files::CENTROIDS))?;
    let kept = format!("plans/centroids-{}.safetensors", &content[..12]);
    let from_here = format!("{}{kept}", run.home_prefix());
    if !is_intact(run, &from_here) {
        run.write_bytes(&from_here, &fs_err::read(run.path(files::CENTROIDS))?)?;
    }
    Ok(kept)
}

/// Whether kept centroids are there, with the content that their name says.
pub fn is_intact(run: &RunDir, kept: &str) -> bool {
    hash::of_file(&run.path(kept)).is_ok_and(|content| kept.contains(&content[..12]))
}

/// Reads the centroids that a plan routes by: whoever routes comes by here.
///
/// # Errors
/// When the plan has a newer layout, or the file is missing or damaged, or not the run's.
pub fn read(run: &RunDir, plan: &Plan) -> anyhow::Result<Centroids> {
    ensure!(
        plan.version <= VERSION,
        "the plan has layout version {}, this program knows {VERSION}: use a newer uno",
        plan.version
    );
    let name = plan.centroids.as_deref().unwrap_or(files::CENTROIDS);
    // The plan is a file, and somebody may have edited it.
    let kept = name.strip_prefix("plans/").unwrap_or(name);
    ensure!(
        !kept.contains(['/', '\\']),
        "the plan names centroids in `{name}`, which is no file of this run"
    );
    let path = run.path(name);
    let read = || -> anyhow::Result<Centroids> {
        let bytes = fs_err::read(&path)?;
        let file = SafeTensors::deserialize(&bytes)?;
        let (values, counts) = (file.tensor("centroids")?, file.tensor("counts")?);
        ensure!(values.dtype() == Dtype::F64 && counts.dtype() == Dtype::I64, "unexpected types");
        let [_, dimensions] = values.shape() else { anyhow::bail!("`centroids` is no matrix") };
        let eight = |chunk: &[u8]| <[u8; 8]>::try_from(chunk).unwrap_or_default();
        let counts: Vec<usize> = counts
            .data()
            .chunks_exact(8)
            .map(|c| usize::try_from(i64::from_le_bytes(eight(c))))
            .collect::<Result<_, _>>()?;
        let values = values.data().chunks_exact(8).map(|c| f64::from_le_bytes(eight(c))).collect();
        Ok(Centroids::from_parts(*dimensions, values, counts)?)
    };
    read().with_context(|| format!("reading {}: delete it and run `uno learn` again", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn centroids_survive_and_damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::open_or_create(dir.path()).unwrap();
        let centroids =
            Centroids::from_labels(&[vec![0.1, 0.7], vec![0.3, 0.2], vec![1.0, 0.0]], &[0, 0, 1]).unwrap();
        write(&run, &centroids).unwrap();
        fs_err::create_dir_all(run.path("plans")).unwrap();
        let mut plan = Plan { centroids: Some(keep(&run).unwrap()), ..Plan::default() };
        assert_eq!(read(&run, &plan).unwrap(), centroids);
        let path = run.path(files::CENTROIDS);
        let half = fs_err::read(&path).unwrap();
        fs_err::write(&path, &half[..half.len() / 2]).unwrap();
        assert_eq!(read(&run, &plan).unwrap(), centroids, "a plan has its own");
        for elsewhere in ["../centroids.safetensors", "plans/../../centroids.safetensors", "/etc/passwd"] {
            plan.centroids = Some(elsewhere.into());
            assert!(
                read(&run, &plan).unwrap_err().to_string().contains("no file of this run"),
                "{elsewhere}"
            );
        }
        plan.version = VERSION + 1;
        assert!(read(&run, &plan).unwrap_err().to_string().contains("use a newer uno"));
        plan.version = VERSION;
        plan.centroids = None;
        assert!(format!("{:#}", read(&run, &plan).unwrap_err()).contains("centroids.safetensors"));
    }
}
