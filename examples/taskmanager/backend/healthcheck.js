"use strict";

fetch(`http://127.0.0.1:${process.env.PORT || 3000}/healthz`, { signal: AbortSignal.timeout(2000) })
  .then((answer) => process.exit(answer.ok ? 0 : 1))
  .catch(() => process.exit(1));
