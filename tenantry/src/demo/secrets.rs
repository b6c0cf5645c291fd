//! The demonstration's encryption key, made once and kept beside its database.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context as _;
use entity::EncryptionKeys;
use rand::Rng;

/// The encryption key of the data folder.
pub fn encryption_keys(folder: &Path) -> anyhow::Result<EncryptionKeys> {
    let path = folder.join("encryption.key");
    if !path.exists() {
        let mut key = [0_u8; 32];
        rand::rng().fill_bytes(&mut key);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(&key).context("writing the demonstration's key")?;
    }
    let key = std::fs::read(&path).context("reading the demonstration's key")?;
    let key = <[u8; 32]>::try_from(key).map_err(|_| {
        anyhow::anyhow!("{} does not hold a key: remove the data folder to start afresh", path.display())
    })?;
    Ok(EncryptionKeys::new(key, []))
}
