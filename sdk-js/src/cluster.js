// Who is there.

import * as host from 'numax:runtime/cluster@0.2.0';
import { call } from './errors.js';
import { safe } from './values.js';

export const selfId = () => call(() => host.selfId());

export const peers = () =>
  call(() => host.peers()).map(({ rttMicros, ...peer }) => ({
    ...peer,
    rttMicros: rttMicros === undefined ? undefined : safe(rttMicros, 'the round trip'),
  }));
