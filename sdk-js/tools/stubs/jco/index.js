// Stands in for @bytecodealliance/jco, of which ComponentizeJS uses only these three functions,
// all of them after the engine was snapshotted. `numax build` wraps the core module itself
// (with the wit-component library), so the core module is handed through, and 350 MB of
// packages need not be installed.
export const componentNew = async (core) => core;
export const metadataAdd = async (core) => core;
export const preview1AdapterReactorPath = () => new URL('./package.json', import.meta.url);
