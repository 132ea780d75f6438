// Chromium, Debian's or the one that CHROMIUM_BIN names.

import { access } from 'node:fs/promises';
import { chromiumPath, startChromium } from '#test/media/chromium.ts';
import { Missing, run } from './adapter.ts';
import { browser } from './browser.ts';

await run(
  browser({
    publishes: ['VP8', 'VP9', 'H264', 'AV1', 'VP8 simulcast'],
    open: async (url) => {
      await access(chromiumPath()).catch(() => {
        throw new Missing(`${chromiumPath()} is not there: apt-get install chromium`);
      });
      const started = await startChromium();
      const page = await started.open(url);
      return {
        version: `Chromium ${started.version}`,
        evaluate: (expression) => page.evaluate<unknown>(expression),
        close: () => started.close(),
      };
    },
  }),
);
