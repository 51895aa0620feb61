//! Go guests, with the standard toolchain.

use crate::cache::Inputs;
use crate::lang::Toolchain;
use crate::wit::Wit;
use crate::{BuildCtx, BuildError, Project};
use std::path::PathBuf;

/// The tools of Go.
pub struct Go;

impl Toolchain for Go {
    fn inputs(&self, project: &Project, _ctx: &mut BuildCtx<'_>) -> Result<Inputs, BuildError> {
        let mut inputs = Inputs::new();
        inputs.tree(&project.dir);
        Ok(inputs)
    }

    fn build(&self, project: &Project, _wit: &Wit, _ctx: &mut BuildCtx<'_>) -> Result<PathBuf, BuildError> {
        Err(BuildError::Manifest {
            file: project.dir.join("go.mod"),
            detail: "this program cannot build Go guests yet".into(),
        })
    }
}
