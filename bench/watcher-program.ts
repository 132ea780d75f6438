// The program behind a Watcher: makes the visits that it is told of, one after another.

import { visit, type Waited, watch } from './watch.ts';

/** Nothing of both: it is ready. */
export interface ToldByWatcher {
  waited?: Waited;
  error?: string;
}

const tell = (told: ToldByWatcher) => process.send?.(told);

process.on('disconnect', () => process.exit());
process.on('message', (message) => {
  watch(visit.parse(message)).then(
    (waited) => tell({ waited }),
    (error: unknown) => tell({ error: String(error) }),
  );
});
tell({});
