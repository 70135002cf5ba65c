//! `centroids.safetensors`: `centroids` f64 [clusters, dimensions] and `counts` i64 [clusters].

use anyhow::{Context, ensure};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use uno_learn::cluster::Centroids;
use uno_store::RunDir;

use super::artefacts::files;

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

/// Reads the centroids.
///
/// # Errors
/// When the file is missing or damaged.
pub fn read(run: &RunDir) -> anyhow::Result<Centroids> {
    let path = run.path(files::CENTROIDS);
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
        assert_eq!(read(&run).unwrap(), centroids);
        let path = run.path(files::CENTROIDS);
        let half = fs_err::read(&path).unwrap();
        fs_err::write(&path, &half[..half.len() / 2]).unwrap();
        assert!(format!("{:#}", read(&run).unwrap_err()).contains("centroids.safetensors"));
    }
}
