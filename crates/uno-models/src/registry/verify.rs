//! Whether a file holds the bytes it should.

use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::error::RegistryError;

/// Compares size, then SHA-256.
pub(super) fn verify(path: &Path, size: u64, sha256: &str) -> Result<(), RegistryError> {
    let corrupt = |problem| RegistryError::Corrupt { path: path.to_owned(), problem };
    let found = fs_err::metadata(path)?.len();
    if found != size {
        return Err(corrupt(format!("{found} bytes where {size} are right")));
    }
    let found = hash(path)?;
    if found != sha256 {
        return Err(corrupt(format!("SHA-256 {found} where {sha256} is right")));
    }
    Ok(())
}

/// SHA-256 in hex.
pub(super) fn hash(path: &Path) -> Result<String, RegistryError> {
    let mut file = fs_err::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(hasher.finalize().iter().map(|b| format!("{b:02x}")).collect());
        }
        hasher.update(&buffer[..n]);
    }
}
