// `npm start`: runs the local world until it is told to stop.

import { enableCompileCache } from 'node:module';
import { parseArgs } from 'node:util';
import { onStop } from './program.ts';

enableCompileCache();
const { startWorld } = await import('./world.ts');

const REGIONS = ['us-east-1', 'eu-west-1', 'ap-southeast-1'];

const USAGE = `npm start -- [options]
  --json               print one line of JSON on stdout when ready
  --page-port PORT     the page (8080)
  --api-port PORT      the first region's gateway; the others take the next ones (8101)
  --global-port PORT   the port of every region under the global name (8100)
  --dns-port PORT      the DNS server (5300)
Port 0 is any free one.

Environment, for every node and gateway: timings such as MERIDIAN_UNUSED_STREAM_TIMEOUT_MS (docs/architecture.md has
them all), MERIDIAN_ICE_SERVERS, MERIDIAN_MAX_VIEWERS, MERIDIAN_MAX_PUBLISHERS, MERIDIAN_MAX_CHILDREN, MERIDIAN_LOG_LEVEL,
MERIDIAN_RATE_LIMITS (off unless given).
`;

try {
  await run();
} catch (error) {
  process.stderr.write(`meridian: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      'page-port': { type: 'string', default: '8080' },
      'api-port': { type: 'string', default: '8101' },
      'global-port': { type: 'string', default: '8100' },
      'dns-port': { type: 'string', default: '5300' },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const started = performance.now();
  const starting = startWorld({
    regions: REGIONS,
    ports: {
      page: portFrom('--page-port', values['page-port']),
      api: portFrom('--api-port', values['api-port']),
      global: portFrom('--global-port', values['global-port']),
      dns: portFrom('--dns-port', values['dns-port']),
    },
    env: {},
    restart: true,
  });
  stopWith(starting.then((world) => world.close));
  const world = await starting;
  const { globalName, globalPort, dns, page, publishToken, apiSecret, regions } = world;
  if (values.json) {
    const line = { ready: true, globalName, dns, page, publishToken, apiSecret, regions, globalPort };
    process.stdout.write(`${JSON.stringify(line)}\n`);
    return;
  }
  const [first] = regions;
  process.stdout.write(`
Meridian is ready (${((performance.now() - started) / 1000).toFixed(1)} s): ${regions.length} regions on this machine.

  page           ${page}
  regions        ${regions.map(({ id, api }) => `${id} ${api}`).join('\n                 ')}
  global name    ${globalName}:${globalPort}, resolved by the DNS server at ${dns}
  publish token  ${publishToken}
  API secret     ${apiSecret}

The live streams, asked of any region:
  curl -H 'Authorization: Bearer ${apiSecret}' ${first?.api}/api/streams

Open the page to publish and watch. Ctrl-C stops everything.
`);
}

function portFrom(option: string, text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new Error(`${option} ${text}: a port is a number from 0 to 65535`);
}

/** Stops on a signal, or when npm, which started us, is gone. */
function stopWith(closing: Promise<() => Promise<void>>): void {
  let stopping = false;
  // A start that fails is told by whoever awaits it.
  closing.catch(() => undefined);
  const stop = () => {
    if (stopping) return;
    stopping = true;
    closing.then((close) => close()).finally(() => process.exit());
  };
  onStop(stop);
}
