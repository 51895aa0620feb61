// About this module.

import * as host from 'numax:runtime/module-info@0.2.0';

export const moduleInfo = Object.freeze({
  get id() {
    return host.id();
  },
  get grants() {
    return host.grants();
  },
});
