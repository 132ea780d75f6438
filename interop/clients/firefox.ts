// Firefox ESR, Debian's or the one that FIREFOX_BIN names, driven by WebDriver BiDi.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import { Missing, run } from './adapter.ts';
import { browser } from './browser.ts';

const PROGRAM = process.env.FIREFOX_BIN || '/usr/bin/firefox-esr';
/** ms for it to listen: its first start with a new profile takes seconds on a busy machine. */
const START = 30_000;
/** ms for one command; a publish waits for its connection in it. */
const COMMAND = 30_000;
/** ms for it to end by itself. */
const END = 5_000;

const PREFERENCES = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.autoplay.default': 0,
  // The local world's nodes are on loopback.
  'media.peerconnection.ice.loopback': true,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  // What it would fetch from Mozilla.
  'app.update.disabledForTesting': true,
  'app.normandy.enabled': false,
  'browser.safebrowsing.downloads.enabled': false,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.update.enabled': false,
  'media.gmp-manager.updateEnabled': false,
  'services.settings.server': 'data:,none',
  'toolkit.telemetry.server': 'data:,none',
};

const bidiAnswer = z.discriminatedUnion('type', [
  z.object({ type: z.literal('success'), id: z.number(), result: z.record(z.string(), z.unknown()) }),
  z.object({ type: z.literal('error'), id: z.number().nullable(), error: z.string(), message: z.string() }),
  z.object({ type: z.literal('event') }),
]);

/** What a script resolved with; only text and nothing are asked for. */
const evaluated = z.union([
  z.object({
    type: z.literal('success'),
    result: z.object({ type: z.string(), value: z.string().optional() }),
  }),
  z.object({ type: z.literal('exception'), exceptionDetails: z.object({ text: z.string() }) }),
]);

/** https://w3c.github.io/webdriver-bidi/ */
class BiDi {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  #id = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.#hear(String(data)));
    socket.addEventListener('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('Firefox has ended'));
    });
  }

  static async connect(url: string): Promise<BiDi> {
    const socket = new WebSocket(url);
    const bidi = new BiDi(socket);
    await once(socket, 'open', { signal: AbortSignal.timeout(START) });
    return bidi;
  }

  async send(method: string, params: Record<string, unknown>): Promise<Record<string, unknown>> {
    this.#id += 1;
    const id = this.#id;
    const answer = Promise.withResolvers<Record<string, unknown>>();
    const timer = setTimeout(
      () => answer.reject(new Error(`Firefox has not done ${method} within ${COMMAND} ms`)),
      COMMAND,
    );
    this.#waiting.set(id, answer);
    try {
      this.#socket.send(JSON.stringify({ id, method, params }));
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  #hear(text: string): void {
    const answer = bidiAnswer.parse(JSON.parse(text));
    if (answer.type === 'event' || answer.id === null) return;
    const waiting = this.#waiting.get(answer.id);
    if (answer.type === 'success') waiting?.resolve(answer.result);
    else waiting?.reject(new Error(`${answer.error}: ${answer.message}`));
  }
}

async function startFirefox(url: string) {
  await access(PROGRAM).catch(() => {
    throw new Missing(`${PROGRAM} is not there: apt-get install firefox-esr`);
  });
  if (!Object.values(networkInterfaces()).some((all) => all?.some(({ internal }) => !internal)))
    throw new Missing('Firefox gathers no candidates on a machine without a network');
  const profile = await mkdtemp(join(tmpdir(), 'meridian-firefox-'));
  const preferences = Object.entries(PREFERENCES).map(
    ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`,
  );
  await writeFile(join(profile, 'user.js'), preferences.join(''));
  const child = spawn(
    PROGRAM,
    ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0', 'about:blank'],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, HOME: profile } },
  );
  const ended = once(child, 'exit');
  const close = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), END);
      await ended;
      clearTimeout(timer);
    }
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const listens = Promise.withResolvers<string>();
    createInterface({ input: child.stderr }).on('line', (line) => {
      const address = /WebDriver BiDi listening on (ws:\S+)/.exec(line)?.[1];
      if (address) listens.resolve(address);
    });
    const late = AbortSignal.timeout(START);
    late.addEventListener('abort', () =>
      listens.reject(new Error(`Firefox does not listen after ${START} ms`)),
    );
    const address = await Promise.race([
      listens.promise,
      ended.then(() => {
        throw new Error('Firefox ended before it listened');
      }),
    ]);
    const bidi = await BiDi.connect(`${address}/session`);
    const session = z
      .object({ capabilities: z.object({ browserVersion: z.string() }) })
      .parse(await bidi.send('session.new', { capabilities: {} }));
    const { contexts } = z
      .object({ contexts: z.array(z.object({ context: z.string() })) })
      .parse(await bidi.send('browsingContext.getTree', {}));
    const [page] = contexts;
    if (!page) throw new Error('Firefox has no page');
    await bidi.send('browsingContext.navigate', { context: page.context, url, wait: 'complete' });
    return {
      version: `Firefox ${session.capabilities.browserVersion}`,
      evaluate: async (expression: string) => {
        const target = { context: page.context };
        const answer = evaluated.parse(
          await bidi.send('script.evaluate', { expression, target, awaitPromise: true }),
        );
        if (answer.type === 'exception') throw new Error(answer.exceptionDetails.text);
        return answer.result.value;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

await run(
  browser({
    publishes: ['VP8', 'VP9', 'H264', 'AV1', 'VP8 simulcast'],
    open: startFirefox,
    lacks: (has) => ({
      ...(has.includes('H264')
        ? {}
        : { H264: 'it has not got its OpenH264 plug-in, which it downloads from Cisco' }),
      ...(has.includes('AV1') ? {} : { AV1: 'it offers none' }),
    }),
  }),
);
