//! The development authority: certificates without ceremony, for loopback addresses only.
//!
//! Every process of one user finds the same authority, so nodes on one machine trust each other and no other user's.
//! What it signs is refused for any address but loopback (see [`crate::Credentials::for_loopback`]): its key lies in a
//! home folder and was made without anybody's decision.

use std::{env, path::Path, path::PathBuf};

use super::{Authority, CA_CERTIFICATE, CA_KEY, CaOptions, init_locked};
use crate::{files, identity::IdentityError};

/// The user's data folder: `$XDG_DATA_HOME`, or `~/.local/share`.
///
/// # Errors
/// Neither XDG_DATA_HOME nor HOME is an absolute path.
pub fn user_data_dir() -> Result<PathBuf, IdentityError> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .ok_or(IdentityError::NoHome)
}

/// Opens the user's development authority (`<data>/numax/dev-ca`), made on first use; processes that race for it meet on
/// one.
///
/// # Errors
/// The folder cannot be written, or what lies there is corrupt or readable by others.
pub fn dev_authority(data: &Path) -> Result<Authority, IdentityError> {
    let dir = data.join("numax").join("dev-ca");
    files::private_dir(&dir)?;
    let _lock = files::lock(&dir)?;
    let key = dir.join(CA_KEY);
    // The key is written last, so without one nothing was ever signed here and a lone certificate is a leftover.
    if !key.exists() {
        let certificate = dir.join(CA_CERTIFICATE);
        if certificate.exists() {
            std::fs::remove_file(&certificate).map_err(|e| IdentityError::io("remove", &certificate, e))?;
        }
        return init_locked(&dir, &CaOptions { name: "numax development".into(), ..CaOptions::default() });
    }
    Authority::open(&dir)
}
