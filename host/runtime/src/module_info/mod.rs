//! `numax:runtime/module-info`: what a module may know of itself. Needs no grant.

use crate::bindings::host::module_info;
use crate::session::Session;
use wasmtime::Result;
use wasmtime::component::{HasData, Linker};

/// What the interface works on.
pub(crate) struct ModuleInfoCtx<'a> {
    pub(crate) session: &'a mut Session,
}

/// How to find [`ModuleInfoCtx`] in a store's data.
pub(crate) trait ModuleInfoView: Send {
    fn module_info(&mut self) -> ModuleInfoCtx<'_>;
}

struct HasModuleInfo;

impl HasData for HasModuleInfo {
    type Data<'a> = ModuleInfoCtx<'a>;
}

/// Links the interface.
pub(crate) fn add_to_linker<T: ModuleInfoView + 'static>(linker: &mut Linker<T>) -> Result<()> {
    module_info::add_to_linker::<T, HasModuleInfo>(linker, T::module_info)
}

impl module_info::Host for ModuleInfoCtx<'_> {
    async fn id(&mut self) -> Result<String> {
        Ok(self.session.grant().name().to_owned())
    }

    async fn grants(&mut self) -> Result<Vec<String>> {
        Ok(self.session.grant().policy().grants())
    }
}
